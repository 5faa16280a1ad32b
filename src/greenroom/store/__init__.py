"""The ledger: what exists, what runs, what happened, and what is about to be made on the host."""

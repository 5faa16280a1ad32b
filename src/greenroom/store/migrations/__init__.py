"""The ledger's migrations, shipped with the package and run by ``greenroom.store.database``."""

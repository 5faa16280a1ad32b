"""The photo feed's made-up production data: a seeded backup, and the masked extract of it."""

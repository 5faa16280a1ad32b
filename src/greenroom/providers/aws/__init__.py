"""AWS: the template compiler, the account's driver, and what things cost."""

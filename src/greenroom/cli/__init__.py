"""The command line: a thin client of the daemon. It decides nothing; it asks, shows and exits."""

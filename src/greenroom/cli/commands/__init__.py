"""One module per command; ``greenroom.cli.main`` imports only the one that is called."""

"""Pure: a blueprint and a request become a Stack. Nothing here reads, writes or asks the time."""

"""The inventory: who is there, since when, how they stand; and what others read it as."""

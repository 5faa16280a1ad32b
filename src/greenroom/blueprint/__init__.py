"""The blueprint: the file's schema, and its faults with file, line and column."""

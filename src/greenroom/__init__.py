"""greenroom: a copy of production for every branch."""

__version__ = "0.1.0"

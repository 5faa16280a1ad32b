"""Frozen values that every part of greenroom shares: no I/O, no imports from other rooms."""

"""Engines: what runs an operation's steps and remembers them over a crash."""

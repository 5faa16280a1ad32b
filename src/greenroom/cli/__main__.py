"""``python -m greenroom.cli``: how the client starts the daemon with its own interpreter."""

from __future__ import annotations

from greenroom.cli.entry import entry

if __name__ == "__main__":
    entry()

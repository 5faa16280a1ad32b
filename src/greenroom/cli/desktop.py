"""The desktop that a command was called on, if it was."""

from __future__ import annotations

import os
import shutil


def open_on_desktop(url: str) -> None:
    """Show ``url`` in the browser; does nothing where there is no desktop."""
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    opener = shutil.which("xdg-open")
    if opener is None:
        return
    import subprocess

    subprocess.Popen(
        [opener, url],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

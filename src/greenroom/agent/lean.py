"""`signal` and `socket` by their C halves.

The modules of those names add enums and file objects, for 5 and 8 ms of a core in each boot. What
the agent uses of them is in both, under the same names and with the same meaning.
"""

from __future__ import annotations

from .value import TYPE_CHECKING

if TYPE_CHECKING:
    import signal
    import socket
else:
    import _signal as signal
    import _socket as socket

__all__ = ["signal", "socket"]

"""How many connections there may be at a door, and who gives way when there is no room."""

from __future__ import annotations

from typing import Protocol

CONNECTIONS_MAX = 1024
"""At one door. Each costs a descriptor and some 20 KiB."""
_OF_DESCRIPTORS = 8
"""An eighth of those that the daemon may have open: the others are machines', and the ledger's."""


class Guest(Protocol):
    """A connection, as the crowd sees it."""

    def is_waiting(self) -> bool:
        """Whether nothing is being answered: it is idle, or its request is not whole yet."""

    def turn_out(self) -> None:
        """Close it at once, whatever it is doing."""


def connections_max(descriptors: int) -> int:
    """The connections at a door for a process that may have so many descriptors."""
    return max(1, min(CONNECTIONS_MAX, descriptors // _OF_DESCRIPTORS))


class Crowd:
    """The connections at one door, by the user who holds them. For one event loop.

    As long as there is room, everybody comes in. When there is none, the user who holds most gives
    way, with what waits before what is being answered: so one user can fill the door only as far
    as nobody else wants in, and holds up nobody but themselves.
    """

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        # Of each user the connections, the oldest first.
        self._by_user: dict[str, dict[Guest, None]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def enter(self, guest: Guest, user: str) -> bool:
        """Let a connection in, for which another may be turned out; False if there is no room."""
        if self._count >= self._at_most:
            giving_way = self._giving_way(user)
            if giving_way is None:
                return False
            self.leave(*giving_way)
            giving_way[0].turn_out()
        self._by_user.setdefault(user, {})[guest] = None
        self._count += 1
        return True

    def leave(self, guest: Guest, user: str) -> None:
        """A connection has ended; one that was turned out has left already."""
        held = self._by_user.get(user, {})
        if guest not in held:
            return
        del held[guest]
        self._count -= 1
        if not held:
            del self._by_user[user]

    def _giving_way(self, newcomer: str) -> tuple[Guest, str] | None:
        most = max(self._by_user, key=lambda user: len(self._by_user[user]))
        own = self._by_user.get(newcomer, {})
        # What makes somebody the one with most is no reason to take from the others.
        user = newcomer if len(own) + 1 >= len(self._by_user[most]) else most
        held = self._by_user.get(user, {})
        waiting = next((each for each in held if each.is_waiting()), None)
        if waiting is not None:
            return waiting, user
        return None if user == newcomer else (next(iter(held)), user)

"""Machines of a fake account that boot: they signal what an agent would, to the byte of the URL
that their user data carries."""

from __future__ import annotations

import json
import re
import threading
import urllib.request
from dataclasses import dataclass, field
from urllib.error import HTTPError

from tests.cloud.fake.account import Account
from tests.cloud.fake.kinds import Launch

_SIGNAL_URL = re.compile(r"^signal_url='?([^'\n]+)'?$", re.MULTILINE)
_MACHINE = re.compile(r"^# Boots (\S+) of ", re.MULTILINE)

RESTORE = {
    "mode": "cold",
    "source": "extract",
    "artefact_sha256": "ab" * 32,
    "taken_at": "2026-11-22T03:00:00+00:00",
    "verified_at": "2026-11-23T01:00:00+00:00",
    "restore_s": 12.4,
    "verify_s": 1.5,
    "tables": [["photos", 1200, "0123456789abcdef"]],
    "table_count": 1,
    "row_count": 1200,
}


@dataclass(slots=True)
class Machines:
    """Signals for every instance that the account launches; ``broken`` maps a machine's name to
    the reason of its FAILURE, ``silent`` never say anything. ``statuses`` are HTTP's answers."""

    broken: dict[str, str] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    repeat: int = 1
    delay_s: float = 0.05
    booted: list[str] = field(default_factory=list)
    urls: dict[str, str] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    user_data: dict[str, str] = field(default_factory=dict)

    def launched(self, launch: Launch) -> None:
        """The hook of ``Account.on_instance``."""
        text = launch.user_data.decode()
        machine = _MACHINE.search(text)
        url = _SIGNAL_URL.search(text)
        assert machine is not None
        assert url is not None, text[:600]
        name = machine[1]
        self.booted.append(name)
        self.urls[name] = url[1]
        self.user_data[name] = text
        if name not in self.silent:
            for _ in range(self.repeat):
                threading.Timer(self.delay_s, self.signal, [name]).start()

    def signal(self, name: str) -> None:
        """PUT the machine's signal, as its agent does."""
        failed = name in self.broken
        data = {"phases": [["restore", 12.4]], "notices": [], "restore": None, "artifact": None}
        if name.startswith("db"):
            data["restore"] = RESTORE
        body = {
            "Status": "FAILURE" if failed else "SUCCESS",
            "UniqueId": name,
            "Reason": self.broken.get(name, "all checks passed"),
            "Data": json.dumps(data),
        }
        request = urllib.request.Request(
            self.urls[name],
            data=json.dumps(body).encode(),
            method="PUT",
            headers={"Content-Type": ""},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                self.statuses.append(int(answer.status))
        except HTTPError as error:
            self.statuses.append(error.code)


def booting(account: Account, **given: object) -> Machines:
    """Let every instance of the account boot."""
    machines = Machines(**given)  # type: ignore[arg-type]
    account.on_instance(machines.launched)
    return machines

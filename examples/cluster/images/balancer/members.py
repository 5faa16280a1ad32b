"""Exits with 0 if every backend that has a name here is a member of the balancer, and is up."""

import csv
import socket
import sys


def named() -> set[str]:
    """The addresses that `backend` resolves to."""
    return {answer[4][0] for answer in socket.getaddrinfo("backend", 80, socket.AF_INET)}


def members() -> dict[str, str]:
    """Address to state of each of HAProxy's members (HAProxy management guide, 9.1)."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("/run/haproxy.sock")
        connection.sendall(b"show stat backends 4 -1\n")
        text = connection.makefile(encoding="ascii").read().lstrip("# ")
    rows = [row for row in csv.DictReader(text.splitlines()) if row["addr"]]
    # An asterisk says that the next check is on its way.
    states = (f"{row['status']} {row['check_status'].removeprefix('* ')}" for row in rows)
    return dict(zip((row["addr"].rpartition(":")[0] for row in rows), states, strict=True))


def main() -> int:
    try:
        wanted, found = named(), members()
    except OSError as error:
        print(f"cannot compare names and members: {error}")
        return 1
    up = {address for address, state in found.items() if state == "UP L7OK"}
    if up == wanted:
        return 0
    print(f"{len(up & wanted)} of {len(wanted)} backends are members and up")
    for address in sorted(wanted ^ up):
        named_so = "" if address in wanted else ", which has no name here"
        print(f"{address}{named_so}: {found.get(address, 'no member')}")
    return 1


if __name__ == "__main__":
    sys.exit(main())

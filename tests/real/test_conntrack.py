"""The kernel's memory of connections: what is asked of it, and what it must forget."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable

from greenroom.providers.local import kernel
from greenroom.providers.local.conntrack import Datagram, forget, forwarded

RULES = """
table inet t {
  chain input {
    type filter hook input priority 0; policy drop;
    ct state established accept
    ip daddr 127.0.0.2 udp dport 8125 accept
    ip daddr 127.0.0.3 udp dport 8125 accept
  }
}
"""


def in_a_network_of_its_own(work: Callable[[], None]) -> None:
    def run() -> None:
        kernel.unshare_network()
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=10)
        subprocess.run(["nft", "-f", "-"], input=RULES, text=True, check=True, timeout=10)
        work()

    kernel.in_own_thread(run)


def talked(to: str) -> tuple[Datagram, socket.socket, socket.socket]:
    """A datagram and its answer, so that both directions have been seen."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((to, 8125))
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.bind(("127.0.0.1", 0))
    for each in (server, client):
        each.settimeout(10)
    client.sendto(b"1", (to, 8125))
    _, back = server.recvfrom(10)
    server.sendto(b"2", back)
    assert client.recv(10) == b"2"
    return Datagram("127.0.0.1", back[1], to, 8125), client, server


def test_the_connections_of_an_address_are_forgotten_and_no_others() -> None:
    def work() -> None:
        gone, *first = talked("127.0.0.2")
        stays, *second = talked("127.0.0.3")
        assert set(forwarded((gone, stays))) == {gone, stays}
        assert forget({"127.0.0.2"}) == 1
        assert set(forwarded((gone, stays))) == {stays}
        assert forget({"127.0.0.2"}) == 0
        for each in (*first, *second):
            each.close()

    in_a_network_of_its_own(work)


def test_what_was_open_does_not_outlive_the_rule_once_it_is_forgotten() -> None:
    def work() -> None:
        _, client, server = talked("127.0.0.2")
        subprocess.run(["nft", "flush", "chain", "inet", "t", "input"], check=True, timeout=10)
        add = "add rule inet t input ct state established accept"
        subprocess.run(["nft", *add.split()], check=True, timeout=10)
        # No rule names it any more, and yet it passes: this is why it has to be forgotten.
        client.sendto(b"3", ("127.0.0.2", 8125))
        assert server.recv(10) == b"3"
        forget({"127.0.0.2"})
        client.sendto(b"4", ("127.0.0.2", 8125))
        server.settimeout(0.2)
        try:
            late = server.recv(10)
        except TimeoutError:
            late = b""
        assert late == b""
        client.close()
        server.close()

    in_a_network_of_its_own(work)


def test_many_connections_are_read_to_the_last() -> None:
    def work() -> None:
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.2", 8125))
        for port in range(20000, 21500):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.bind(("127.0.0.1", port))
                client.sendto(b"", ("127.0.0.2", 8125))
        assert forget({"127.0.0.1"}) == 1500
        server.close()

    in_a_network_of_its_own(work)

"""First packet and throughput between two machines, beside a plain veth pair.

The region here is made by the product's own functions, router, links, rules and sets, but no
machine is booted in it: a sender and a receiver sit in the machines' namespaces. So 300 machines'
rules cost no memory, and nothing else runs beside the measurement.
"""

from __future__ import annotations

import multiprocessing
import socket
import statistics
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Network
from multiprocessing.connection import Connection
from pathlib import Path

import site_of_bench as site
from table import Row, Sample

from greenroom.app.planning import blueprint_planner
from greenroom.model.requests import CreateRequest
from greenroom.model.stack import Stack
from greenroom.providers.local import firewall, kernel, network
from greenroom.providers.local.layout import NETNS_DIR, Layout
from greenroom.region import Region

_LAYOUT = Layout(Region(label=f"{site.LABEL}net", cidr=site.CIDR))
_PORT = 6379
"""The feed's, which the example's groups open to the backend."""
_PLAIN = (f"{site.REGION}-left", f"{site.REGION}-right")
_PLAIN_ADDRESSES = ("10.90.0.1", "10.90.0.2")
_CONNECTIONS = 400
_STREAM_S = 0.4
_CHUNK_BYTES = 256 * 1024
_CONNECT, _STREAM, _STOP = b"c", b"s", b"q"


@dataclass(frozen=True, slots=True)
class _Way:
    """From one namespace to an address in another, where a receiver listens."""

    source: Path
    target: Path
    address: str


def measure(folder: Path, rounds: int) -> list[Row]:
    """Rows for three and for three hundred machines' rules."""
    rows: list[Row] = []
    site.stop(folder)
    with _plain_pair() as plain, _region() as (layout, stacks):
        backend, feed = stacks[0].machine("backend1"), stacks[0].machine("feed1")
        place = layout.machine(stacks[0].environment, backend.name)
        target = layout.machine(stacks[0].environment, feed.name)
        ours = _Way(place.namespace, target.namespace, str(feed.address))
        flat: dict[int, Sample] = {}
        for wanted in (1, len(stacks)):
            for stack in stacks[1:wanted]:
                firewall.apply_add(layout, stack, stack.machines, stack.groups)
            machines = 3 * wanted
            first, stream = _both(ours, plain, rounds)
            rows += _rows(machines, first, stream)
            flat[machines] = first[0]
        few, many = flat.values()
        rows.append(
            Row(
                what="first packet, 300 machines' rules beside 3 machines'",
                ours=many,
                peer=few,
                at_most=1.1,
            )
        )
    return rows


def _rows(machines: int, first: tuple[Sample, Sample], stream: tuple[Sample, Sample]) -> list[Row]:
    # A rate: so that «at least 0.9 ×» has one sense for both.
    rates = [
        Sample(values=tuple(1000 / v for v in sample.values), unit="thousand/s") for sample in first
    ]
    rules = f"{machines} machines' rules, beside a plain veth pair"
    return [
        Row(
            what=f"first packet (TCP connects in a row), {rules}",
            ours=rates[0],
            peer=rates[1],
            at_least=0.9,
            note=f"{first[0].median:.1f} µs beside {first[1].median:.1f} µs for a connect",
        ),
        Row(what=f"throughput, one stream, {rules}", ours=stream[0], peer=stream[1], at_least=0.9),
    ]


def _both(
    ours: _Way, plain: _Way, rounds: int
) -> tuple[tuple[Sample, Sample], tuple[Sample, Sample]]:
    """Connect times in µs and Gbit/s, of ours and of the plain pair in turn."""
    connects: tuple[list[float], list[float]] = ([], [])
    rates: tuple[list[float], list[float]] = ([], [])
    with _receiver(ours) as ours_port, _receiver(plain) as plain_port:
        for number in range(rounds + 1):
            for index, (way, port) in enumerate(((ours, ours_port), (plain, plain_port))):
                micro = kernel.in_network(way.source, partial(_connect_us, way, port))
                rate = kernel.in_network(way.source, partial(_stream_gbit, way, port))
                if number:
                    connects[index].append(micro)
                    rates[index].append(rate)
    return (
        (_sample(connects[0], "µs"), _sample(connects[1], "µs")),
        (_sample(rates[0], "Gbit/s"), _sample(rates[1], "Gbit/s")),
    )


def _sample(values: list[float], unit: str) -> Sample:
    return Sample(values=tuple(values), unit=unit)


def _connect_us(way: _Way, port: int) -> float:
    """Median of many new connections, in microseconds."""
    found = []
    for _ in range(_CONNECTIONS):
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # Reset at the close: no port stays in TIME_WAIT.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        started = time.perf_counter()
        connection.connect((way.address, port))
        found.append(time.perf_counter() - started)
        connection.close()
    return statistics.median(found) * 1e6


def _stream_gbit(way: _Way, port: int) -> float:
    """What arrives of one stream, by the receiver's own count."""
    chunk = bytes(_CHUNK_BYTES)
    with socket.create_connection((way.address, port)) as connection:
        end = time.monotonic() + _STREAM_S
        while time.monotonic() < end:
            connection.sendall(chunk)
        connection.shutdown(socket.SHUT_WR)
        received, seconds = struct.unpack("!Qd", connection.recv(16))
    return float(received * 8 / seconds / 1e9)


@contextmanager
def _receiver(way: _Way) -> Iterator[int]:
    """A process that listens in the target's namespace; the port."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_receive, args=(str(way.target), there), daemon=True)
    process.start()
    # Ours must close, or the end of the receiver would not end the wait for its word.
    there.close()
    try:
        yield int(here.recv())
    finally:
        process.kill()
        process.join()


def _receive(namespace: str, pipe: Connection) -> None:
    def listen() -> socket.socket:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("0.0.0.0", _PORT))
        listener.listen(1024)
        return listener

    listener = kernel.in_network(Path(namespace), listen)
    pipe.send(_PORT)
    buffer = bytearray(_CHUNK_BYTES)
    while True:
        connection, _ = listener.accept()
        with connection:
            try:
                _drain(connection, buffer)
            except ConnectionError:
                continue


def _drain(connection: socket.socket, buffer: bytearray) -> None:
    received = connection.recv_into(buffer)
    if not received:
        return
    started = time.monotonic()
    while count := connection.recv_into(buffer):
        received += count
    connection.sendall(struct.pack("!Qd", received, time.monotonic() - started))


@contextmanager
def _region() -> Iterator[tuple[Layout, list[Stack]]]:
    """A region with one environment's links and rules, and the Stacks of a hundred."""
    network.open_region_network(_LAYOUT)
    try:
        firewall.open_firewall(_LAYOUT)
        plan = blueprint_planner(region_cidr=IPv4Network(site.CIDR), agent_sha256="0" * 64)
        stacks = [plan(_request(f"branch-{n}")).resolve(n, f"{n:032x}", {}) for n in range(100)]
        first = stacks[0]
        network.attach_machines(_LAYOUT, first, first.machines)
        firewall.apply_add(_LAYOUT, first, first.machines, first.groups)
        yield _LAYOUT, stacks
    finally:
        for path in [*network.namespaces(f"{_LAYOUT.region.name}.")]:
            network.delete_namespace(path)
        network.close_region_network(_LAYOUT)


def _request(branch: str) -> CreateRequest:
    return CreateRequest(
        blueprint=site.EXAMPLE / "greenroom.yaml",
        machines=site.MACHINES,
        branch=branch,
    )


@contextmanager
def _plain_pair() -> Iterator[_Way]:
    """Two namespaces and a veth between them."""
    left, right = _PLAIN
    commands = [
        f"netns add {left}",
        f"netns add {right}",
        f"-n {left} link add eth0 type veth peer name eth0 netns {right}",
    ]
    for name, address in zip(_PLAIN, _PLAIN_ADDRESSES, strict=True):
        commands += [
            f"-n {name} addr add {address}/24 dev eth0",
            f"-n {name} link set lo up",
            f"-n {name} link set eth0 up",
        ]
    _remove_pair()
    try:
        for words in commands:
            subprocess.run(["ip", *words.split()], check=True)
        yield _Way(NETNS_DIR / left, NETNS_DIR / right, _PLAIN_ADDRESSES[1])
    finally:
        _remove_pair()


def _remove_pair() -> None:
    for name in _PLAIN:
        if (NETNS_DIR / name).exists():
            subprocess.run(["ip", "netns", "del", name], check=True)

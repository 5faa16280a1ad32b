"""The wiring of machines, on a host of its own: a network namespace that plays the host."""

from __future__ import annotations

import errno
import socket
import subprocess
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from greenroom.model.proof import Reach
from greenroom.model.stack import Protocol, Stack
from greenroom.plan.plan import plan
from greenroom.providers.local import firewall, kernel, network
from greenroom.providers.local.layout import DNS_ADDRESS, METADATA_ADDRESS, Layout, link_name
from greenroom.providers.local.nftables import apply, list_ruleset, list_set
from greenroom.providers.local.probe import Batch, Target, probe_all
from greenroom.providers.local.region_table import TABLE, render_region
from greenroom.providers.local.rtnetlink import LOOPBACK, Netlink, add_address, delete_link, set_up
from greenroom.providers.local.ruleset import Table, parse_listing
from greenroom.region import Region
from tests.real.site import LABEL
from tests.unit.blueprint_values import allocation, blueprint_of, request, stack_of

LAYOUT = Layout(Region(label=f"{LABEL[:6]}nt"))
FIRST = stack_of("backend", "db", "feed", branch="feature_x")
OTHER_LINK = "m9-10"


def on_a_host_of_its_own(work: Callable[[], None]) -> None:
    """Run ``work`` with a region up, and take it down: no address of this host's can be in use."""

    def run() -> None:
        kernel.unshare_network()
        try:
            network.open_region_network(LAYOUT)
            work()
        finally:
            network.close_region_network(LAYOUT)
            for namespace in network.namespaces(f"{LAYOUT.region.name}."):
                network.delete_namespace(namespace)

    kernel.in_own_thread(run)


def namespace_of(stack: Stack, machine: str) -> Path:
    return LAYOUT.machine(stack.environment, machine).namespace


def asked(namespace: Path, source: str) -> Batch:
    """A question to every machine, on a port where nobody listens."""
    targets = [Target(str(machine.address), Protocol.TCP, 9) for machine in FIRST.machines]
    return Batch(namespace=namespace, source=source, targets=targets)


def reaches(*batches: Batch) -> list[list[Reach] | None]:
    """The answers; of every machine's questions, unless others are given. There is no firewall."""
    every = [asked(namespace_of(FIRST, m.name), str(m.address)) for m in FIRST.machines]
    chosen = batches or every
    probe_all(chosen, LAYOUT.namespace)
    return [batch.answers for batch in chosen]


EVERYBODY_ANSWERS = [[Reach.REFUSED] * 3] * 3


def test_machines_reach_each_other_through_the_region_and_the_region_reaches_them() -> None:
    def work() -> None:
        network.attach_machines(LAYOUT, FIRST, FIRST.machines)
        assert reaches() == EVERYBODY_ANSWERS
        _, region_address = network.host_link_addresses(LAYOUT)
        assert reaches(asked(LAYOUT.namespace, region_address)) == EVERYBODY_ANSWERS[:1]

    on_a_host_of_its_own(work)


def test_what_a_crash_left_of_the_wiring_is_made_anew() -> None:
    """A namespace without its link, and a link that outlived its namespace."""

    def work() -> None:
        network.attach_machines(LAYOUT, FIRST, FIRST.machines)
        lost, kept = FIRST.machines[0], FIRST.machines[1]
        region_end = link_name(str(lost.address))
        kernel.in_network(LAYOUT.namespace, lambda: ask_to_delete(region_end))
        network.delete_namespace(namespace_of(FIRST, kept.name))
        network.attach_machines(LAYOUT, FIRST, FIRST.machines)
        assert reaches() == EVERYBODY_ANSWERS

    on_a_host_of_its_own(work)


def test_the_links_of_one_environment_go_and_no_others() -> None:
    def work() -> None:
        other = plan(blueprint_of(), request("feed", branch="other"), allocation(7))
        network.attach_machines(LAYOUT, FIRST, FIRST.machines)
        network.attach_machines(LAYOUT, other, other.machines)
        network.delete_links(LAYOUT, FIRST.environment)
        left = {link_name(str(machine.address)) for machine in other.machines}
        assert set(network.region_links(LAYOUT)) == left
        network.delete_links(LAYOUT, FIRST.environment)
        assert set(network.region_links(LAYOUT)) == left

    on_a_host_of_its_own(work)


def paces() -> str:
    return kernel.in_network(LAYOUT.namespace, partial(list_set, TABLE, "callers"))


def test_a_pace_that_was_counted_while_the_rules_went_is_forgotten_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = FIRST.machines[0].address
    late = f"add element {TABLE} callers {{ {address} limit rate over 9/second }}\n"

    def work() -> None:
        firewall.open_firewall(LAYOUT)
        empty = paces()
        network.attach_machines(LAYOUT, FIRST, FIRST.machines)
        firewall.apply_add(LAYOUT, FIRST, FIRST.machines, FIRST.groups)
        # What a packet does that comes between the listing and the transaction.
        monkeypatch.setattr(firewall, "apply", lambda script: apply(late + script))
        firewall.apply_remove(LAYOUT, FIRST.environment)
        monkeypatch.undo()
        assert paces() == empty

    on_a_host_of_its_own(work)


def test_every_link_answers_for_the_others_and_drops_what_is_not_its_own() -> None:
    def work() -> None:
        network.attach_machines(LAYOUT, FIRST, FIRST.machines)
        for machine in FIRST.machines:
            link = link_name(str(machine.address))
            assert kernel.in_network(LAYOUT.namespace, partial(settings_of, link)) == "1 1 0"

    on_a_host_of_its_own(work)


def settings_of(link: str) -> str:
    names = (f"conf/{link}/rp_filter", f"conf/{link}/proxy_arp", f"neigh/{link}/proxy_delay")
    return " ".join(Path("/proc/sys/net/ipv4", name).read_text().strip() for name in names)


def hog(namespace: Path, kind: socket.SocketKind, held: ExitStack) -> None:
    """Bind every port that the kernel gives out by itself there; few, so that it is soon done."""

    def bind() -> None:
        Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("40000 40007")
        for port in range(40000, 40008):
            held.enter_context(socket.socket(socket.AF_INET, kind)).bind(("", port))

    kernel.in_network(namespace, bind)


def test_a_machine_that_has_bound_all_ports_does_not_blind_the_proof() -> None:
    def work() -> None:
        network.attach_machines(LAYOUT, FIRST, FIRST.machines)
        source, *others = FIRST.machines
        with ExitStack() as held:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                hog(namespace_of(FIRST, source.name), kind, held)
            targets = [
                Target(str(machine.address), protocol, port)
                for machine in others
                for protocol in Protocol
                for port in (9, 10)
            ]
            batch = Batch(namespace_of(FIRST, source.name), str(source.address), targets)
            assert reaches(batch) == [[Reach.REFUSED] * len(targets)]
            assert not batch.faults

    on_a_host_of_its_own(work)


def test_a_probe_that_cannot_be_sent_is_silent_and_says_why_and_ends_nothing() -> None:
    def work() -> None:
        network.attach_machines(LAYOUT, FIRST, FIRST.machines)
        source, spoiled, other = FIRST.machines
        namespace = namespace_of(FIRST, source.name)
        route = ["ip", "-n", namespace.name, "route", "add", "blackhole"]
        subprocess.run([*route, f"{spoiled.address}/32"], check=True)
        targets = [
            Target(str(machine.address), protocol, 9)
            for machine in (spoiled, other)
            for protocol in (Protocol.TCP, Protocol.UDP)
        ]
        batch = Batch(namespace, str(source.address), targets)
        assert reaches(batch) == [[Reach.SILENT] * 2 + [Reach.REFUSED] * 2]
        assert batch.faults == {errno.EINVAL}

    on_a_host_of_its_own(work)


def at_services(work: Callable[[Path, str, str], None]) -> None:
    """Run ``work`` behind the firewall, where somebody listens for names and at metadata; it is
    given a machine's namespace, its address, and the region's."""

    def run() -> None:
        network.attach_machines(LAYOUT, FIRST, FIRST.machines)
        firewall.open_firewall(LAYOUT)
        firewall.apply_add(LAYOUT, FIRST, FIRST.machines, FIRST.groups)
        machine = FIRST.machines[0]
        _, region = network.host_link_addresses(LAYOUT)
        with ExitStack() as held:
            for service in (TO_NAMES, TO_METADATA):
                held.enter_context(network.open_listener(LAYOUT, *service))
            work(namespace_of(FIRST, machine.name), str(machine.address), region)

    on_a_host_of_its_own(run)


TO_NAMES, TO_METADATA = (DNS_ADDRESS, 53), (METADATA_ADDRESS, 80)


def test_attempts_that_the_firewall_rejects_count_against_no_limit_of_a_service() -> None:
    """They follow each other within a tick of the kernel's clock, as those of two proofs do."""

    def work(namespace: Path, source: str, region: str) -> None:
        for address, port, limit in ((*TO_NAMES, 4), (*TO_METADATA, 64)):
            closed = [Target(region, Protocol.TCP, port)] * (2 * limit)
            batch = Batch(namespace, source, [*closed, Target(address, Protocol.TCP, port)])
            assert reaches(batch) == [[Reach.FILTERED] * len(closed) + [Reach.OPEN]]

    at_services(work)


@pytest.mark.parametrize(("service", "limit"), [(TO_NAMES, 4), (TO_METADATA, 64)])
def test_a_machine_has_so_many_connections_to_a_service_and_no_more(
    service: tuple[str, int], limit: int
) -> None:
    def work(namespace: Path, source: str, region: str) -> None:
        with ExitStack() as held:
            for _ in range(limit):
                held.enter_context(kernel.in_network(namespace, connected))
            with pytest.raises(ConnectionRefusedError):
                kernel.in_network(namespace, connected)
            other = FIRST.machines[1]
            kernel.in_network(namespace_of(FIRST, other.name), connected).close()

    def connected() -> socket.socket:
        return socket.create_connection(service, timeout=10)

    at_services(work)


def ask_to_delete(name: str) -> None:
    with Netlink() as netlink:
        netlink.ask(delete_link(name))


def test_what_the_kernel_refuses_is_an_error_that_names_it() -> None:
    def work() -> None:
        with Netlink() as netlink, pytest.raises(OSError, match=r"exists.*127\.0\.0\.1"):
            netlink.ask(
                set_up(LOOPBACK),
                add_address(LOOPBACK, "127.0.0.1"),
                add_address(LOOPBACK, "127.0.0.1"),
            )

    kernel.in_own_thread(lambda: (kernel.unshare_network(), work()))


def test_a_namespace_below_the_bind_of_ip_netns_is_given_up_and_its_file_used_again() -> None:
    """The first `ip netns add` of a host binds /run/netns onto itself (ip-netns.c)."""

    def work() -> None:
        kernel.unshare_mounts()
        network.open_region_network(LAYOUT)
        kernel.mount(network.NETNS_DIR, network.NETNS_DIR, None, kernel.MS_BIND | kernel.MS_REC)
        network.close_region_network(LAYOUT)
        assert not network.is_namespace(LAYOUT.namespace)
        network.open_region_network(LAYOUT)
        assert network.is_namespace(LAYOUT.namespace)

    def run() -> None:
        kernel.unshare_network()
        work()

    try:
        kernel.in_own_thread(run)
    finally:
        # Out here nothing is mounted on it: the mounts ended with their thread.
        LAYOUT.namespace.unlink(missing_ok=True)


def test_a_namespace_is_deleted_also_when_ip_netns_has_covered_it() -> None:
    def work() -> None:
        # As the first `ip netns add` of a host does it, where only this thread sees it.
        kernel.unshare_mounts()
        path = LAYOUT.namespace.with_name(f"{LAYOUT.namespace.name}.covered")
        path.touch()
        own = f"/proc/self/task/{threading.get_native_id()}/ns/net"
        kernel.mount(own, path, None, kernel.MS_BIND)
        kernel.mount(path.parent, path.parent, None, kernel.MS_BIND)
        with pytest.raises(OSError):
            path.unlink()
        network.delete_namespace(path)
        assert not path.exists()

    kernel.in_own_thread(work)


def test_the_regions_rules_are_listed_as_they_are_written_also_without_names_of_protocols() -> None:
    """A bare Debian has no /etc/protocols, from which nft takes the names that it prints."""

    def work() -> None:
        kernel.unshare_mounts()
        kernel.unshare_network()
        names = Path("/etc/protocols")
        if names.exists():
            kernel.mount("/dev/null", names, None, kernel.MS_BIND)
        script = render_region("10.9.0.0/16")
        apply(script)
        declared, found = parse_listing(script), parse_listing(list_ruleset())
        assert declared.keys() == found.keys()
        for name, table in declared.items():
            assert texts(table) == texts(found[name])
            assert len(texts(table)) > 3

    def texts(table: Table) -> dict[str, list[str]]:
        return {name: [r.text for r in chain.rules] for name, chain in table.chains.items()}

    kernel.in_own_thread(work)

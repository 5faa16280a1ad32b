"""Who is stopped when the pool runs full, and what is kept in reserve."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.errors import OperationError
from greenroom.model.names import EnvironmentName
from greenroom.providers.local.command import run
from greenroom.providers.local.space import Room, amount
from greenroom.providers.local.usage import Tenant, eater

MIB, GIB = 1024**2, 1024**3
A, B, C = (Tenant(EnvironmentName("photos", slug), "db1") for slug in ("a", "b", "c"))
SIZES = st.dictionaries(st.sampled_from([A, B, C]), st.integers(0, 100 * GIB))


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        ({A: 0}, {A: GIB}, A),
        # Large and at rest: it does not pay for the one that grows.
        ({A: 50 * GIB, B: 0}, {A: 50 * GIB, B: GIB}, B),
        # Both grow about alike: the one that holds more goes.
        ({A: 10 * GIB, B: 0}, {A: 10 * GIB + 600 * MIB, B: GIB}, A),
        # A little growth beside a lot of it is no guilt.
        ({A: 50 * GIB, B: 0}, {A: 50 * GIB + 100 * MIB, B: GIB}, B),
        # It came since the last look.
        ({A: GIB}, {A: GIB, B: GIB}, B),
        # Nobody grows: the room was taken by somebody else.
        ({A: GIB, B: GIB}, {A: GIB + MIB, B: GIB}, None),
        ({A: GIB}, {}, None),
        ({A: GIB}, {A: 0}, None),
    ],
)
def test_of_the_machines_that_grow_the_largest_is_the_eater(
    before: dict[Tenant, int], now: dict[Tenant, int], found: Tenant | None
) -> None:
    assert eater(before, now) == found


@given(before=SIZES, now=SIZES)
def test_a_machine_that_did_not_grow_is_never_stopped(
    before: dict[Tenant, int], now: dict[Tenant, int]
) -> None:
    found = eater(before, now)
    assert found is None or now[found] > before.get(found, 0)


@pytest.mark.parametrize(
    ("size_gib", "reserve_mib"), [(1, 256), (4, 256), (10, 512), (60, 3072), (1000, 4096)]
)
def test_the_reserve_is_a_twentieth_within_bounds(size_gib: int, reserve_mib: int) -> None:
    room = Room(what="the pool", free_bytes=0, size_bytes=size_gib * GIB)
    assert room.reserve_bytes == reserve_mib * MIB


def test_amounts_are_told_in_units_that_people_use() -> None:
    assert [amount(n) for n in (0, 5 * MIB, GIB - 1, GIB, 3 * GIB // 2)] == [
        "0 MiB",
        "5 MiB",
        "1023 MiB",
        "1.0 GiB",
        "1.5 GiB",
    ]


def test_a_program_that_meets_a_full_disk_is_told_as_that() -> None:
    with pytest.raises(OperationError) as caught:
        run(["dd", "if=/dev/zero", "of=/dev/full", "count=1"], timeout_s=10)
    assert caught.value.code == "E_NO_SPACE"
    assert caught.value.hint == "df -h shows which disk is full: free some space"

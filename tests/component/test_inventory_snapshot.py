"""All machines in memory: the same are found as by going through them one by one."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.component.inventory_stage import record

from greenroom.app.inventory.snapshot import snapshot_of
from greenroom.model.inventory import Health, MachineKey, MachineQuery, MachineRecord

ANY = record()


def machine(stack: str, slug: str, branch: str, name: str, health: Health) -> MachineRecord:
    role = name.rstrip("12")
    environment = f"{stack}/{slug}"
    named = replace(ANY, environment=environment, stack=stack, slug=slug, branch=branch)
    return replace(named, name=name, role=role, health=health)


# Of two stacks of which one's name begins like the other's, "-" sorts before "/".
stacks = st.sampled_from(["photos", "photos-x", "shop"])
places = st.sampled_from([("x-1", "x_1"), ("x-1", "x-1"), ("y", "y"), ("shared", "")])
names = st.sampled_from(["backend1", "backend2", "db1"])
machines = st.builds(
    lambda stack, place, name, health: machine(stack, *place, name, health),
    stacks,
    places,
    names,
    st.sampled_from([Health.HEALTHY, Health.STOPPED]),
)
queries = st.builds(
    MachineQuery,
    environment=st.sampled_from([None, None, "photos/x-1", "photos-x/shared", "shop", "/"]),
    name=st.one_of(st.none(), names),
    stack=st.one_of(st.none(), stacks),
    role=st.sampled_from([None, "backend", "db", "cache"]),
    branch=st.sampled_from([None, None, "x-1", "x_1", "shared", "", "z"]),
    health=st.sampled_from([None, Health.HEALTHY]),
    stacks=st.one_of(st.none(), st.frozensets(stacks)),
)
cursors = st.one_of(
    st.none(), st.tuples(st.sampled_from(["photos-x/y", "photos/x-1", "zoo/x"]), names)
)


@given(st.lists(machines), queries, cursors)
def test_what_is_found_is_what_matches_in_the_order_of_pages(
    found: list[MachineRecord], query: MachineQuery, after: MachineKey | None
) -> None:
    records = {each.key: each for each in found}
    expected = [
        records[key]
        for key in sorted(records)
        if query.matches(records[key]) and (after is None or key > after)
    ]
    snapshot = snapshot_of(records.values())
    assert list(snapshot.find(query, after=after)) == expected
    assert snapshot.records == records


@given(machines, queries)
def test_a_machine_matches_if_nothing_that_is_asked_for_speaks_against_it(
    each: MachineRecord, query: MachineQuery
) -> None:
    asked = {
        name: value
        for name in ("environment", "name", "stack", "role", "health")
        if (value := getattr(query, name)) is not None
    }
    same = all(getattr(each, name) == value for name, value in asked.items())
    on_branch = query.branch is None or query.branch in {each.branch, each.slug}
    seen = query.stacks is None or each.stack in query.stacks
    assert query.matches(each) == (same and on_branch and seen)

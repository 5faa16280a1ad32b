from __future__ import annotations

import io
import subprocess
import sys
import tracemalloc
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from tests.unit.price_offers import COLUMNS, Row, csv_text, entry, instance, volume

from greenroom.errors import InputError, OperationError
from greenroom.model.costs import RegionPrices
from greenroom.providers.aws.price_list import offers_of_csv, offers_of_entry, region_prices
from greenroom.providers.aws.price_table import PriceTable, own_table

WANTED = ("t3.small", "t3.micro")
ROOT = Path(__file__).resolve().parents[2]

OTHERS = (
    instance("t3.small", "0.0300", Tenancy="Dedicated"),
    instance("t3.small", "0.0300", Operating_System="Windows", operation="RunInstances:0002"),
    instance("t3.small", "0.0300") | {"Pre Installed S/W": "SQL Web"},
    instance("t3.small", "0.0000", CapacityStatus="AllocatedCapacityReservation"),
    instance("t3.small", "0.0300", CapacityStatus="UnusedCapacityReservation"),
    instance("t3.small", "0.0300", operation="RunInstances:0g00"),
    instance("t3.small", "0.0100", TermType="Reserved"),
    instance("t3.small", "0.0300", MarketOption="CapacityBlock"),
    instance("t3.small", "0.0300", region="eu-west-1-lhr-1"),
    instance("t3.small", "0.0300", Location_Type="AWS Local Zone"),
    instance("x9.large", "9.0000"),
    volume("gp3", "0.2000", Location_Type="AWS Outposts"),
    volume("gp3", "0.0050", Unit="IOPS-Mo", Product_Family="System Operation"),
    volume("gp3", "0.0440", usageType="EU-EBS:VolumeP-Throughput.gp3"),
)
"""Offers that are not the prices that we mean, as the list has them."""


def by_csv(*rows: Row) -> RegionPrices:
    day, offers = offers_of_csv(io.StringIO(csv_text(rows)))
    return region_prices("eu-west-1", offers, wanted=WANTED, as_of=day, source="s")


def by_api(*rows: Row) -> RegionPrices:
    offers = (offer for row in rows for offer in offers_of_entry(entry(row)))
    day = date(2026, 1, 2)
    return region_prices("eu-west-1", offers, wanted=WANTED, as_of=day, source="s")


GOOD = (
    instance("t3.small", "0.0228000000"),
    instance("t3.micro", "0.0114000000"),
    volume("gp3", "0.0880000000"),
    volume("gp2", "0.1100000000"),
)


@pytest.mark.parametrize("read", [by_csv, by_api])
def test_only_plain_linux_instances_and_storage_are_prices(read: type) -> None:
    prices = read(*OTHERS, *GOOD, *OTHERS)
    assert prices == RegionPrices(
        as_of=date(2026, 1, 2),
        source="s",
        instances={"t3.micro": Decimal("0.0114"), "t3.small": Decimal("0.0228")},
        volumes={"gp2": Decimal("0.11"), "gp3": Decimal("0.088")},
    )
    assert str(prices.instances["t3.small"]) == "0.0228"


@pytest.mark.parametrize(
    ("rows", "code", "words"),
    [
        (
            (*GOOD, instance("t3.small", "0.03")),
            "E_PRICES_BAD",
            "t3.small has two prices, 0.0228 and 0.03 USD",
        ),
        (
            (*GOOD[1:], instance("t3.small", "0.0000000000")),
            "E_PRICES_BAD",
            "t3.small has the price '0.0000000000' USD",
        ),
        (
            (*GOOD[1:], instance("t3.small", "-1")),
            "E_PRICES_BAD",
            "t3.small has the price '-1' USD",
        ),
        ((*GOOD[1:], instance("t3.small", "NaN")), "E_PRICES_BAD", "has the price 'NaN' USD"),
        ((*GOOD[1:], instance("t3.small", "cheap")), "E_PRICES_BAD", "has the price 'cheap' USD"),
        (
            (*GOOD[1:], instance("t3.small", "0.14", Currency="CNY")),
            "E_PRICES_BAD",
            "t3.small has the price '0.14' CNY",
        ),
        (
            GOOD[:2],
            "E_PRICES_PARTIAL",
            "the price list of eu-west-1 is not whole: it has prices of 2 instance types and of "
            "the volume types none",
        ),
        (
            GOOD[2:],
            "E_PRICES_PARTIAL",
            "it has prices of 0 instance types and of the volume types gp2, gp3",
        ),
    ],
)
@pytest.mark.parametrize("read", [by_csv, by_api])
def test_a_list_that_is_not_right_is_refused(
    read: type, rows: Iterable[Row], code: str, words: str
) -> None:
    with pytest.raises(OperationError) as raised:
        read(*rows)
    assert raised.value.code == code
    assert words in raised.value.message


def test_a_region_that_the_list_does_not_have_is_named() -> None:
    with pytest.raises(InputError, match="AWS's price list has nothing for the region 'eu-west-1'"):
        by_csv(instance("t3.small", "1", region="us-east-1"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a price list of format v1.0"),
        ("<html>\n" * 9, "not a price list of format v1.0"),
        (csv_text(GOOD).replace("v1.0", "v2.0"), "not a price list of format v1.0"),
        (csv_text(GOOD, COLUMNS[:-1]), "missing: Volume API Name"),
        (csv_text(GOOD).replace("2026-01-02T", "yesterday"), "no publication date"),
        (csv_text(GOOD)[:-60], "fields instead of 25"),
    ],
)
def test_a_file_of_another_form_is_refused(text: str, words: str) -> None:
    with pytest.raises(OperationError) as raised:
        day, offers = offers_of_csv(io.StringIO(text))
        region_prices("eu-west-1", offers, wanted=WANTED, as_of=day, source="s")
    assert raised.value.code == "E_PRICES_BAD"
    assert words in raised.value.message


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"product": {}}', '{"product": 1, "terms": 2}'])
def test_an_entry_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(OperationError, match="an entry is not as documented"):
        list(offers_of_entry(text))


def test_a_file_of_any_size_needs_hardly_any_memory() -> None:
    head, rows = csv_text(GOOD), csv_text([instance("x9.large", "9")] * 40).splitlines(True)[6:]

    def lines() -> Iterable[str]:
        yield from head.splitlines(True)
        for _ in range(100):
            yield from rows

    tracemalloc.start()
    day, offers = offers_of_csv(lines())
    prices = region_prices("eu-west-1", offers, wanted=WANTED, as_of=day, source="s")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(prices.instances) == 2
    assert peak_bytes < 200_000  # of a file of 1 MB


def make_prices(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "make_prices"), *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_script_makes_a_table_that_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "eu-west-1.csv").write_text(csv_text((*OTHERS, *GOOD)))
    out = tmp_path / "prices.json"
    done = make_prices("--from", str(tmp_path), "--out", str(out), "eu-west-1")
    assert (done.returncode, done.stdout) == (0, "eu-west-1: 2 instance types, 2026-01-02\n")
    table = own_table(out)
    assert isinstance(table, PriceTable)
    assert table.regions["eu-west-1"] == RegionPrices(
        as_of=date(2026, 1, 2),
        source="AWS bulk price list",
        instances={"t3.micro": Decimal("0.0114"), "t3.small": Decimal("0.0228")},
        volumes={"gp2": Decimal("0.11"), "gp3": Decimal("0.088")},
    )


def test_the_script_writes_nothing_unless_every_region_is_whole(tmp_path: Path) -> None:
    (tmp_path / "eu-west-1.csv").write_text(csv_text(GOOD))
    (tmp_path / "us-east-1.csv").write_text(csv_text(GOOD)[:-60])
    out = tmp_path / "prices.json"
    done = make_prices("--from", str(tmp_path), "--out", str(out), "eu-west-1", "us-east-1")
    assert done.returncode == 1
    assert "fields instead of 25" in done.stderr
    assert not out.exists()

"""``greenroom prices`` through real boto3, against a server in the shape of AWS's price API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.unit.cost_values import PRICES
from tests.unit.price_api import PriceApi, serving
from tests.unit.price_offers import instance, volume

from greenroom.blueprint.instance_types import INSTANCE_TYPES
from greenroom.blueprint.parse import load_blueprint
from greenroom.cli.commands.prices import prices as prices_command
from greenroom.errors import GreenroomError, HostError
from greenroom.model.costs import PriceTable, RegionPrices
from greenroom.model.requests import CreateRequest
from greenroom.plan.cloud import CloudAsk, plan_cloud
from greenroom.plan.costs import costs_of
from greenroom.providers.aws import price_table
from greenroom.providers.aws.price_table import (
    known_prices,
    merged,
    own_path,
    own_table,
    shipped_table,
    write_own,
)

REGION = "xx-test-1"
ROWS = (
    instance("t3.nano", "0.0001", REGION),
    instance("t3.micro", "0.0114", REGION),
    instance("t3.small", "0.0228", REGION),
    instance("c3.large", "0.1200", REGION),
    instance("t3.small", "0.0300", REGION, Tenancy="Dedicated"),
    volume("gp3", "0.0880", REGION),
    volume("gp3", "0.0050", REGION, Unit="IOPS-Mo", usageType="EU-EBS:VolumeP-IOPS.gp3"),
)


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PriceApi]:
    made = PriceApi(ROWS)
    with serving(made) as url:
        for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", url)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
        yield made


def prices(*words: str) -> Result:
    return CliRunner().invoke(prices_command, list(words))


def own_file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "greenroom" / "aws-prices.json"


def test_refresh_writes_a_dated_table_of_ones_own(api: PriceApi, tmp_path: Path) -> None:
    done = prices("refresh", "--region", REGION)
    assert done.exit_code == 0, done.output
    today = datetime.now(UTC).date()
    table = own_table(own_file(tmp_path))
    assert table is not None
    assert table.regions == {
        REGION: RegionPrices(
            as_of=today,
            source="AWS Price List API",
            instances={
                "c3.large": Decimal("0.12"),
                "t3.micro": Decimal("0.0114"),
                "t3.nano": Decimal("0.0001"),
                "t3.small": Decimal("0.0228"),
            },
            volumes={"gp3": Decimal("0.088")},
        )
    }
    assert f"{REGION}: 4 instance types\nwritten to {own_file(tmp_path)}" in done.output
    assert len(api.asked) == 3  # two pages of instances, one of volumes
    assert known_prices({"XDG_DATA_HOME": str(tmp_path / "data")}).regions[REGION].as_of == today


def test_the_table_says_of_which_day_and_from_where(api: PriceApi) -> None:
    assert prices("refresh", "--region", REGION).exit_code == 0
    line = next(line for line in prices().output.splitlines() if line.startswith(REGION))
    today = datetime.now(UTC).date().isoformat()
    assert line.split(maxsplit=4)[1:] == [today, "4", "gp3", "AWS Price List API"]
    shown = prices("--region", REGION).output
    assert "t3.small               $0.0228 an hour\n" in shown
    assert "gp3                    $0.088 a GiB-month\n" in shown
    assert "volume initialization  unknown a GiB of snapshot\n" in shown
    assert "unknown: c5.2xlarge, c5.4xlarge" in shown


def test_programs_get_the_table_as_json(api: PriceApi) -> None:
    refreshed = json.loads(prices("refresh", "--region", REGION, "--json").output)
    assert refreshed["regions"][REGION]["instances"]["t3.small"] == "0.0228"
    shown = json.loads(prices("--region", REGION, "--json").output)
    assert shown["regions"] == {REGION: refreshed["regions"][REGION]}
    assert shown["regions"][REGION]["initialization_gib_usd"] is None


def test_a_region_without_prices_says_how_to_get_them(api: PriceApi) -> None:
    error = prices("--region", REGION).exception
    assert isinstance(error, GreenroomError)
    assert error.code == "E_PRICES_REGION"
    assert error.hint == f"greenroom prices refresh --region {REGION} fetches them"


def no_gp3(document: Any) -> Any:
    return {**document, "PriceList": [each for each in document["PriceList"] if "gp3" not in each]}


def nonsense(document: Any) -> Any:
    return {**document, "PriceList": ["{}"]}


def in_yuan(document: Any) -> Any:
    entries = [each.replace('"USD"', '"CNY"') for each in document["PriceList"]]
    return {**document, "PriceList": entries}


@pytest.mark.parametrize(
    ("broken", "code"),
    [(no_gp3, "E_PRICES_PARTIAL"), (nonsense, "E_PRICES_BAD"), (in_yuan, "E_PRICES_BAD")],
)
def test_a_bad_answer_changes_nothing(
    api: PriceApi, tmp_path: Path, broken: Any, code: str
) -> None:
    assert prices("refresh", "--region", REGION).exit_code == 0
    before = own_file(tmp_path).read_bytes()
    api.broken = broken
    error = prices("refresh", "--region", REGION).exception
    assert isinstance(error, GreenroomError)
    assert error.code == code
    assert own_file(tmp_path).read_bytes() == before
    assert list(own_file(tmp_path).parent.iterdir()) == [own_file(tmp_path)]


def test_a_list_that_lost_many_types_changes_nothing(api: PriceApi, tmp_path: Path) -> None:
    assert prices("refresh", "--region", REGION).exit_code == 0
    before = own_file(tmp_path).read_bytes()
    api.rows = [row for row in api.rows if row.get("Instance Type") != "t3.small"]
    error = prices("refresh", "--region", REGION).exception
    assert isinstance(error, GreenroomError)
    assert error.message == (
        f"the price list of {REGION} is not whole: it lacks 1 of the 4 instance types that had a "
        "price, t3.small among them"
    )
    assert own_file(tmp_path).read_bytes() == before


def test_all_regions_are_whole_or_none_is_written(api: PriceApi, tmp_path: Path) -> None:
    error = prices("refresh", "--region", REGION, "--region", "mars-1").exception
    assert isinstance(error, GreenroomError)
    assert error.message == "AWS's price list has nothing for the region 'mars-1'"
    assert not own_file(tmp_path).exists()


def test_other_regions_of_ones_own_table_stay(api: PriceApi, tmp_path: Path) -> None:
    write_own(own_file(tmp_path), {"mars-1": PRICES.regions["eu-west-1"]})
    assert prices("refresh", "--region", REGION).exit_code == 0
    table = own_table(own_file(tmp_path))
    assert table is not None
    assert list(table.regions) == ["mars-1", REGION]


def test_a_right_that_is_missing_is_named(api: PriceApi) -> None:
    api.refused = "AccessDeniedException"
    error = prices("refresh", "--region", REGION).exception
    assert isinstance(error, GreenroomError)
    assert error.code == "E_AWS_DENIED"
    assert "pricing:GetProducts" in error.message


# The files.


def aged(day: date, price: str) -> PriceTable:
    region = RegionPrices(as_of=day, source="s", instances={"t3.small": Decimal(price)}, volumes={})
    return PriceTable(
        regions={"eu-west-1": region}, public_ipv4_hour_usd=None, hosted_zone_month_usd=None
    )


@pytest.mark.parametrize(
    ("own_day", "price"),
    [(date(2026, 1, 1), "1"), (date(2026, 1, 2), "2"), (date(2026, 1, 3), "2")],
)
def test_of_shipped_and_own_the_newer_counts(own_day: date, price: str) -> None:
    known = merged(aged(date(2026, 1, 2), "1"), aged(own_day, "2"))
    assert known.regions["eu-west-1"].instances["t3.small"] == Decimal(price)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"format": 2, "regions": {}}',
        '{"format": 1}',
        '{"format": 1, "regions": {"x": {"as_of": "2026-01-02", "source": "", '
        '"instances": {"t3.small": "0"}, "volumes": {}}}}',
        '{"format": 1, "regions": {}, "surprise": 1}',
    ],
)
def test_a_broken_table_of_ones_own_is_an_error_and_not_an_empty_one(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "aws-prices.json"
    path.write_text(text)
    with pytest.raises(HostError) as raised:
        own_table(path)
    assert raised.value.code == "E_PRICES_FILE"
    assert str(path) in raised.value.message
    assert f"rm {path}" in raised.value.hint


def test_a_table_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "greenroom" / "aws-prices.json"
    write_own(path, aged(date(2026, 1, 2), "1").regions)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(price_table.os, "fsync", full)
    with pytest.raises(HostError, match="cannot be written: No space left on device"):
        write_own(path, aged(date(2026, 1, 3), "2").regions)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_the_own_table_lies_where_xdg_says() -> None:
    assert own_path({"XDG_DATA_HOME": "/d"}) == Path("/d/greenroom/aws-prices.json")
    default = Path.home() / ".local/share/greenroom/aws-prices.json"
    assert own_path({}) == default
    assert own_path({"XDG_DATA_HOME": "relative"}) == default


def test_the_shipped_table_is_of_types_that_a_blueprint_may_name() -> None:
    shipped = shipped_table()
    assert shipped.regions
    for region in shipped.regions.values():
        assert set(region.instances) <= set(INSTANCE_TYPES)
        assert region.source
        assert date(2014, 1, 1) < region.as_of <= datetime.now(UTC).date()


def test_the_shipped_prices_of_a_family_are_in_proportion_to_its_sizes() -> None:
    # AWS prices the sizes of a family by the vCPU (the burstable ones by their memory), rounded
    # to four decimals: a figure that was copied wrongly stands out.
    for name, region in shipped_table().regions.items():
        for family in {each.partition(".")[0] for each in region.instances}:
            per_gib = {
                instance_type: (usd, usd / INSTANCE_TYPES[instance_type].memory_mib * 1024)
                for instance_type, usd in region.instances.items()
                if instance_type.partition(".")[0] == family
            }
            _, best = max(per_gib.values())  # the largest size is rounded least
            for instance_type, (usd, _) in per_gib.items():
                gib = Decimal(INSTANCE_TYPES[instance_type].memory_mib) / 1024
                assert abs(usd - best * gib) <= Decimal("0.0001"), (name, instance_type)


def test_without_credentials_refresh_says_how_to_get_some(
    api: PriceApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    error = prices("refresh", "--region", REGION).exception
    assert isinstance(error, GreenroomError)
    assert error.code == "E_AWS_CREDENTIALS"
    assert api.asked == []


def test_the_shipped_table_prices_the_photos_example_wholly() -> None:
    path = Path(__file__).resolve().parents[2] / "examples" / "photos" / "greenroom.yaml"
    wanted = CreateRequest(blueprint=path, machines=(), branch="feature_x", restore=(), mounts=())
    ask = CloudAsk(agent_sha256="ab" * 32, owner="ann", now=datetime.now(UTC), taken={})
    cost = costs_of(plan_cloud(load_blueprint(path), wanted, ask), shipped_table())
    assert (cost.per_day() + cost.once()).unknown == ()
    assert Decimal(1) < cost.per_day().usd < Decimal(3)

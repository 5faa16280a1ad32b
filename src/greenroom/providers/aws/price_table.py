"""The files that prices are kept in: the table that ships with the package, and the user's own.

Of each region the newer prices count. A file of the user's that cannot be read is an error and
not an empty table, because a price that is missing in silence would look like one that nobody has.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from greenroom.errors import HostError
from greenroom.model.costs import PriceTable, RegionPrices

SHIPPED = "prices.json"

_Usd = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Region(_Strict):
    as_of: date
    source: str
    instances: dict[str, _Usd]
    volumes: dict[str, _Usd]
    initialization_gib_usd: _Usd | None = None


class Everywhere(_Strict):
    """Prices that are the same in all regions, with where they are from."""

    as_of: date
    source: str
    public_ipv4_hour_usd: _Usd
    hosted_zone_month_usd: _Usd


class _File(_Strict):
    format: Literal[1]
    note: str = ""
    everywhere: Everywhere | None = None
    regions: dict[str, _Region]


def shipped_table() -> PriceTable:
    """The table in the package."""
    return _table(_shipped())


def shipped_everywhere() -> Everywhere | None:
    """Of the table in the package, the prices that are the same in all regions."""
    return _shipped().everywhere


def _shipped() -> _File:
    text = resources.files(__package__).joinpath(SHIPPED).read_text(encoding="utf-8")
    return _File.model_validate_json(text)


def own_path(environment: Mapping[str, str]) -> Path:
    """Where the user's own table is: below ``XDG_DATA_HOME`` (XDG Base Directory Specification,
    which has relative paths ignored)."""
    named = Path(environment.get("XDG_DATA_HOME", ""))
    home = named if named.is_absolute() else Path.home() / ".local" / "share"
    return home / "greenroom" / "aws-prices.json"


def own_table(path: Path) -> PriceTable | None:
    """The user's own table, None if there is none. Raises HostError if it cannot be read."""
    try:
        return _table(_File.model_validate_json(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise HostError(
            "E_PRICES_FILE",
            f"the price table {path} cannot be read: {first}",
            hint=f"remove it (rm {path}) and fetch it anew: greenroom prices refresh",
        ) from error


def known_prices(environment: Mapping[str, str]) -> PriceTable:
    """All that is known: of each region the newer of shipped and own. Raises HostError."""
    shipped = shipped_table()
    own = own_table(own_path(environment))
    return shipped if own is None else merged(shipped, own)


def merged(shipped: PriceTable, own: PriceTable) -> PriceTable:
    """Of each region the newer prices; on the same day the user's own."""
    regions = dict(shipped.regions)
    for name, prices in own.regions.items():
        if name not in regions or prices.as_of >= regions[name].as_of:
            regions[name] = prices
    return PriceTable(
        regions=dict(sorted(regions.items())),
        public_ipv4_hour_usd=shipped.public_ipv4_hour_usd,
        hosted_zone_month_usd=shipped.hosted_zone_month_usd,
    )


def write_own(path: Path, regions: Mapping[str, RegionPrices]) -> None:
    """Replace the user's table, whole or not at all. Raises HostError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, table_json(regions))
    except OSError as error:
        raise HostError(
            "E_PRICES_FILE",
            f"the price table {path} cannot be written: {error.strerror}",
            hint="XDG_DATA_HOME names the folder that it is kept in",
        ) from error


def table_json(
    regions: Mapping[str, RegionPrices], *, note: str = "", everywhere: Everywhere | None = None
) -> str:
    """A file's text; prices are text, so that they stay exact."""
    file = _File(
        format=1,
        note=note,
        everywhere=everywhere,
        regions={
            name: _Region(
                as_of=prices.as_of,
                source=prices.source,
                instances=dict(prices.instances),
                volumes=dict(prices.volumes),
                initialization_gib_usd=prices.initialization_gib_usd,
            )
            for name, prices in sorted(regions.items())
        },
    )
    document = file.model_dump(mode="json", exclude_none=True)
    return json.dumps(document, indent=1) + "\n"


def _replace(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise


def _table(file: _File) -> PriceTable:
    everywhere = file.everywhere
    return PriceTable(
        regions={
            name: RegionPrices(
                as_of=region.as_of,
                source=region.source,
                instances=region.instances,
                volumes=region.volumes,
                initialization_gib_usd=region.initialization_gib_usd,
            )
            for name, region in file.regions.items()
        },
        public_ipv4_hour_usd=everywhere.public_ipv4_hour_usd if everywhere else None,
        hosted_zone_month_usd=everywhere.hosted_zone_month_usd if everywhere else None,
    )

"""The demo's tenants, their sites and what stands where. Only data; network.py makes devices and links of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Place:
    """A site. `utc_offset_s` is its standard time, by which its people work; `devices` are (name's end, hardware)."""

    name: str
    title: str
    latitude: float
    longitude: float
    time_zone: str
    utc_offset_s: int
    devices: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Organisation:
    """A tenant of the demo. `backbone` are links between cores with their speed in Gbit/s."""

    name: str
    title: str
    places: tuple[Place, ...]
    backbone: tuple[tuple[str, str, int], ...]
    carriers: tuple[tuple[str, str], ...]


def _rows(kind: str, *models: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"{kind}-{number:02d}", model) for number, model in enumerate(models, start=1))


ACME: Final = Organisation(
    "acme",
    "Acme Networks",
    (
        Place("fra1", "Frankfurt, Hanauer Landstrasse", 50.119, 8.735, "Europe/Berlin", 3600, (
            *_rows("core", "mx304", "mx304"),
            *_rows("agg", "dcs7050", "dcs7050"),
            *_rows("acc", "ex3400", "c9200l", "n3548", "n3548", "ex3400", "c9200l", "j9279a"),
            *_rows("fw", "pa3410", "pa3410"),
        )),
        Place("ams2", "Amsterdam, Science Park", 52.356, 4.951, "Europe/Amsterdam", 3600, (
            *_rows("core", "mx304", "ncs55a1"),
            *_rows("agg", "dcs7050", "dcs7050"),
            *_rows("acc", "ex3400", "n3548", "c9200l", "ex2300c"),
            *_rows("fw", "fg200f"),
        )),
        Place("lon1", "London, Slough", 51.523, -0.631, "Europe/London", 0, (
            *_rows("core", "ncs55a1", "mx304"),
            *_rows("agg", "qfx5110", "qfx5110"),
            *_rows("acc", "n3548", "c9200l", "ex3400", "c9200l", "ex2300c", "j9279a"),
            *_rows("fw", "pa3410"),
        )),
        Place("par3", "Paris, Saint-Denis", 48.936, 2.358, "Europe/Paris", 3600, (
            *_rows("core", "ncs55a1"),
            *_rows("agg", "dcs7050", "dcs7050"),
            *_rows("acc", "c9200l", "ex3400", "ex3400", "j9279a"),
            *_rows("fw", "fg200f"),
        )),
        Place("nyc1", "New York, Hudson Street", 40.718, -74.008, "America/New_York", -18000, (
            *_rows("core", "mx304"),
            *_rows("agg", "qfx5110", "qfx5110"),
            *_rows("acc", "n3548", "c9200l", "ex3400", "ex2300c"),
            *_rows("fw", "pa3410"),
        )),
    ),
    (
        ("fra1-core-01", "fra1-core-02", 100),
        ("ams2-core-01", "ams2-core-02", 100),
        ("lon1-core-01", "lon1-core-02", 100),
        ("fra1-core-01", "ams2-core-01", 100),
        ("fra1-core-02", "ams2-core-02", 100),
        ("ams2-core-01", "lon1-core-01", 100),
        ("lon1-core-02", "par3-core-01", 100),
        ("par3-core-01", "fra1-core-02", 100),
        ("lon1-core-01", "nyc1-core-01", 100),
        ("par3-core-01", "nyc1-core-01", 100),
    ),
    (("Northway", "AS64500"), ("Translatica", "AS64502"), ("Meridian IX", "AS64510"), ("Open Exchange", "AS64511")),
)  # fmt: skip

GLOBEX: Final = Organisation(
    "globex",
    "Globex Retail",
    (
        Place("dub1", "Dublin, Citywest", 53.289, -6.422, "Europe/Dublin", 0, (
            *_rows("core", "ncs55a1"),
            *_rows("agg", "dcs7050"),
            *_rows("acc", "c9200l", "ex3400", "ex2300c"),
            *_rows("fw", "fg200f"),
        )),
        Place("zrh1", "Zurich, Glattbrugg", 47.431, 8.559, "Europe/Zurich", 3600, (
            *_rows("core", "mx304"),
            *_rows("acc", "ex3400", "c9200l"),
            *_rows("fw", "srx320"),
        )),
    ),
    (("dub1-core-01", "zrh1-core-01", 100), ("dub1-core-01", "zrh1-core-01", 100)),
    (("Northway", "AS64500"), ("Celtic IX", "AS64520")),
)  # fmt: skip

ORGANISATIONS: Final = (ACME, GLOBEX)

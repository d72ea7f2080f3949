"""`capacity`: when links are full, from a file of daily figures, without a database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import click
import msgspec
import numpy as np

from app.domain.forecast.capacity import Outlook, missing_days, outlooks
from app.errors import InvalidInput


class Link(msgspec.Struct):
    """One link: what it was used on each day, % of its capacity, the newest last; null = no figure."""

    id: str
    daily_p95: list[float | None]


class Case(msgspec.Struct):
    """The file."""

    links: list[Link]
    threshold: Annotated[float, msgspec.Meta(gt=0)] = 90.0


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where the answer goes; standard output.")
def capacity(file: Path, out: Path | None) -> None:
    """When the links of a JSON FILE reach their threshold: chances within 30, 90, 180 days and quantiles of the day."""
    try:
        case = msgspec.json.decode(file.read_bytes(), type=Case)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput("file", str(error)) from None
    answer = msgspec.json.format(msgspec.json.encode(_answers(case)), indent=1)
    if out is None:
        click.echo(answer.decode())
    else:
        out.write_bytes(answer + b"\n")


def _answers(case: Case) -> dict[str, dict[str, float | None]]:
    """The answer to each link. Links of equally many days are asked together."""
    answers: dict[str, dict[str, float | None]] = {}
    by_days: dict[int, list[Link]] = {}
    for link in case.links:
        by_days.setdefault(len(link.daily_p95), []).append(link)
    for links in by_days.values():
        daily = np.array([link.daily_p95 for link in links], dtype=float)
        for link, row in zip(links, daily, strict=True):
            if missing := missing_days(row):
                raise InvalidInput(f"daily_p95 of {link.id}", f"{missing} more days with a figure are needed")
        answers |= _asked(links, outlooks(daily, case.threshold))
    return {link.id: answers[link.id] for link in case.links}


def _asked(links: Sequence[Link], found: Sequence[Outlook]) -> dict[str, dict[str, float | None]]:
    names = ("p30", "p90", "p180", "d10", "d90", "d025", "d975")
    return {
        link.id: {name: getattr(outlook, name) for name in names} for link, outlook in zip(links, found, strict=True)
    }

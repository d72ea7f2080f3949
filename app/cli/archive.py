"""`archive`: raw samples in the object store: list, make, bring back, ask."""

from __future__ import annotations

import csv
import re
import sys
from datetime import UTC, datetime, timedelta

import click
import numpy as np

from app.actions import storage as actions
from app.auth.operator import operator_of
from app.domain.samples import is_absent
from app.errors import InvalidInput
from app.promql.format import format_labels, format_value
from app.queries import storage as queries
from app.runtime.process import open_process
from app.settings import Settings

TENANT = click.option("--tenant", "-t", "tenant_name", required=True, help="Name of the tenant.")
FROM = click.option("--from", "start", metavar="TIME", help="A day such as 2026-01-31, or a time of RFC 3339.")
TO = click.option("--to", "end", metavar="TIME", help="The same; what begins then is not included.")
SPAN = re.compile(r"(\d+)(ms|s|m|h|d)")
UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


@click.group()
def archive() -> None:
    """Raw samples in the object store: list them, make them, bring them back, ask them."""


@archive.command("list")
@TENANT
@FROM
@TO
def list_archives(tenant_name: str, start: str | None, end: str | None) -> None:
    """List the archives of a tenant, the newest first: hours, series, samples, bytes, state, path."""
    _open()
    first, last = _moment("--from", start) or queries.EVER, _moment("--to", end) or queries.FAR
    for each in queries.archives(operator_of(tenant_name), start=first, end=last, limit=1_000_000):
        state = f"restored until {each.restored_until:%Y-%m-%d}" if each.restored_until else "archived"
        click.echo(f"{each.bucket:%Y-%m-%dT%H:%MZ}\t{each.series}\t{each.samples}\t{each.bytes}\t{state}\t{each.path}")


@archive.command("run")
@TENANT
def run_now(tenant_name: str) -> None:
    """Apply the terms of a tenant now: archive what is past the term of raw samples, and delete it."""
    _open()
    done = actions.run_retention(operator_of(tenant_name))
    click.echo(f"{done.archived} archived, {done.deleted} rows of other tiers deleted")


@archive.command("restore")
@TENANT
@click.option("--from", "start", metavar="TIME", required=True, help="A day such as 2026-01-31, or a time of RFC 3339.")
@click.option("--to", "end", metavar="TIME", required=True, help="The same; what begins then is not included.")
@click.option("--days", default=actions.RESTORED_DAYS, show_default=True, help="How long they stay.")
def restore(tenant_name: str, start: str, end: str, days: int) -> None:
    """Bring archived samples back among the raw ones; run again, it does only what is left to do."""
    first, last = _moment("--from", start), _moment("--to", end)
    assert first and last
    _open()
    count = actions.restore(operator_of(tenant_name), start=first, end=last, days=days)
    click.echo(f"{count} samples are back, for {days} days")


@archive.command("query")
@TENANT
@click.option("--from", "start", metavar="TIME", required=True, help="The first step: a day, or a time of RFC 3339.")
@click.option("--to", "end", metavar="TIME", required=True, help="The last step.")
@click.option("--step", default="5m", show_default=True, help="Between two steps: 30s, 5m, 1h, 1d.")
@click.argument("expr")
def query(tenant_name: str, start: str, end: str, step: str, expr: str) -> None:
    """Ask the archive in PromQL; prints CSV: time, value, series.

    Only the archive is read, and nothing is brought back: archive query -t acme --from 2026-01-05 --to 2026-01-06
    'rate(ifHCInOctets{device="core-1"}[5m])'
    """
    first, last, span = _moment("--from", start), _moment("--to", end), SPAN.fullmatch(step)
    assert first and last
    if span is None:
        raise InvalidInput("--step", "must be a number and a unit, such as 30s, 5m, 1h or 1d")
    _open()
    each = timedelta(milliseconds=int(span[1]) * UNITS_MS[span[2]])
    found = queries.archived_range(operator_of(tenant_name), expr, start=first, end=last, step=each)
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["time", "value", "series"])
    times = [datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds") for ms in found.ts_ms.tolist()]
    for labels, values in zip(found.labels, found.values, strict=True):
        name = format_labels(labels)
        for place in np.flatnonzero(~is_absent(values)).tolist():
            out.writerow([times[place], format_value(float(values[place])), name])


def _open() -> None:
    open_process(Settings.from_env(), "worker", pool_size=1)


def _moment(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(option, f"{text!r} is not a day such as 2026-01-31 or a time of RFC 3339") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

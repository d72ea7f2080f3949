"""`stream`: the shards between ingest and the store."""

from __future__ import annotations

import click

from app.runtime.process import close_process, open_process
from app.settings import Settings
from app.tsdb.layout import FEWEST_SHARDS, MOST_SHARDS, load_shards, save_shards
from ingest import shards


@click.group()
def stream() -> None:
    """Look at the stream of accepted samples, and change its shards."""


@stream.command("shards")
@click.argument("count", required=False, type=click.IntRange(FEWEST_SHARDS, MOST_SHARDS))
def set_shards(count: int | None) -> None:
    """Show how many shards there are and what waits in them; with COUNT, change their number while all runs.

    One shard is stored by one worker at a time: have at least as many shards as workers of the queue `ingest`.
    Nothing is lost by a change: shards that are left over are drained to their end.
    """
    open_process(Settings.from_env(), "worker", pool_size=1)
    before = load_shards()
    if count is not None:
        save_shards(count)
        shards.lay_out(count)
        click.echo(f"stream: {count} shards (were {before})")
    else:
        click.echo(f"stream: {before} shards")
    used = shards.count()
    for shard, entries in shards.waiting().items():
        state = "in use" if shard < used else "draining" if entries else "retired"
        click.echo(f"{shard}\t{state}\t{entries} waiting")
    close_process()

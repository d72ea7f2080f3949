"""Admin: what senders sent that was not taken, by agent and reason, and the dead letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Final

import numpy as np
from dash import Dash, dcc, html
from dash.development.base_component import Component

from app.actions import dead_letters as actions
from app.auth.current import current_viewer
from app.auth.permissions import guarded, require
from app.clock import utc_now
from app.domain.tenancy import ADMIN, READ, Viewer, may
from app.domain.timerange import Window
from app.errors import InvalidInput
from app.figures.theme import series_colour
from app.figures.timeseries import Line, lines
from app.queries import ingest
from app.queries.ingest import RefusedTotal, Rejected, RejectedFilter, Usage
from app.tsdb.dead_letters import DeadLetter
from app.ui.components.admin import action, confirm, group_heading, row_actions
from app.ui.components.chart import chart
from app.ui.components.states import nothing
from app.ui.components.table import Column, table
from app.ui.zone import current_view
from callbacks.admin import Command, Reply, bind, done, opened

NOUN: Final = "ingest"
SINCE: Final = timedelta(hours=24)
BUCKET: Final = timedelta(minutes=5)
PAGE: Final = 50
MOST_SHOWN: Final = 20
# The word of a reason, for people.
WORDS: Final[Mapping[str, str]] = {
    "too_old": "Too old",
    "too_new": "In the future",
    "labels": "Labels",
    "series_limit": "Series limit",
    "new_series": "New series a minute",
    "over_rate": "Over its rate",
    "too_large": "Body too large",
    "unsupported": "Not supported",
    "unreadable": "Not readable",
    "malformed": "Malformed",
}
TOTALS: Final = [
    Column("Agent"),
    Column("Protocol"),
    Column("Reason"),
    Column("Samples", "num"),
    Column("Requests", "num"),
    Column("Last", "mono"),
]
NEWEST: Final = [
    Column("When", "mono"),
    Column("Agent"),
    Column("Protocol"),
    Column("Reason"),
    Column("Samples", "num"),
    Column("Item", "num"),
    Column("Request", "mono"),
]
LETTERS: Final = [
    Column("When", "mono"),
    Column("Protocol"),
    Column("Samples", "num"),
    Column("Why it could not be stored"),
    Column(""),
]


@guarded(READ, "ingest")
def show(search: str, _version: int, _refresh: int) -> Component:
    """Budgets, refusals of a day by agent and reason, their course, the newest, and the dead letters."""
    view = current_view(search)
    viewer, now = current_viewer(), utc_now()
    agent, before = view.query.get("agent"), view.query.get("before")
    totals = ingest.totals(viewer, since=now - SINCE)
    wanted = RejectedFilter(agent=agent)
    newest = ingest.rejected(viewer, wanted, before=int(before) if before.isdigit() else None, limit=PAGE + 1)
    dead = ingest.dead_letters(viewer)
    parts = [_usage(ingest.usage(viewer))]
    if dead:
        parts += [
            group_heading(f"Dead letters: {len(dead):,}", *_all_buttons(viewer, dead)),
            _letters(viewer, dead, view.zone),
        ]
    if totals or newest:
        older = f"/admin/ingest{view.query.with_({'before': str(newest[PAGE - 1].id)})}" if len(newest) > PAGE else ""
        parts += [
            group_heading("Refused in the last 24 hours"),
            chart("ingest-course", _course(viewer, now, view.zone), label="Samples refused by reason", height=180),
            _totals(totals, view.zone),
            group_heading("Newest", *_filter(agent)),
            _newest(newest[:PAGE], view.zone),
            *([html.Div(dcc.Link("Older", href=older, className="btn"), className="row admin-older")] if older else []),
        ]
    else:
        parts.append(nothing("Nothing was refused", "Everything that senders sent was taken.", icon_name="inbox"))
    return html.Div(parts, className="scroll")


@guarded(READ, "ingest")
def run(command: Command) -> Reply:
    """Replay or discard dead letters; what that needs beyond reading is asked for here."""
    viewer = current_viewer()
    require(viewer, ADMIN, "ingest")
    match command.verb:
        case "replay":
            actions.replay(viewer, [command.id])
            return done("It is on its way through the stream again.")
        case "replay-all":
            count = actions.replay(
                viewer, [letter.id for letter in ingest.dead_letters(viewer)][: actions.MOST_AT_ONCE]
            )
            return done(f"{count} are on their way through the stream again.")
        case "ask-discard":
            text = "Its samples are lost for good."
            return opened("Discard dead letter", confirm(NOUN, "discard", text, submit="Discard", id=command.id))
        case "discard":
            actions.discard(viewer, [command.id])
            return done("It is gone.")
    raise InvalidInput("verb", f"{command.verb!r} is not something that can be done here")


def register(dash_app: Dash) -> None:
    """Bind the section."""
    bind(dash_app, NOUN, show=show, run=run)


def _usage(usage: Usage) -> Component:
    facts = (
        ("Active series", f"{usage.series:,} of {usage.active_series:,}"),
        ("Samples per second", f"at most {usage.samples_per_s:,}"),
        ("New series a minute", f"at most {usage.new_series_per_min:,}"),
    )
    return html.Dl([part for name, value in facts for part in (html.Dt(name), html.Dd(value))], className="facts")


def _all_buttons(viewer: Viewer, dead: Sequence[DeadLetter]) -> list[Component]:
    if len(dead) < 2 or not may(viewer, ADMIN, "ingest"):
        return []
    return [action(NOUN, "replay-all", "Replay all")]


def _letters(viewer: Viewer, dead: Sequence[DeadLetter], zone: tzinfo) -> Component:
    may_act = may(viewer, ADMIN, "ingest")
    rows = []
    for letter in dead[:MOST_SHOWN]:
        buttons = [
            action(NOUN, "replay", "Replay", id=letter.id, label=f"Replay dead letter {letter.id}"),
            action(NOUN, "ask-discard", "Discard", id=letter.id, kind="danger", label=f"Discard {letter.id}"),
        ]
        reason = html.Div(letter.reason, className="admin-change", title=letter.reason)
        rows.append(
            (
                _when(letter.at, zone),
                letter.source,
                f"{letter.samples:,}",
                reason,
                row_actions(*(buttons if may_act else [])),
            )
        )
    return table(LETTERS, rows, label="Dead letters")


def _totals(totals: Sequence[RefusedTotal], zone: tzinfo) -> Component:
    rows = [
        (
            dcc.Link(each.agent or "none", href=f"/admin/ingest?agent={each.agent}") if each.agent else "",
            each.source,
            WORDS.get(each.word, each.word),
            f"{each.samples:,}",
            f"{each.requests:,}",
            _when(each.last_at, zone),
        )
        for each in totals[:MOST_SHOWN]
    ]
    return table(TOTALS, rows, label="Refused by agent and reason")


def _filter(agent: str) -> list[Component]:
    if not agent:
        return []
    return [html.Span(f"of {agent}", className="t2"), dcc.Link("all agents", href="/admin/ingest")]


def _newest(newest: Sequence[Rejected], zone: tzinfo) -> Component:
    rows = [
        (
            _when(each.at, zone),
            each.agent,
            each.source,
            html.Div(each.reason, className="admin-change", title=each.reason),
            f"{each.count:,}" if each.count else "",
            "all" if each.position < 0 else f"{each.position:,}",
            each.request_id[:12],
        )
        for each in newest
    ]
    return table(NEWEST, rows, label="Newest refusals")


def _course(viewer: Viewer, now: datetime, zone: tzinfo) -> object:
    """Samples refused in every five minutes, one line for each reason."""
    end_ms = int(now.timestamp() * 1000)
    step_ms = BUCKET // timedelta(milliseconds=1)
    start_ms = end_ms - SINCE // timedelta(milliseconds=1)
    first_ms = start_ms - start_ms % step_ms
    ts_ms = np.arange(first_ms, end_ms, step_ms, dtype=np.int64)
    series = []
    for place, (word, buckets) in enumerate(ingest.course(viewer, since=now - SINCE).items()):
        values = np.zeros(len(ts_ms))
        for bucket, samples in buckets.items():
            index = (int(bucket.timestamp() * 1000) - first_ms) // step_ms
            if 0 <= index < len(values):
                values[index] = samples
        series.append(Line(WORDS.get(word, word), ts_ms, values, colour=series_colour(place)))
    return lines(series, window=Window(start_ms, end_ms), zone=zone, legend=True)


def _when(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%d %b %H:%M:%S}"

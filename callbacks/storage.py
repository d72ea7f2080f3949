"""Admin: how long each resolution is kept, what shorter terms would take, and the archive."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Final

from dash import Dash, dcc, html
from dash.development.base_component import Component

from app.actions import storage as actions
from app.auth.current import current_viewer
from app.auth.permissions import guarded, require
from app.domain.retention import TIERS, Going, Held
from app.domain.tenancy import ADMIN, READ, Viewer, may
from app.domain.units import format_value
from app.errors import InvalidInput
from app.queries import storage as queries
from app.tsdb.archive import LENGTH, Archive, ArchiveTotal
from app.ui.components.admin import action, field, form, group_heading, pair, row_actions
from app.ui.components.attributes import attrs
from app.ui.components.marks import bar, tag
from app.ui.components.states import nothing
from app.ui.components.table import Column, table
from app.ui.zone import current_view
from callbacks.admin import Command, Reply, bind, done, opened

NOUN: Final = "storage"
PAGE: Final = 20
# Tier -> its name for people, and what it is for.
WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "raw": ("Raw", "Every sample, as it came"),
    "5m": ("5 minutes", "Least, greatest, sum and number of each 5 minutes"),
    "1h": ("1 hour", "The same of each hour: months at a glance"),
    "1d": ("1 day", "The same of each day: years at a glance"),
    "archive": ("Archive", "Raw samples past their term, as Parquet in the object store"),
}
HELD: Final = [
    Column("Resolution"),
    Column("Kept for", "num"),
    Column("Holds", "num"),
    Column("Size", "num"),
    Column("", width="110px"),
    Column("From", "mono"),
    Column("To", "mono"),
]
GOING: Final = [
    Column("Resolution"),
    Column("Rows", "num"),
    Column("Holds", "num"),
    Column("Size", "num"),
    Column("From, to", "mono"),
]
ARCHIVES: Final = [
    Column("Six hours from", "mono"),
    Column("Series", "num"),
    Column("Samples", "num"),
    Column("Size", "num"),
    Column("State"),
    Column(""),
]


@guarded(READ, "storage")
def show(search: str, _version: int, _refresh: int) -> Component:
    """Terms with what is held of each resolution, and a page of the archive."""
    view = current_view(search)
    viewer = current_viewer()
    found = queries.storage(viewer)
    before = _moment(view.query.get("before"))
    listed = queries.archives(viewer, after=before, limit=PAGE + 1)
    older = ""
    if len(listed) > PAGE:
        older = f"/admin/storage{view.query.with_({'before': listed[PAGE - 1].bucket.isoformat()})}"
    change = [action(NOUN, "edit", "Change terms", kind="primary")] if may(viewer, ADMIN, NOUN) else []
    parts = [
        group_heading("How long samples are kept", *change, class_name="storage-group"),
        _held(found.held, found.days, view.zone),
        html.P(
            "Charts take the finest resolution that still covers their range. A term is counted from now; what is past"
            " it goes within the hour. Raw samples go only when a copy in the archive was read back.",
            className="storage-about t2",
        ),
        group_heading(
            "Archive", html.Span(_total(queries.archive_total(viewer)), className="t2"), class_name="storage-group"
        ),
        _archives(viewer, listed[:PAGE], view.zone),
        *([html.Div(dcc.Link("Older", href=older, className="btn"), className="row admin-older")] if older else []),
    ]
    return html.Div(parts, className="scroll")


@guarded(READ, "storage")
def run(command: Command) -> Reply:
    """Change terms by way of their preview, or bring archives back; what that needs is asked for here."""
    viewer = current_viewer()
    require(viewer, ADMIN, "storage")
    match command.verb:
        case "edit":
            return opened("How long samples are kept", _edit_form(queries.terms(viewer).days()))
        case "preview":
            change = queries.preview(viewer, _days(command))
            return opened("What goes by these terms", _preview(queries.terms(viewer).days(), change))
        case "save":
            actions.change_terms(viewer, _days_of(command.id))
            return done("The terms are saved. What is past them goes within the hour.")
        case "ask-restore":
            return opened("Bring back from the archive", _restore_form(command.id))
        case "restore":
            start = _moment(command.id)
            if start is None:
                raise InvalidInput("archive", "is none that can be brought back")
            days = _number(command, "days", "Days")
            actions.ask_restore(viewer, start=start, end=start + timedelta(minutes=1), days=days)
            return done("A worker brings the samples back. They can be asked in some seconds.")
    raise InvalidInput("verb", f"{command.verb!r} is not something that can be done here")


def register(dash_app: Dash) -> None:
    """Bind the section."""
    bind(dash_app, NOUN, show=show, run=run)


def _held(held: Sequence[Held], days: Mapping[str, int], zone: tzinfo) -> Component:
    most = max((each.bytes for each in held), default=0)
    rows = [
        (
            _tier(each.tier),
            _term(days[each.tier]),
            _count(each) if each.rows else "–",
            format_value(each.bytes, "bytes") if each.rows else "–",
            bar(each.bytes / most) if most else "",
            _day(each.first, zone),
            _day(each.last, zone),
        )
        for each in held
    ]
    return table(HELD, rows, label="Stored by resolution")


def _tier(name: str) -> Component:
    title, about = WORDS[name]
    return html.Div([html.B(title), html.Div(about, className="t3")], className="storage-tier")


def _edit_form(days: Mapping[str, int]) -> Component:
    fields = {
        name: field(f"days-{name}", f"{WORDS[name][0]} (days)", days[name], about=WORDS[name][1], required=True)
        for name in TIERS
    }
    return form(
        NOUN,
        "preview",
        [
            pair(fields["raw"], fields["5m"]),
            pair(fields["1h"], fields["1d"]),
            pair(
                fields["archive"], html.P("0: no archive, raw samples go without a copy.", className="t2 storage-hint")
            ),
        ],
        submit="Preview",
    )


def _preview(before: Mapping[str, int], change: queries.Change) -> Component:
    zone = current_view("").zone
    changed = {name: value for name, value in change.days.items() if value != before[name]}
    if not changed:
        return form(NOUN, "edit", [html.P("These are the terms as they are. Nothing changes.")], submit="Back")
    told = html.Ul(
        [
            html.Li([html.B(WORDS[name][0]), f": {_term(before[name])} → {_term(value)}"])
            for name, value in changed.items()
        ],
        className="storage-changes",
    )
    going = [each for each in change.going if each.rows]
    kept = change.days["archive"] > 0
    if going:
        rows = [
            (
                WORDS[each.tier][0],
                f"{each.rows:,}",
                _count(each),
                format_value(each.bytes, "bytes"),
                _span(each, zone),
            )
            for each in going
        ]
        about = table(GOING, rows, label="What goes")
        hint = "Raw samples are archived first." if kept else "There is no archive: raw samples are lost for good."
        if any(each.tier != "raw" for each in going):
            hint += " The other resolutions do not come back."
    else:
        about, hint = html.P("Nothing that is stored now is past these terms.", className="t2"), ""
    note = [html.P(hint, className="admin-note")] if hint else []
    parts = [told, html.Div(about, **attrs({"data-testid": "going"})), *note]
    return form(NOUN, "save", parts, submit="Save terms", id=json.dumps(changed), danger=bool(going))


def _archives(viewer: Viewer, listed: Sequence[Archive], zone: tzinfo) -> Component:
    if not listed:
        return nothing("Nothing is archived yet", "Raw samples come here when they are past their term.")
    may_restore = may(viewer, ADMIN, NOUN)
    rows = []
    for each in listed:
        name = each.bucket.isoformat()
        button = action(NOUN, "ask-restore", "Restore", id=name, label=f"Restore {_hours(each.bucket, zone)}")
        rows.append(
            (
                html.Span(_hours(each.bucket, zone), title=each.path),
                f"{each.series:,}",
                f"{each.samples:,}",
                format_value(each.bytes, "bytes"),
                _state(each, zone),
                row_actions(*([button] if may_restore else [])),
            )
        )
    return table(ARCHIVES, rows, label="Archives")


def _state(archive: Archive, zone: tzinfo) -> Component:
    if archive.restored_until is None:
        return html.Span("archived", className="t2")
    if archive.restored_at is None:
        return tag("coming back")
    return tag(f"back until {_day(archive.restored_until, zone)}")


def _restore_form(bucket: str) -> Component:
    moment = _moment(bucket)
    if moment is None:
        raise InvalidInput("archive", "is none that can be brought back")
    text = f"The raw samples of {moment:%d %b %Y %H:%M} to {moment + LENGTH:%H:%M} UTC come back for some days."
    about = "Then retention takes them again; the archive stays"
    fields = [html.P(text), field("days", "Days", actions.RESTORED_DAYS, about=about, required=True)]
    return form(NOUN, "restore", fields, submit="Restore", id=bucket)


def _total(total: ArchiveTotal) -> str:
    if not total.objects:
        return ""
    samples = format_value(total.samples, "count")
    return f"{total.objects:,} objects, {samples} samples, {format_value(total.bytes, 'bytes')}"


def _days(command: Command) -> dict[str, int]:
    return {name: _number(command, f"days-{name}", WORDS[name][0]) for name in TIERS}


def _number(command: Command, name: str, words: str) -> int:
    text = command.text(name)
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise InvalidInput(words, "is not a whole number of days")
    return int(text)


def _days_of(text: str) -> dict[str, int]:
    """The terms that a preview carried; they are checked again when they are saved."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, int) for value in found.values()):
        raise InvalidInput("terms", "cannot be read; open them once more")
    return found


def _count(each: Going) -> str:
    count = format_value(each.samples, "count") if each.samples >= 100_000 else f"{each.samples:,}"
    return f"{count} {'samples' if each.tier in ('raw', 'archive') else 'cells'}"


def _term(days: int) -> str:
    if not days:
        return "not at all"
    return f"{days // 365} y" if days >= 730 and days % 365 == 0 else f"{days:,} d"


def _day(at: datetime | None, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%d %b %Y}" if at else "–"


def _span(each: Going, zone: tzinfo) -> str:
    if each.first is None or each.last is None:
        return "–"
    first, last = each.first.astimezone(zone), each.last.astimezone(zone)
    return f"{first:%d %b}{f' {first:%Y}' if first.year != last.year else ''} – {last:%d %b %Y}"


def _hours(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%d %b %Y %H:%M}"


def _moment(text: str) -> datetime | None:
    """A moment as the page wrote it; None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None

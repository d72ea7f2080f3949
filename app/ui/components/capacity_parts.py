"""The parts of Capacity: rows of the list, the facts of one thing, and how true sayings were. Each number says what
it is when one points at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from dash import html
from dash.development.base_component import Component

from app.domain.forecast.capacity import HORIZON_DAYS, LEAST_DAYS, Outlook
from app.domain.forecast.capacity_kinds import KINDS
from app.domain.forecast.capacity_plan import Detail, Item, Reliability, Run, day_after
from app.domain.units import scale_for
from app.ui.components.attributes import attrs
from app.ui.components.marks import SEVERITY_WORDS, bar, severity_mark
from app.ui.components.table import Column, table
from app.ui.markup import markup

MISSING: Final = "–"
_PRESSING: Final = {
    "critical": "full now",
    "major": "likely full within 60 days",
    "minor": "likely full within 120 days",
    "warning": "likely full within 180 days",
    "ok": "not likely full within 180 days",
    "unknown": "too little history to say",
}


def capacity_table(items: Sequence[Item], *, ahead: int, id: str) -> Component:
    """The list, what is full first on top; assets/57-capacity.js puts it where it belongs."""
    columns = [
        Column("", width="26px"),
        Column("Thing", "mono"),
        Column("Purpose", about="What people wrote on the port, or what kind of thing it is."),
        Column("Size", "num", about="What there is of it: the speed of a link, the size of a disk or a table."),
        Column("p95 now", width="110px", about="How much of it is used: 95 of 100 hours of a day used less."),
        Column("", "num", about="How much of it is used: 95 of 100 hours of a day used less."),
        Column("%/week", "num", about="How many points of its size it grows in a week, as it looks now."),
        Column("Days left", "num", about="Half of the simulated futures are full by then, at its threshold."),
        Column("Likely full", about="The date of the days left; hover over it for the range."),
        Column(f"In {ahead} d", "num", about=f"The chance that it is full within {ahead} days."),
        Column(
            "Error",
            "num",
            about="How far the level was from what a forecast of a month said, on average, in points.",
        ),
    ]
    rows = [_row(each, ahead) for each in items]
    whole = table(columns, rows, label="Things by time to threshold", ids=[str(each.id) for each in items], id=id)
    # Two thousand cells: as components each of them costs at every change of the page. The browser fills them in.
    return html.Div(id=f"{id}-box", className="capacity-rows", **attrs({"data-html": markup(whole)}))


def kind_chips(counts: Mapping[str, int], chosen: str) -> list[Component]:
    """A chip for everything and one for each kind that there is."""
    total = sum(counts.values())
    pairs = [("", "All", total), *((name, kind.many.capitalize(), counts.get(name, 0)) for name, kind in KINDS.items())]
    return [
        html.Button(
            [html.Span(words, className="name"), html.Span(f"{count:,}", className="value")],
            className="chip",
            type="button",
            **attrs({"data-action": "capacity-kind", "data-kind": name, "aria-pressed": str(name == chosen).lower()}),
        )
        for name, words, count in pairs
        if count or not name or name == chosen
    ]


def facts_of(detail: Detail) -> list[Component]:
    """The chances and the growth of what is shown, small, at the right of its panel's head."""
    outlook = detail.outlook
    if outlook is None:
        return []
    chances = [
        _fact(f"{days} d", percent(outlook.chance_within(days)), f"The chance that it is full within {days} days.")
        for days in (30, 90, 180)
    ]
    growth = _signed(outlook.per_week * detail.growth)
    about = "How many points of its size it grows in a week, as it looks now."
    return [*chances, _fact("growth", f"{growth} %/week", about)]


def reliability_facts(found: Reliability) -> Component:
    """The scores under the diagram."""
    facts = [
        _fact(
            "forecasts",
            f"{found.count:,}",
            f"So many forecasts can be judged by now; {found.backtests:,} of them were made afterwards, each from"
            " nothing but the days before its own.",
        ),
        _fact(
            "Brier",
            _score(found.brier),
            "The mean squared error of the chances that were said: 0 is perfect, lower is better.",
        ),
        _fact(
            "guessing",
            _score(found.base_brier),
            "The same for always saying how often it happens at all: a forecast that knows something is below it.",
        ),
        _fact(
            "range held",
            f"{percent(found.held80)} of {found.held_of:,}" if found.held80 is not None else MISSING,
            "In how many cases the day came within the range of dates that was said to hold in 8 of 10.",
        ),
    ]
    return html.Div(facts, className="capacity-facts")


def reliability_scope(found: Reliability) -> str:
    """How far ahead, and whether it was said on the day."""
    words = f"{found.horizon} days ahead"
    return f"{words}, backtested" if found.backtests == found.count else words


def list_scope(shown: int, count: int, run: Run | None) -> str:
    """How many, and when they were looked at."""
    if run is None:
        return ""
    which = f"{count:,}" if shown == count else f"first {shown:,} of {count:,}"
    idle = f", {run.idle:,} idle ones left out" if run.idle else ""
    return f"{which} forecast nightly{idle}, last run {run.ran_at:%-d %b %H:%M} UTC"


def title_of(item: Item) -> str:
    """Which thing: `core-1 xe-0/0/1`."""
    return f"{item.device} {item.object}".strip()


def scope_of(item: Item) -> str:
    """What it is, behind its name."""
    parts = [item.note or KINDS[item.kind].one.capitalize(), size_of(item), "daily p95, days in UTC"]
    return ", ".join(part for part in parts if part)


def size_of(item: Item) -> str:
    """Its size, short: `100 Gb/s`; "" where it is only known as a share."""
    if item.size == 1.0:
        return ""
    scale = scale_for(item.size, item.unit)
    return f"{item.size * scale.factor:.4g} {scale.unit}".rstrip()


def callout_of(outlook: Outlook, last_day: date) -> str:
    """What stands beside the crossing: the date, its range and the days left."""
    assert outlook.d50 is not None
    first = day_after(last_day, outlook.d10 or 0)
    last = "beyond a year" if outlook.d90 is None else f"{day_after(last_day, outlook.d90):%-d %b %Y}"
    return (
        f"<b>{day_after(last_day, outlook.d50):%-d %b %Y}</b>, 80 % range<br>{first:%-d %b %Y} to {last}"
        f"<br>{round(outlook.d50)} days left at current growth"
    )


def percent(chance: float | None) -> str:
    """A chance; what rounds to none or to all and is neither says so."""
    if chance is None:
        return MISSING
    if 0 < chance < 0.01:
        return "< 1 %"
    if 0.99 < chance < 1:
        return "> 99 %"
    return f"{chance * 100:.0f} %"


def days_left(item: Item) -> str:
    """Days until the date that is likeliest."""
    if item.missing_days:
        return f"needs {item.missing_days} d"
    if item.d50 is None:
        return f"over {HORIZON_DAYS} d"
    return "now" if item.d50 <= 0 else f"{round(item.d50)} d"


def _row(item: Item, ahead: int) -> tuple[object, ...]:
    mark = html.Span(
        severity_mark(item.severity),
        title=f"{SEVERITY_WORDS[item.severity]}: {_PRESSING[item.severity]}",
        role="img",
        **attrs({"aria-label": _PRESSING[item.severity]}),
    )
    name = html.Span(title_of(item), className="cut capacity-name", title=title_of(item))
    note = item.note or KINDS[item.kind].one.capitalize()
    level = item.now
    ratio = 0.0 if level is None else level / 100
    colour = "critical" if level is not None and level >= item.threshold else ""
    return (
        mark,
        name,
        html.Span(note, className="cut capacity-note", title=note),
        size_of(item) or MISSING,
        bar(ratio, severity=colour),
        MISSING if level is None else f"{level:.0f} %",
        MISSING if item.per_week is None else _signed(item.per_week),
        html.B(days_left(item)) if item.d50 is not None else days_left(item),
        _likely(item),
        percent(_chance(item, ahead)),
        MISSING if item.error is None else f"{item.error:.1f}",
    )


def _likely(item: Item) -> Component:
    if item.missing_days:
        about = f"A forecast needs {LEAST_DAYS} days with a figure; there are {item.days}."
        return html.Span("too little history", className="t3", title=about)
    if item.d50 is None:
        first = "a year has passed" if item.d10 is None else f"{day_after(item.last_day, item.d10):%-d %b %Y}"
        about = f"No trend fills it: not before {first}, with 90 % certainty."
        return html.Span("no trend", className="t3", title=about)
    if item.d50 <= 0:
        about = f"The median of the last week is at or over {item.threshold:g} %."
        return html.Span("over threshold", className="c-critical", title=about)
    first = f"{day_after(item.last_day, item.d10 or 0):%-d %b %Y}"
    last = "beyond a year" if item.d90 is None else f"{day_after(item.last_day, item.d90):%-d %b %Y}"
    about = f"In 8 of 10 cases between {first} and {last}, at {item.threshold:g} %."
    return html.Span(f"{day_after(item.last_day, item.d50):%-d %b %Y}", title=about)


def _chance(item: Item, ahead: int) -> float | None:
    return {30: item.p30, 90: item.p90, 180: item.p180, HORIZON_DAYS: item.p365}[ahead]


def _fact(name: str, value: str, about: str) -> Component:
    return html.Span([html.Span(name, className="name"), html.Span(value, className="value")], title=about)


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _score(value: float | None) -> Any:
    return MISSING if value is None else f"{value:.3f}"

"""Admin: what was injected on purpose beside what was found and foreseen. Every figure says what it counts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any, Final

from dash import Dash, dcc, html
from dash.development.base_component import Component

from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.clock import utc_now
from app.domain.anomaly.base import Profile
from app.domain.injections import Comparison, Found, Injection, Outcome, by_kind
from app.domain.tenancy import READ
from app.errors import InvalidInput
from app.queries import proof as queries
from app.queries.proof import Foreseen, Proof
from app.ui.components.admin import group_heading
from app.ui.components.marks import tag
from app.ui.components.states import nothing
from app.ui.components.table import Column, table
from app.ui.urlstate import Query
from app.ui.zone import current_view
from callbacks.admin import Command, Reply, bind

NOUN: Final = "proof"
DAYS: Final = (1, 7, 30)
WORST: Final = 12
KINDS: Final[Mapping[str, str]] = {
    "spike": "Spike",
    "level_shift": "Level shift",
    "dropout": "Dropout",
    "day_shape": "Changed day",
    "stuck": "Stuck value",
    "link": "Link",
    "disk": "Disk",
    "memory": "Memory",
    "sessions": "Sessions",
}
RECALL: Final = "Of what was injected, the share that was found: an anomaly on that very series, in that time."
PRECISION: Final = (
    "Of the anomalies that no incident explains, the share on a series into which something was injected just then."
)
DELAY: Final = "Half of those that were found were found within this time after they began."
FALSE: Final = "Anomalies on series into which nothing was injected, while no incident was going on."
EXPLAINED: Final = "Anomalies during an incident or half an hour after it: neither hits nor false alarms."
RATE: Final = "How many false alarms one series raises in a week, on average over all that are looked at."
OPEN: Final = "Began after the point that detection has reached; not judged yet."
RULES: Final = (
    "What the rules for anomalies would tell of as they are now: their series, least score, deviation and direction."
)
BOUNDARY: Final = "The score from which this profile calls a point an anomaly, with what people's verdicts made of it."
PROFILES: Final = [
    Column("Profile"),
    Column("Boundary", "num", about=BOUNDARY),
    Column("Found", "num", about="How many of the injected oddities were found."),
    Column("Recall", "num", about=RECALL),
    Column("False alarms", "num", about=FALSE),
    Column("Explained", "num", about=EXPLAINED),
    Column("Precision", "num", about=PRECISION),
    Column("Delay", "num", about=DELAY),
]
BY_KIND: Final = [
    Column("Kind"),
    Column("Found", "num", about="How many of the injected oddities of this kind were found."),
    Column("Recall", "num", about=RECALL),
    Column("Delay", "num", about=DELAY),
]
INJECTED: Final = [
    Column("Began", "mono", about="When the demo network began to make the series odd."),
    Column("Lasted", "num", about="How long the series was odd."),
    Column("Kind"),
    Column("Series", "mono", about="The series that was made odd."),
    Column("Score", "num", about="The highest score of the anomalies that hit it; 1.0 is the boundary."),
    Column("Delay", "num", about="From its beginning to the first anomaly on its series."),
    Column("Outcome"),
]
ALARMS: Final = [
    Column("Began", "mono", about="When its first unusual point was measured."),
    Column("Series", "mono", about="The series that was found unusual though nothing was injected there."),
    Column("Score", "num", about="How unusual it was; 1.0 is the boundary."),
]
GROWTH: Final = [
    Column("Kind"),
    Column("Thing", "mono", about="What fills up: the device and what of it."),
    Column("Full at", "num", about="The use of its size that counts as full."),
    Column("Full on", "mono", about="Known: the day on which the demo network lets it be full."),
    Column("Expected from", "mono", about="With 90 % it is not full before this day, says capacity planning."),
    Column("To", "mono", about="With 90 % it is full by this day, says capacity planning."),
    Column("Outcome"),
]


@guarded(READ, "proof")
def show(search: str, _version: int, _refresh: int) -> Component:
    """The comparison of the chosen days, for the chosen profile."""
    view = current_view(search)
    days, profile = _days(view.query), _profile(view.query)
    found = queries.proof(current_viewer(), now=utc_now(), days=days)
    if found.is_empty:
        return nothing(
            "Nothing was injected here",
            "This page compares what was found with a log of what really happened. Such a log exists where somebody "
            "breaks things on purpose and tells of it, as the demo network does.",
            icon_name="shield",
        )
    its = found.by_profile[profile]
    parts = [
        html.Div([_choice(view.query, days), _profiles_choice(view.query, profile)], className="proof-bar"),
        _figures(found, its),
        _heading("By profile", "The same scores, judged more or less strictly"),
        _by_profile(found),
        _heading("By kind", "What this kind of detection sees well, and what it does not"),
        _by_kind(its),
        _heading("Growth", "Things that fill on a known day, and when capacity planning expects it"),
        _growth(found, view.zone),
        _heading("All that was injected", "Misses too, the newest first"),
        _injected(found, its, view.zone),
        _heading("Highest false alarms", "Where to look when there are too many"),
        _alarms(its, view.zone),
    ]
    return html.Div(parts, className="scroll")


@guarded(READ, "proof")
def run(command: Command) -> Reply:
    """There is nothing to be done here but to look."""
    raise InvalidInput("verb", f"{command.verb!r} is not something that can be done here")


def register(dash_app: Dash) -> None:
    """Bind the section."""
    bind(dash_app, NOUN, show=show, run=run)


def _days(query: Query) -> int:
    text = query.get("days")
    return int(text) if text in {str(days) for days in DAYS} else 7


def _profile(query: Query) -> Profile:
    try:
        return Profile(query.get("profile") or Profile.BALANCED)
    except ValueError:
        return Profile.BALANCED


def _choice(query: Query, chosen: int) -> Component:
    links = [
        dcc.Link(
            "1 day" if days == 1 else f"{days} days",
            href=f"{_path()}{query.with_({'days': str(days)})}",
            className="current" if days == chosen else "",
        )
        for days in DAYS
    ]
    return html.Nav(links, className="tabs", title="How far back to compare")


def _profiles_choice(query: Query, chosen: Profile) -> Component:
    links = [
        dcc.Link(
            profile.value.capitalize(),
            href=f"{_path()}{query.with_({'profile': profile.value})}",
            className="current" if profile is chosen else "",
        )
        for profile in Profile
    ]
    return html.Nav(links, className="tabs", title="How strictly to judge")


def _path() -> str:
    return "/admin/models/proof"


def _figures(found: Proof, its: Comparison) -> Component:
    figures = (
        ("Found", f"{its.found} of {len(its.outcomes)}", "How many of the injected oddities were found."),
        ("Recall", _percent(its.recall), RECALL),
        ("Precision", _percent(its.precision), PRECISION),
        ("Delay", _time(its.delay_s), DELAY),
        ("False alarms", f"{len(its.false_alarms):,}{'+' if found.is_cut else ''}", FALSE),
        ("Per series and week", _rate(found.weekly_rate(its)), RATE),
        ("Explained", f"{its.explained:,}", EXPLAINED),
        ("Not judged yet", f"{len(found.open)}", OPEN),
    )
    return html.Div(
        [html.Div([html.Span(name, className="t3"), html.B(value)], title=about) for name, value, about in figures],
        className="proof-figures",
    )


def _by_profile(found: Proof) -> Component:
    judged = [
        (profile.value.capitalize(), f"{found.boundaries[profile]:.2f}", its)
        for profile, its in found.by_profile.items()
    ]
    rules = html.Span("Alert rules", title=RULES)
    rows = [
        (
            name,
            boundary,
            f"{its.found} of {len(its.outcomes)}",
            _percent(its.recall),
            f"{len(its.false_alarms):,}",
            f"{its.explained:,}",
            _percent(its.precision),
            _time(its.delay_s),
        )
        for name, boundary, its in (*judged, (rules, "theirs", found.by_rules))
    ]
    return table(PROFILES, rows, label="By profile")


def _by_kind(its: Comparison) -> Component:
    if not its.outcomes:
        return html.P("Nothing of this time is judged yet.", className="t2 storage-about")
    rows = [
        (KINDS.get(kind, kind), f"{each.found} of {len(each.outcomes)}", _percent(each.recall), _time(each.delay_s))
        for kind, each in by_kind(its).items()
    ]
    return table(BY_KIND, rows, label="By kind")


def _injected(found: Proof, its: Comparison, zone: tzinfo) -> Component:
    rows = [_open_row(each, zone) for each in reversed(found.open)]
    rows += [_outcome_row(outcome, zone) for outcome in reversed(its.outcomes)]
    if not rows:
        return html.P("Nothing was injected in this time.", className="t2 storage-about")
    return table(INJECTED, rows, label="All that was injected")


def _outcome_row(outcome: Outcome, zone: tzinfo) -> tuple[Any, ...]:
    score = "–" if outcome.score is None else f"{outcome.score:.1f}"
    verdict = (
        html.Span("found", className="proof-found") if outcome.hits else html.Span("missed", className="proof-not")
    )
    return (*_what(outcome.injection, zone), score, _time(outcome.delay_s), verdict)


def _open_row(injection: Injection, zone: tzinfo) -> tuple[Any, ...]:
    return (*_what(injection, zone), "–", "–", html.Span(tag("not judged yet"), title=OPEN))


def _what(injection: Injection, zone: tzinfo) -> tuple[Any, ...]:
    lasted_s = (injection.ended_at - injection.started_at).total_seconds()
    return (
        _moment(injection.started_at, zone),
        _time(lasted_s),
        KINDS.get(injection.kind, injection.kind),
        _series(injection.metric, injection.labels),
    )


def _alarms(its: Comparison, zone: tzinfo) -> Component:
    worst = sorted(its.false_alarms, key=lambda each: -each.score)[:WORST]
    if not worst:
        return html.P("There is none.", className="t2 storage-about")
    return table(ALARMS, [_alarm_row(each, zone) for each in worst], label="Highest false alarms")


def _alarm_row(alarm: Found, zone: tzinfo) -> tuple[Any, ...]:
    return (_moment(alarm.started_at, zone), _series(alarm.metric, alarm.labels), f"{alarm.score:.1f}")


def _growth(found: Proof, zone: tzinfo) -> Component:
    if not found.growth:
        return html.P("Nothing that grows is in the log.", className="t2 storage-about")
    return table(GROWTH, [_growth_row(each, zone) for each in found.growth], label="Growth")


def _growth_row(each: Foreseen, zone: tzinfo) -> tuple[Any, ...]:
    labels = each.growth.labels
    thing = " ".join(part for part in (labels.get("device", ""), labels.get("ifName", "")) if part)
    return (
        KINDS.get(each.growth.kind, each.growth.kind),
        thing,
        f"{each.growth.magnitude:.0f} %",
        "never" if each.full_at is None else _day(each.full_at),
        _bound(each, each.early),
        _bound(each, each.late),
        _verdict(each),
    )


def _bound(each: Foreseen, day: datetime | None) -> str:
    if not each.is_said:
        return "–"
    return "beyond a year" if day is None else _day(day)


def _verdict(each: Foreseen) -> Component:
    if each.is_held is None:
        return html.Span(tag("not said yet"), title="Capacity planning has not looked at it with this threshold yet.")
    if each.is_held:
        return html.Span("within", className="proof-found", title="The known day lies between the two dates.")
    return html.Span("outside", className="proof-not", title="The known day does not lie between the two dates.")


def _series(metric: str, labels: Mapping[str, str]) -> str:
    names = ("device", "ifName", "cpu", "sensor", "pool", "storage", "table")
    return " ".join([metric, *(labels[name] for name in names if name in labels)])


def _heading(text: str, about: str) -> Component:
    return group_heading(text, html.Span(about, className="t2"), class_name="storage-group")


def _percent(share: float | None) -> str:
    if share is None:
        return "–"
    return f"{share:.1%}" if 0 < share < 0.1 else f"{share:.0%}"


def _rate(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:.2g}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _moment(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%d %b %H:%M:%S}"


def _day(at: datetime) -> str:
    return f"{at:%d %b %Y}"

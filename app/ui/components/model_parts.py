"""The parts of the models page: what serves, its versions side by side, drift, and runs. Each number says what it is
when one points at it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from app.domain.mlmodels import gate
from app.domain.mlmodels.drift import SENTENCES, Measure
from app.domain.mlmodels.model import Drift, Model, RunState, Stage, Step, TrainingRun
from app.domain.units import format_age, format_duration, format_value
from app.ui.components.admin import action, row_actions
from app.ui.components.marks import bar, severity_mark, tag
from app.ui.components.table import Column, table

NOUN: Final = "models"
MISSING: Final = "–"
STAGE_WORDS: Final = {Stage.CHAMPION: "in service", Stage.CANDIDATE: "candidate", Stage.ARCHIVED: "archived"}
WHY_WORDS: Final = {"nightly": "every night", "first": "first start", "drift": "drift", "by_hand": "asked for"}
STEP_WORDS: Final = {"freeze": "keep values to judge on", "fit": "train", "judge": "judge"}
KIND_WORDS: Final = {
    "incident": "incidents",
    "maintenance": "maintenance",
    "expected": "marked as expected",
}
_AGAINST_NAIVE: Final = (
    "Its error in units of seasonal naive's (yesterday's value at the same hour): below 1 it is better."
)
_HELD: Final = "The share of values that lay inside its 95 % range; 95 % is right, less is too narrow."
SERVING: Final = [
    Column("Family", about="Metrics that behave alike share one model."),
    Column("Version", "num", about="Counts up with every training of the family."),
    Column("State", about="Which model forecasts this family now."),
    Column("Error", "num", about=_AGAINST_NAIVE + " On the frozen backtest."),
    Column("Range holds", "num", about=_HELD + " On the frozen backtest."),
    Column("Error live", "num", about=SENTENCES[Measure.AGAINST_NAIVE]),
    Column("Holds live", "num", about=SENTENCES[Measure.COVERAGE]),
    Column("Inputs moved", "num", about=SENTENCES[Measure.STABILITY]),
    Column("Anomalies/day", "num", about=SENTENCES[Measure.ALERT_RATE]),
    Column("Trained", about="The end of the time that it learned from."),
    Column(""),
]
VERSIONS: Final = [
    Column("Version", "num", about="Counts up with every training of the family."),
    Column("State", about="A candidate waits; one model of a family is in service; the others are archived."),
    Column("Error", "num", about=_AGAINST_NAIVE),
    Column("MASE", "num", about="Mean absolute error in units of the series' own day-to-day error."),
    Column("sMAPE", "num", about="Mean absolute error as a percentage of the values, 0 to 200."),
    Column("80 % holds", "num", about="The share of values that lay inside its 80 % range."),
    Column("95 % holds", "num", about=_HELD),
    Column("MSIS", "num", about="How wide its 95 % range is, and how far values fell outside; smaller is better."),
    Column("Learned from", about="Series and hours that it was trained on."),
    Column("Left out", about="Hours of incidents, maintenance and marked points that taught it nothing."),
    Column("Artefact", "mono", about="The hash of its content in the object store; checked whenever it is loaded."),
    Column("Why it is where it is"),
    Column(""),
]
RUNS: Final = [
    Column("Begun", "mono", about="When the run was asked for."),
    Column("Why", about="Every night, after drift, or because somebody asked."),
    Column("", width="110px"),
    Column("State"),
    Column("Worked", "num", about="Seconds of work without the time that other jobs had their turn."),
    Column(
        "What came of it", about="How many of the families it trained have its model in service; open it for the steps."
    ),
]


def family_word(family: str) -> str:
    """A family for people."""
    return {"cpu": "CPU", "other": "Other metrics"}.get(family, family.capitalize())


def gate_sentence(name: str) -> str:
    """What the gate had against a model, in one sentence."""
    return gate.SENTENCES[gate.Reason(name)]


def serving_table(
    families: Sequence[str],
    champions: Mapping[str, Model],
    newest: Mapping[str, Model],
    goes_back: Collection[str],
    drift: Mapping[tuple[str, str], Drift],
    *,
    chosen: str,
    can_change: bool,
    zone: tzinfo,
) -> Component:
    """A row for each family: the model in service, how it was judged, how it holds; `goes_back`: has one before it."""
    rows = []
    for family in families:
        model = champions.get(family)
        shown = model or newest[family]
        back = action(NOUN, "rollback", "Roll back", id=family, label=f"Put the model of {family} before this one back")
        name = dcc.Link(family_word(family), href=f"/admin/models?family={family}", title="Show its versions")
        cells = [_live(drift.get((family, measure)), measure) for measure in Measure]
        coverage, against, stability, rate = cells
        rows.append(
            (
                html.B(name) if family == chosen else name,
                f"v{shown.version}",
                _serving_state(model),
                _ratio(_figure(shown, "against_naive")),
                _share(_figure(shown, "figures", "coverage_95")),
                against,
                coverage,
                stability,
                rate,
                _day(shown.trained_to, zone),
                row_actions(*([back] if can_change and family in goes_back else [])),
            )
        )
    return table(SERVING, rows, label="Models in service")


def versions_table(models: Sequence[Model], *, can_change: bool, zone: tzinfo) -> Component:
    """The versions of one family side by side, the newest first."""
    rows = []
    for model in models:
        ask = action(NOUN, "ask-promote", "Promote", id=model.id, label=f"Put version {model.version} in service")
        rows.append(
            (
                f"v{model.version}",
                _state(model),
                _ratio(_figure(model, "against_naive")),
                _number(_figure(model, "figures", "mase")),
                _number(_figure(model, "figures", "smape_pct"), " %"),
                _share(_figure(model, "figures", "coverage_80")),
                _share(_figure(model, "figures", "coverage_95")),
                _number(_figure(model, "figures", "msis")),
                html.Span(_learned(model), title=_learned_about(model, zone)),
                left_out(model.trained_on.get("left_out", {})),
                html.Span(model.sha256[:10], title=_artefact_about(model)),
                html.Div(_why(model), className="models-why", title=_why(model)),
                row_actions(*([ask] if can_change and model.stage != Stage.CHAMPION else [])),
            )
        )
    return table(VERSIONS, rows, label="Versions")


def runs_table(runs: Sequence[TrainingRun], now: datetime, zone: tzinfo) -> Component:
    """Training runs with how far they are."""
    rows = [
        (
            html.Span(_moment(run.created_at, zone), title=f"{format_age(run.created_at, now)} ago, {run.asked_by}"),
            WHY_WORDS.get(run.reason, run.reason),
            bar(run.progress),
            _run_state(run),
            format_duration(run.spent_s),
            _outcome(run),
        )
        for run in runs
    ]
    return table(RUNS, rows, label="Training runs")


def steps_list(run: TrainingRun) -> Component:
    """What each step of a run came to."""
    lines = [
        html.Li(
            [
                html.B(family_word(step.family)),
                f" {STEP_WORDS.get(step.step, step.step)}: ",
                html.Span(_step_words(step, run), className="t2"),
            ]
        )
        for step in run.steps
    ]
    return html.Ul(lines, className="models-steps")


def left_out(counts: Mapping[str, Any]) -> Component:
    """What was left out of a training, by why."""
    if not counts:
        return html.Span("nothing", className="t3", title="Nothing of this time was an incident or was marked.")
    total = sum(counts.values())
    words = ", ".join(f"{count} h {KIND_WORDS.get(kind, kind)}" for kind, count in counts.items())
    return html.Span(f"{total:,} h", title=f"Hours of single series that taught it nothing: {words}.")


def _serving_state(model: Model | None) -> Component:
    if model is None:
        about = "No model passed the gate yet: each series is forecast from its own past alone."
        return html.Span("own past only", className="t2", title=about)
    if model.is_damaged:
        about = "Its artefact is missing or not the one that was registered: the last good one serves in its place."
        return html.Span([severity_mark("major"), "damaged, the one before serves"], className="sev", title=about)
    return tag("in service")


def _state(model: Model) -> Component:
    if model.is_damaged:
        about = "Its artefact is missing or not the one that was registered."
        return html.Span([severity_mark("major"), "damaged"], className="sev", title=about)
    return tag(STAGE_WORDS.get(Stage(model.stage), model.stage))


def _live(look: Drift | None, measure: Measure) -> Component:
    if look is None:
        return html.Span(MISSING, className="t3", title="Not measured yet.")
    words = _share(look.value) if measure is Measure.COVERAGE else f"{look.value:.2f}"
    bound = f"{look.bound:.0%}" if measure is Measure.COVERAGE else f"{look.bound:g}"
    about = f"{look.note}. Drift begins at {bound}." if look.note else f"Drift begins at {bound}."
    mark = [severity_mark("major")] if look.is_drifting else []
    return html.Span([*mark, words], className="sev" if mark else "", title=about[:1].upper() + about[1:])


def _figure(model: Model, *path: str) -> float | None:
    """A number of the report; None while it was not judged."""
    found: Any = model.report
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return float(found) if isinstance(found, int | float) else None


def _ratio(value: float | None) -> str:
    return MISSING if value is None else f"{value:.2f}×"


def _share(value: float | None) -> str:
    return MISSING if value is None else f"{value:.1%}"


def _number(value: float | None, unit: str = "") -> str:
    return MISSING if value is None else f"{value:.2f}{unit}"


def _learned(model: Model) -> str:
    series, hours = model.trained_on.get("series"), model.trained_on.get("hours")
    return f"{series:,} × {hours:,} h" if series and hours else MISSING


def _learned_about(model: Model, zone: tzinfo) -> str:
    metrics = ", ".join(model.trained_on.get("metrics", [])[:6])
    return f"{_moment(model.trained_from, zone)} to {_moment(model.trained_to, zone)}: {metrics}"


def _artefact_about(model: Model) -> str:
    size = format_value(model.size_bytes, "bytes")
    return (
        f"{model.sha256}, {size}. Features version {model.feature_set}, code {model.code_version},"
        f" training data {model.fingerprint[:12]}."
    )


def _why(model: Model) -> str:
    if model.stage == Stage.CHAMPION:
        return f"{model.promoted_why} ({model.promoted_by})"
    reasons = [gate_sentence(name) for name in model.report.get("reasons", [])]
    if reasons:
        return " ".join(reasons)
    return "was in service before" if model.promoted_at else "not judged"


def _run_state(run: TrainingRun) -> Component:
    words = {RunState.RUNNING: f"step {run.position + 1} of {len(run.steps)}" if run.steps else "begins"}
    return tag(words.get(RunState(run.state), run.state))


def _outcome(run: TrainingRun) -> Component:
    if run.state == RunState.RUNNING and run.position < len(run.steps):
        step = run.steps[run.position]
        return html.Span(f"{family_word(step.family)}: {STEP_WORDS.get(step.step, step.step)}", className="t2")
    judged = [step for step in run.steps if step.step == "judge"]
    served = [step for step in judged if step.note.endswith("in service")]
    words = f"{len(served)} of {len(judged)} families have a new model in service" if judged else run.note
    if run.state == RunState.DONE and not run.steps:
        words = "No family has enough series."
    return (
        html.Details([html.Summary(words), steps_list(run)], className="models-run") if run.steps else html.Span(words)
    )


def _step_words(step: Step, run: TrainingRun) -> str:
    if step.state == "waiting":
        return "waits" if run.state in (RunState.QUEUED, RunState.RUNNING) else "not done"
    took = f" ({step.seconds:.1f} s)" if step.state == "done" else ""
    return f"{'skipped, ' if step.state == 'skipped' else ''}{step.note}{took}"


def _moment(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%d %b %H:%M}"


def _day(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%d %b %H:%M}"

"""Admin: what forecasts each family, how it was trained and judged, and whether it still fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from dash import Dash, dcc, html
from dash.development.base_component import Component

from app.actions import models as actions
from app.actions import pins
from app.auth.current import current_viewer
from app.auth.permissions import guarded, require
from app.clock import utc_now
from app.domain.mlmodels.model import Model, RunState
from app.domain.tenancy import ADMIN, READ, WRITE, Viewer, may
from app.errors import InvalidInput
from app.queries import models as queries
from app.queries import pins as pins_of
from app.ui.components import model_parts as parts
from app.ui.components.admin import action, area, form, group_heading
from app.ui.components.attributes import attrs
from app.ui.components.pin_parts import pin_form, pinned_section
from app.ui.components.states import nothing
from app.ui.zone import current_view
from callbacks.admin import Command, Reply, bind, done, opened

NOUN: Final = parts.NOUN
PINNING: Final = ("ask-pin", "pin", "unpin")
RUNS_SHOWN: Final = 5


@guarded(READ, "models")
def show(search: str, _version: int, _refresh: int) -> Component:
    """The families, one family's versions side by side, and the last runs."""
    view, viewer = current_view(search), current_viewer()
    models, runs = queries.models(viewer), queries.runs(viewer, limit=RUNS_SHOWN)
    can_change = may(viewer, ADMIN, NOUN)
    train = [action(NOUN, "train", "Train now", kind="primary")] if can_change else []
    sections: list[Component] = []
    if models:
        families = sorted({model.family for model in models})
        chosen = view.query.get("family") or families[0]
        drift = {(look.family, look.measure): look for look in queries.drift(viewer)}
        newest = {model.family: model for model in reversed(models)}
        champions = queries.champions(viewer)
        serving = parts.serving_table(
            families,
            champions,
            newest,
            _goes_back(models, champions),
            drift,
            chosen=chosen,
            can_change=can_change,
            zone=view.zone,
        )
        versions = [model for model in models if model.family == chosen]
        sections = [
            _heading(
                "In service", "One model for each family of metrics; a new one must beat it on values neither saw"
            ),
            serving,
            _heading(f"Versions: {parts.family_word(chosen)}", _judged_on(versions)),
            parts.versions_table(versions, can_change=can_change, zone=view.zone),
        ]
    else:
        text = (
            f"Models are trained every night once there are {actions.LEAST_DAYS} days of history. Until then each"
            " series is forecast from its own past alone."
        )
        sections = [nothing("No model yet", text, icon_name="layers")]
    sections += pinned_section(pins_of.reports(viewer), view.zone, can_change=may(viewer, WRITE, NOUN))
    sections += [
        group_heading("Training", html.Span(_when(bool(runs)), className="t2"), *train, class_name="storage-group"),
        *([parts.runs_table(runs, utc_now(), view.zone)] if runs else []),
    ]
    is_under_way = any(each.state in (RunState.QUEUED, RunState.RUNNING) for each in runs)
    # Read again every few seconds: assets/58-models.js.
    return html.Div(sections, className="scroll", **attrs({"data-under-way": "true"} if is_under_way else {}))


@guarded(READ, "models")
def run(command: Command) -> Reply:
    """Train, promote, roll back, pin; what that needs is asked for here."""
    viewer = current_viewer()
    if command.verb in PINNING:
        return _run_pinning(viewer, command)
    require(viewer, ADMIN, NOUN)
    match command.verb:
        case "train":
            actions.ask_training(viewer)
            return done("A worker trains the models; this page says how far it is.")
        case "ask-promote":
            return opened("Put a model in service", _promote_form(queries.model(viewer, command.number)))
        case "promote":
            model = actions.promote(viewer, command.number, why=command.text("why"))
            return done(f"Version {model.version} of {model.family} is in service.")
        case "rollback":
            model = actions.rollback(viewer, command.id)
            return done(f"Version {model.version} of {model.family} is in service again.")
    raise InvalidInput("verb", f"{command.verb!r} is not something that can be done here")


def _run_pinning(viewer: Viewer, command: Command) -> Reply:
    require(viewer, WRITE, NOUN)
    match command.verb:
        case "ask-pin":
            return opened("Pin series", pin_form())
        case "pin":
            selector = command.text("selector")
            pins.pin(viewer, selector)
            return done(f"{selector} is pinned; what came of it shows here after the next forecast run.")
    pins.unpin(viewer, command.number)
    return done("Unpinned; from the next run on it is forecast like all others.")


def register(dash_app: Dash) -> None:
    """Bind the section."""
    bind(dash_app, NOUN, show=show, run=run)


def _goes_back(models: Sequence[Model], champions: Mapping[str, Model]) -> set[str]:
    """The families whose champion has one before it that served and can be loaded."""
    return {
        its.family
        for its in models
        if its.family in champions
        and its.version < champions[its.family].version
        and its.promoted_at is not None
        and not its.is_damaged
    }


def _heading(text: str, about: str) -> Component:
    return group_heading(text, html.Span(about, className="t2"), class_name="storage-group")


def _judged_on(versions: Sequence[Model]) -> str:
    """What their figures are from."""
    for model in versions:
        judged = model.report.get("backtest")
        if judged:
            return f"Judged on {judged['series']} series that no training saw, set {judged['number']}"
    return "Not judged yet"


def _when(has_runs: bool) -> str:
    return "Every night, and when something drifts" if has_runs else "None yet"


def _promote_form(model: Model) -> Component:
    reasons = model.report.get("reasons", [])
    said = " ".join(parts.gate_sentence(name) for name in reasons) or "The gate has nothing against it."
    fields = [
        html.P(f"Version {model.version} of {parts.family_word(model.family)} takes over from the one in service."),
        html.P(said, className="admin-note"),
        area("why", "Why", rows=2, about="Goes to the audit log"),
        html.P(dcc.Link("Audit log", href="/admin/audit"), className="t2"),
    ]
    return form(NOUN, "promote", fields, submit="Put in service", id=model.id, danger=bool(reasons))

"""Admin, models: what serves, its versions, drift and runs; promoted with a reason, rolled back by a click."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis import Redis

from app.actions.models import begin_run
from app.domain.mlmodels.drift import Measure
from app.domain.mlmodels.model import Stage, Why
from app.errors import Forbidden, InvalidInput
from app.queries import models as queries
from app.queries import pins
from app.queries.pins import Fit, FitState, PinReport
from app.ui.components.pin_parts import pinned_section
from callbacks import models
from callbacks.admin import Command
from models.mlmodels import DriftRow, TrainingRunRow
from models.session import tenant_session
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.mlmodels import registered
from tests.factories.objects import folder_store
from tests.factories.samples import store
from tests.factories.screens import acting, words

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
FIGURES = {"mase": 0.71, "smape_pct": 9.2, "coverage_80": 0.81, "coverage_95": 0.955, "msis": 6.1}
REPORT = {"figures": FIGURES, "against_naive": 0.66, "reasons": [], "backtest": {"number": 1, "series": 40}}
TRAINED_ON = {"series": 120, "hours": 400, "left_out": {"incident": 7, "expected": 2}, "metrics": ["cpu_load"]}


@pytest.fixture
def registry(cast: Cast, db: RolledBackDatabase, valkey: Redis, tmp_path: Path) -> Cast:
    """Processors with a damaged champion and a candidate that the gate held back; memory with a candidate alone."""
    folder_store(tmp_path)
    db.role = "worker"
    facts = {"report": REPORT, "trained_on": TRAINED_ON}
    registered(cast, 1, stage=Stage.ARCHIVED, promoted_at=NOW, **facts)
    registered(cast, 2, stage=Stage.CHAMPION, promoted_at=NOW, is_damaged=True, promoted_why="gate", **facts)
    registered(cast, 3, report=REPORT | {"reasons": ["worse_than_champion"]}, trained_on=TRAINED_ON)
    registered(cast, 1, family="memory")
    look = {"family": "cpu", "at": NOW, "note": "of 900 values"}
    with tenant_session(cast.acme) as session:
        session.add(
            DriftRow(tenant_id=cast.acme, measure=Measure.COVERAGE, value=0.87, bound=0.9, is_drifting=True, **look)
        )
    db.role = "web"
    return cast


def test_what_serves_and_how_it_holds_is_shown(registry: Cast) -> None:
    with acting(registry.vera):
        shown = words(models.show("?family=cpu", 0, 0))
    assert "damaged, the one before serves" in shown and "own past only" in shown
    assert "0.66×" in shown and "95.5%" in shown and "87.0%" in shown
    assert "Judged on 40 series that no training saw" in shown
    assert "120 × 400 h" in shown and "9 h" in shown
    assert "The champion makes smaller errors on the same values." in shown
    assert "Promote" not in shown and "Train now" not in shown
    with acting(registry.charlie):
        assert "No model yet" in words(models.show("", 0, 0))


def test_an_admin_promotes_rolls_back_and_trains(registry: Cast) -> None:
    newest = queries.models(registry.alice, family="cpu")[0]
    with acting(registry.alice):
        assert "Promote" in words(models.show("", 0, 0))
        dialog = models.run(Command("ask-promote", str(newest.id)))
        assert "The champion makes smaller errors" in words(dialog.body)
        with pytest.raises(InvalidInput, match="say why"):
            models.run(Command("promote", str(newest.id), {"why": " "}))
        said = models.run(Command("promote", str(newest.id), {"why": "new uplink"})).notice
        assert said == "Version 3 of cpu is in service."
        # The damaged one is passed over.
        assert models.run(Command("rollback", "cpu")).notice == "Version 1 of cpu is in service again."
        assert "A worker trains" in models.run(Command("train")).notice
        assert "queued" in words(models.show("", 0, 0))
    with acting(registry.vera), pytest.raises(Forbidden):
        models.run(Command("train"))


def test_a_run_says_how_far_it_is_and_what_came_of_it(registry: Cast) -> None:
    run_id = begin_run(registry.acme, Why.NIGHTLY, asked_by="schedule")
    steps = [
        {"family": "cpu", "step": "freeze", "state": "done", "note": "40 series are kept", "seconds": 1.5},
        {"family": "cpu", "step": "fit", "state": "waiting", "note": "", "seconds": 0.0},
    ]
    with tenant_session(registry.acme) as session:
        row = session.get_one(TrainingRunRow, run_id)
        row.state, row.position, row.plan = "running", 1, {"steps": steps, "quotas": {}}
    with acting(registry.vera):
        section = models.show("", 0, 0)
    shown = words(section)
    assert getattr(section, "data-under-way") == "true"
    assert "step 2 of 2" in shown and "CPU: train" in shown and "every night" in shown


def test_series_are_pinned_here_and_let_go(registry: Cast) -> None:
    labels = {"__name__": "cpu_load", "device": "core-1"}
    store(registry.acme, labels, [(0, 1.0)])
    with acting(registry.bob):
        assert "No series is pinned" in words(models.show("", 0, 0))
        assert "50 series at most" in words(models.run(Command("ask-pin")).body)
        assert "is pinned" in models.run(Command("pin", form={"selector": "cpu_load"})).notice
        shown = words(models.show("", 0, 0))
        assert "cpu_load core-1" in shown and "waits" in shown and "Bob" in shown
        models.run(Command("pin", form={"selector": "gone"}))
        assert "selects nothing" in words(models.show("", 0, 0))
    with acting(registry.vera):
        assert "Unpin" not in words(models.show("", 0, 0))
    with acting(registry.vera), pytest.raises(Forbidden):
        models.run(Command("unpin", "1"))
    with acting(registry.bob):
        for its in pins.pins(registry.bob):
            assert "Unpinned" in models.run(Command("unpin", str(its.id))).notice
        assert "No series is pinned" in words(models.show("", 0, 0))


@pytest.mark.parametrize(
    ("fit", "told"),
    [
        (Fit({}, FitState.USED, NOW, NOW, "(2,1,1)(0,1,0)[24]", 0.83), ("in use", "0.83×", "(2,1,1)", "24 Nov 12:00")),
        (Fit({}, FitState.WORSE, NOW, NOW, "(0,0,0)(0,1,0)[24]", None), ("not better", "–")),
        (Fit({}, FitState.FAILED, NOW, NOW), ("no fit",)),
        (Fit({}, FitState.LEFT_OUT), ("left out",)),
    ],
)
def test_what_came_of_a_pin_is_said(fit: Fit, told: tuple[str, ...]) -> None:
    shown = words(pinned_section([PinReport(1, "up", "Bob", NOW, [fit])], UTC, can_change=True))
    assert all(part in shown for part in told), shown

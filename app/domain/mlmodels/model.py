"""What people see of models, training runs and drift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

GLOBAL_BOOSTING: Final = "global_boosting"


class Stage(StrEnum):
    """Where a model stands: trained, in service, or out of service."""

    CANDIDATE = "candidate"
    CHAMPION = "champion"
    ARCHIVED = "archived"


class RunState(StrEnum):
    """Where a training run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Why(StrEnum):
    """Why a run was begun."""

    NIGHTLY = "nightly"
    FIRST = "first"
    DRIFT = "drift"
    BY_HAND = "by_hand"


@dataclass(frozen=True, kw_only=True)
class Model:
    """One artefact of the registry. `trained_on` and `report` are as the training wrote them."""

    id: int
    family: str
    kind: str
    version: int
    stage: str
    sha256: str
    size_bytes: int
    code_version: str
    feature_set: int
    trained_from: datetime
    trained_to: datetime
    fingerprint: str
    trained_on: Mapping[str, Any]
    report: Mapping[str, Any]
    is_damaged: bool
    run_id: int | None
    created_by: str
    created_at: datetime
    promoted_at: datetime | None
    promoted_by: str
    promoted_why: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a run."""

    family: str
    step: str  # freeze | fit | judge
    state: str = "waiting"  # waiting | done | skipped
    note: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """One run; `position` of its steps are done."""

    id: int
    state: str
    reason: str
    note: str
    asked_by: str
    created_at: datetime
    started_at: datetime | None
    touched_at: datetime | None
    finished_at: datetime | None
    position: int
    spent_s: float
    steps: Sequence[Step]

    @property
    def progress(self) -> float:
        """The share of its steps that are done, 0 to 1."""
        return self.position / len(self.steps) if self.steps else float(self.state == RunState.DONE)


@dataclass(frozen=True, kw_only=True)
class Drift:
    """The newest look at one measure of one family."""

    family: str
    measure: str
    at: datetime
    value: float
    bound: float
    is_drifting: bool
    note: str

"""/api/v1/models: what forecasts each family, how it was trained and judged; promotion, rollback, training, drift."""

from __future__ import annotations

import msgspec
from flask import Blueprint, Response

from app.actions import models as actions
from app.api.openapi import Listed, answer, documented, json_body
from app.api.paging import page_of, requested_page
from app.api.parameters import text_parameter
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.mlmodels.model import Drift, Model, TrainingRun
from app.domain.tenancy import ADMIN, READ
from app.queries import models as queries

blueprint = Blueprint("models", __name__)


class Promotion(msgspec.Struct, forbid_unknown_fields=True):
    """Why it is put in service whatever the gate said."""

    why: str


class Rollback(msgspec.Struct, forbid_unknown_fields=True):
    """The family whose model before the champion comes back, and why."""

    family: str
    why: str = ""


class Training(msgspec.Struct):
    """The run that was queued."""

    run: int


@blueprint.get("/api/v1/models")
@documented("List models, the newest first", answer=Listed[Model], query={"family": "only of this family"})
@guarded(READ, "models")
def list_models() -> Response:
    """A page of models."""
    page = requested_page("models")
    family = text_parameter("family")
    found = queries.models(current_viewer(), family=family, before=page.after, limit=page.limit + 1)
    return answer(page_of("models", found, page, lambda its: its.id))


@blueprint.get("/api/v1/models/<int:model_id>")
@documented("One model with its report", answer=Model)
@guarded(READ, "models")
def get_model(model_id: int) -> Response:
    """One model."""
    return answer(queries.model(current_viewer(), model_id))


@blueprint.post("/api/v1/models/<int:model_id>/promote")
@documented("Put a model in service, with a reason", body=Promotion, answer=Model)
@guarded(ADMIN, "models")
def promote(model_id: int) -> Response:
    """Audited; the one that served is archived."""
    return answer(actions.promote(current_viewer(), model_id, why=json_body(Promotion).why))


@blueprint.post("/api/v1/models/rollback")
@documented("Put the model before the champion in service again", body=Rollback, answer=Model)
@guarded(ADMIN, "models")
def rollback() -> Response:
    """Audited."""
    body = json_body(Rollback)
    return answer(actions.rollback(current_viewer(), body.family, why=body.why))


@blueprint.post("/api/v1/models/train")
@documented("Train the models now", answer=Training, status=202)
@guarded(ADMIN, "models")
def train() -> Response:
    """A worker does it, step by step; the list of runs says how far it is."""
    return answer(Training(actions.ask_training(current_viewer())), 202)


@blueprint.get("/api/v1/models/runs")
@documented("List training runs, the newest first", answer=Listed[TrainingRun])
@guarded(READ, "models")
def list_runs() -> Response:
    """A page of runs with their steps."""
    page = requested_page("training_runs")
    found = queries.runs(current_viewer(), before=page.after, limit=page.limit + 1)
    return answer(page_of("training_runs", found, page, lambda its: its.id))


@blueprint.get("/api/v1/models/drift")
@documented("The newest look at each measure of drift", answer=Listed[Drift])
@guarded(READ, "models")
def list_drift() -> Response:
    """By family and measure."""
    return answer({"items": queries.drift(current_viewer()), "next": None})

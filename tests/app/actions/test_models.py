"""People move models between stages: with a reason, audited, and only their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from app import jobs
from app.actions import models
from app.errors import Conflict, DecodeError, Forbidden, InvalidInput, NotFound
from app.objects import objects
from app.queries import audit
from app.queries import models as queries
from app.tsdb import artefacts
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.mlmodels import three_versions
from tests.factories.objects import folder_store


@pytest.fixture
def three(cast: Cast, db: RolledBackDatabase, tmp_path: Path) -> list[int]:
    """Three versions: one that served, the champion, and a candidate."""
    folder_store(tmp_path)
    db.role = "worker"
    made = three_versions(cast)
    db.role = "web"
    return made


def stages(cast: Cast) -> dict[int, str]:
    return {model.version: model.stage for model in queries.models(cast.vera)}


def version(facts: Mapping[str, Any] | None) -> Any:
    return (facts or {}).get("version")


def test_a_model_is_promoted_with_a_reason_and_rolled_back_by_one_click(cast: Cast, three: list[int]) -> None:
    with pytest.raises(InvalidInput, match="say why"):
        models.promote(cast.alice, three[2], why="  ")
    assert models.promote(cast.alice, three[2], why="knows the new uplink").promoted_by == "alice@acme.example"
    assert stages(cast) == {1: "archived", 2: "archived", 3: "champion"}
    assert queries.champions(cast.vera)["cpu"].promoted_why == "knows the new uplink"
    with pytest.raises(Conflict):
        models.promote(cast.alice, three[2], why="again")
    assert models.rollback(cast.alice, "cpu").version == 2
    assert models.rollback(cast.alice, "cpu", why="worse at night").version == 1
    with pytest.raises(NotFound):
        models.rollback(cast.alice, "cpu")
    entries = [each for each in audit.entries(cast.alice) if each.noun == "models"]
    assert [(each.action, version(each.before), version(each.after)) for each in reversed(entries)] == [
        ("promote", 2, 3),
        ("rollback", 3, 2),
        ("rollback", 2, 1),
    ]


def test_what_cannot_be_loaded_is_not_put_in_service(cast: Cast, three: list[int]) -> None:
    path = artefacts.path_of(cast.acme, queries.model(cast.vera, three[2]).sha256)
    objects().put(path, b"other")
    with pytest.raises(DecodeError):
        models.promote(cast.alice, three[2], why="looks good")
    objects().delete(path)
    with pytest.raises(NotFound):
        models.promote(cast.alice, three[2], why="looks good")
    assert stages(cast)[2] == "champion"


def test_one_training_at_a_time_is_queued(cast: Cast, valkey: Redis) -> None:
    run_id = models.ask_training(cast.alice)
    [job] = Queue(jobs.TRAIN.queue, connection=valkey, serializer=JSONSerializer).get_jobs()
    assert job.kwargs == {"tenant": cast.acme, "run": run_id}
    with pytest.raises(Conflict):
        models.ask_training(cast.alice)
    [run] = queries.runs(cast.vera)
    assert (run.state, run.reason, run.asked_by, run.progress) == ("queued", "by_hand", "alice@acme.example", 0.0)


def test_only_admins_change_models_and_charlie_of_globex_sees_none_of_acme(cast: Cast, three: list[int]) -> None:
    for viewer in (cast.vera, cast.bob):
        with pytest.raises(Forbidden):
            models.promote(viewer, three[2], why="x")
        with pytest.raises(Forbidden):
            models.rollback(viewer, "cpu")
        with pytest.raises(Forbidden):
            models.ask_training(viewer)
    assert queries.models(cast.charlie) == [] and queries.champions(cast.charlie) == {}
    assert queries.runs(cast.charlie) == [] and queries.drift(cast.charlie) == []
    for act in (queries.model, lambda viewer, its: models.promote(viewer, its, why="mine")):
        with pytest.raises(NotFound):
            act(cast.charlie, three[2])
    with pytest.raises(NotFound):
        models.rollback(cast.charlie, "cpu")
    assert stages(cast) == {1: "archived", 2: "champion", 3: "candidate"}

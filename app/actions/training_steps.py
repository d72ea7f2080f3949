"""The three steps of training one family: freeze what its models are judged on, fit a candidate, judge it.

Series that models are judged on are in no training; incidents and what people marked as expected are no targets.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

import numpy as np
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.actions.models import put_in_service
from app.domain.forecast import base, boosting, errors_of_fit, features
from app.domain.forecast.boosting import GlobalModel
from app.domain.forecast.families import Family
from app.domain.labels import METRIC, labels_of, value_of
from app.domain.mlmodels import frozen, gate, sample, stability
from app.domain.mlmodels.exclusion import cleaned
from app.domain.mlmodels.model import GLOBAL_BOOSTING, Stage
from app.domain.samples import Float64s, Int64s
from app.domain.tenancy import Role, TenantId, Viewer
from app.errors import DecodeError, NotFound
from app.queries.exclusions import exclusions
from app.tsdb import artefacts, hourly
from app.tsdb.blocks import moment
from app.tsdb.hourly import HOUR_MS, Hours
from models.mlmodels import BacktestSetRow, ModelRow, TrainingRunRow
from models.session import tenant_connection, tenant_session

log = logging.getLogger(__name__)

SEASON: Final = 24
HORIZON: Final = 48
LEARN_HOURS: Final = 42 * 24
NEEDED_HOURS: Final = frozen.hours_needed(horizon=HORIZON, season=SEASON)
# How long models are judged on the same values; longer ago the network was another.
BACKTEST_DAYS: Final = 30
KEPT_DAYS: Final = 90


@dataclass(frozen=True)
class Done:
    """What a step came to: how it ended, and one sentence."""

    state: str
    note: str


@dataclass(frozen=True)
class Work:
    """A family of a run."""

    tenant: TenantId
    run: TrainingRunRow
    family: Family

    @property
    def until_ms(self) -> int:
        """The end of the time that the run learns from."""
        assert self.run.until_at is not None
        return int(self.run.until_at.timestamp() * 1000)

    def backtest(self) -> BacktestSetRow | None:
        """What models of the family are judged on now."""
        query = select(BacktestSetRow).where(
            BacktestSetRow.tenant_id == self.tenant, BacktestSetRow.family == self.family
        )
        with tenant_session(self.tenant) as session:
            return session.scalar(query.order_by(BacktestSetRow.number.desc()).limit(1))

    def read(self, *, is_kept: bool, hours: int) -> Hours:
        """Hourly values of the family's series that are learned from, or of those that are kept for judging."""
        kept = self.backtest()
        with tenant_connection(self.tenant) as connection:
            members = hourly.by_family(hourly.all_groups(connection, self.tenant)).get(self.family, [])
            split = sample.split(
                [its.labels for its in members],
                quota=self.run.plan["quotas"][self.family],
                judged=frozenset() if kept is None else {labels_of(its) for its in kept.members["series"]},
            )
            chosen = hourly.grouped([members[place] for place in (split.kept if is_kept else split.learned)])
            start_ms = self.until_ms - hours * HOUR_MS
            return hourly.read(connection, self.tenant, chosen, start_ms=start_ms, end_ms=self.until_ms)


def _freeze(work: Work) -> Done:
    """Keep the values that models of this family are judged on, unless there are some of the last month."""
    before = work.backtest()
    if before is not None and moment(work.until_ms) - before.created_at < timedelta(days=BACKTEST_DAYS):
        return Done("done", f"set {before.number} is kept")
    # More than the origins need: with a short past behind them the older ones would make the ranges too wide.
    hours = work.read(is_kept=True, hours=LEARN_HOURS)
    values, _ = _cleaned(work, hours)
    fits = np.flatnonzero(sample.moving(values, hours=NEEDED_HOURS, season=SEASON))
    if len(fits) < sample.FEWEST_KEPT:
        return Done("skipped", f"{len(fits)} of {len(values)} series that move are known for {NEEDED_HOURS // 24} days")
    values, end_ms = _from_first_value(values[fits], hours.end_ms)
    sha256, size = artefacts.save(work.tenant, {"values": values, "end_ms": end_ms})
    row = BacktestSetRow(
        tenant_id=work.tenant,
        family=work.family,
        number=before.number + 1 if before else 1,
        sha256=sha256,
        size_bytes=size,
        start_at=moment(int(end_ms[0]) - HOUR_MS),
        end_at=moment(int(end_ms[-1])),
        series=len(fits),
        members={"series": [dict(hours.labels[place]) for place in fits.tolist()]},
    )
    with tenant_session(work.tenant) as session:
        session.add(row)
    return Done("done", f"{len(fits)} series are kept for judging")


def _fit(work: Work) -> Done:
    """Train a candidate."""
    hours = work.read(is_kept=False, hours=LEARN_HOURS)
    values, counts = _cleaned(work, hours)
    fits = np.flatnonzero(sample.moving(values, hours=NEEDED_HOURS - HORIZON, season=SEASON))
    if len(fits) < sample.FEWEST_LEARNED:
        return Done("skipped", f"{len(fits)} series that move have enough history; {sample.FEWEST_LEARNED} are needed")
    values, labels = values[fits], [hours.labels[place] for place in fits.tolist()]
    values, end_ms = _from_first_value(values, hours.end_ms)
    model = GlobalModel.fit(values, horizon=HORIZON, season=SEASON)
    sha256, size = artefacts.save(work.tenant, model.to_arrays())
    trained_on = {
        "series": len(fits),
        "hours": len(end_ms),
        "measured": int(np.isfinite(values).sum()),
        "left_out": counts,
        "short_or_still": len(hours.labels) - len(fits),
        "metrics": sorted({value_of(its, METRIC) for its in labels})[:50],
    }
    row = ModelRow(
        tenant_id=work.tenant,
        family=work.family,
        kind=GLOBAL_BOOSTING,
        stage=Stage.CANDIDATE,
        sha256=sha256,
        size_bytes=size,
        code_version=_code_version(),
        feature_set=features.VERSION,
        trained_from=moment(int(end_ms[0]) - HOUR_MS),
        trained_to=moment(int(end_ms[-1])),
        fingerprint=sample.fingerprint(labels, end_ms, values),
        trained_on=trained_on,
        reference=stability.reference_of(values, season=SEASON).to_document(),
        run_id=work.run.id,
        created_by=work.run.asked_by,
    )
    with tenant_session(work.tenant) as session:
        row.version = _next_version(session, work)
        # What never came into service and is not the newest is looked at by nobody.
        older = update(ModelRow).where(
            ModelRow.tenant_id == work.tenant, ModelRow.family == work.family, ModelRow.stage == Stage.CANDIDATE
        )
        session.execute(older.values(stage=Stage.ARCHIVED))
        session.add(row)
        session.flush()
        return Done("done", f"version {row.version} of {len(fits)} series, {len(end_ms)} hours")


def _judge(work: Work) -> Done:
    """Compare the run's candidate with the champion on the frozen values; the gate decides."""
    with tenant_session(work.tenant) as session:
        mine = _newest(session, work, ModelRow.run_id == work.run.id, ModelRow.stage == Stage.CANDIDATE)
        champion = _newest(session, work, ModelRow.stage == Stage.CHAMPION)
    kept = work.backtest()
    if mine is None:
        return Done("skipped", "there is no candidate")
    if kept is None:
        return Done("skipped", "there is nothing to judge it on yet")
    values = artefacts.load(work.tenant, kept.sha256)["values"]
    try:
        figures = _figures(work.tenant, mine, values)
    except ValueError as error:
        return Done("skipped", str(error))
    rival = _figures_or_none(work.tenant, champion, values)
    verdict = gate.judge(figures, rival)
    report = {
        "figures": vars(figures),
        "against_naive": figures.against_naive,
        "champion": None if rival is None or champion is None else {"version": champion.version, **vars(rival)},
        "reasons": list(verdict.reasons),
        "backtest": {"number": kept.number, "sha256": kept.sha256, "series": kept.series},
    }
    with tenant_session(work.tenant) as session:
        row = session.get_one(ModelRow, mine.id, with_for_update=True)
        row.report = report
        if verdict.is_good and row.stage == Stage.CANDIDATE:
            put_in_service(session, _trainer(work.tenant), row, action="promote", why="passed the gate")
    said = "is in service" if verdict.is_good else "stays a candidate: " + ", ".join(verdict.reasons)
    return Done("done", f"version {mine.version} {said}")


STEPS: Final[Mapping[str, Callable[[Work], Done]]] = {"freeze": _freeze, "fit": _fit, "judge": _judge}


def forget_old(tenant: TenantId, now: datetime) -> int:
    """Drop versions that never served and sets that nobody is judged on any more, past their term; answers how many."""
    before = now - timedelta(days=KEPT_DAYS)
    never = (
        ModelRow.tenant_id == tenant,
        ModelRow.stage == Stage.ARCHIVED,
        ModelRow.promoted_at.is_(None),
        ModelRow.created_at < before,
    )
    # A set is replaced each month: one this old is not the newest, unless its family is trained no more.
    unused = (BacktestSetRow.tenant_id == tenant, BacktestSetRow.created_at < before)
    with tenant_session(tenant) as session:
        gone = [*session.scalars(delete(ModelRow).where(*never).returning(ModelRow.sha256))]
        gone += session.scalars(delete(BacktestSetRow).where(*unused).returning(BacktestSetRow.sha256))
        kept = {*session.scalars(select(ModelRow.sha256).where(ModelRow.tenant_id == tenant))}
        kept |= {*session.scalars(select(BacktestSetRow.sha256).where(BacktestSetRow.tenant_id == tenant))}
    # Rows first: an object that is left over is a few kilobytes, a row without its object is damage.
    for sha256 in set(gone) - kept:
        artefacts.delete(tenant, sha256)
    return len(gone)


def _figures(tenant: TenantId, row: ModelRow, values: Float64s) -> gate.Figures:
    model = GlobalModel.from_arrays(artefacts.load(tenant, row.sha256))
    return frozen.figures(lambda past: model.predict_batch(past, HORIZON), values, horizon=HORIZON, season=SEASON)


def _figures_or_none(tenant: TenantId, row: ModelRow | None, values: Float64s) -> gate.Figures | None:
    """A champion that cannot be loaded, or reads other features, holds nobody up."""
    if row is None:
        return None
    try:
        return _figures(tenant, row, values)
    except (NotFound, DecodeError, ValueError) as error:
        log.error("the champion cannot be judged: %s", error, extra={"tenant": tenant, "family": row.family})
        return None


def _cleaned(work: Work, hours: Hours) -> tuple[Float64s, dict[str, int]]:
    start, end = moment(int(hours.end_ms[0]) - HOUR_MS), moment(int(hours.end_ms[-1]))
    return cleaned(hours.labels, hours.end_ms, hours.values, exclusions(work.tenant, start, end))


def _from_first_value(values: Float64s, end_ms: Int64s) -> tuple[Float64s, Int64s]:
    """Without the hours before anything was known."""
    first = int(np.flatnonzero(np.isfinite(values).any(axis=0))[0])
    return values[:, first:], end_ms[first:]


@cache
def _code_version() -> str:
    """What the code was that trained: the hash of its text."""
    modules = (base, boosting, errors_of_fit, features)
    return hashlib.sha256("".join(inspect.getsource(module) for module in modules).encode()).hexdigest()[:12]


def _next_version(session: Session, work: Work) -> int:
    query = select(func.max(ModelRow.version)).where(
        ModelRow.tenant_id == work.tenant, ModelRow.family == work.family, ModelRow.kind == GLOBAL_BOOSTING
    )
    return (session.scalar(query) or 0) + 1


def _newest(session: Session, work: Work, *conditions: Any) -> ModelRow | None:
    query = select(ModelRow).where(
        ModelRow.tenant_id == work.tenant,
        ModelRow.family == work.family,
        ModelRow.kind == GLOBAL_BOOSTING,
        *conditions,
    )
    return session.scalar(query.order_by(ModelRow.version.desc()).limit(1))


def _trainer(tenant: TenantId) -> Viewer:
    return Viewer(tenant=tenant, tenant_name="", name="training", role=Role.ADMIN)

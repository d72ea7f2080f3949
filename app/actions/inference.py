"""Asking workers and waiting for their answer: the web computes no model itself.

The question and the answer pass through Valkey for a minute; the job carries ids alone.
"""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex
from typing import Final, TypeVar

import msgspec

from app import jobs
from app.auth.permissions import require
from app.domain.anomaly.together import Together
from app.domain.tenancy import READ, TenantId, Viewer
from app.errors import InvalidInput, Overloaded, Unavailable, WatchfloorError
from app.queries.anomalies import NOUN, anomaly
from app.valkey import valkey

T = TypeVar("T")
# (question, answer)
Keep = Callable[[bytes, bytes], None]

ASKED: Final = "ml:asked:{tenant}:{question}"
ANSWERED: Final = "ml:answered:{tenant}:{question}"
OPEN: Final = "ml:open:{tenant}"
AHEAD: Final = "ml:ahead:{tenant}"
KEPT_S: Final = 60
# Below the time limit of our connections to Valkey.
WAIT_S: Final = 8
MOST_OPEN: Final = 2
MOST_AHEAD: Final = 30
RETRY_AFTER_S: Final = 5


class _Answer(msgspec.Struct, omit_defaults=True):
    """What a worker answers: what it found, or what was wrong."""

    found: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""


def ask(viewer: Viewer, noun: str, job: jobs.Job, question: bytes, *, wait_s: int = WAIT_S) -> bytes:
    """Have `job` answer a question by respond(); opened() reads what comes.

    Raises Unavailable when there is no answer in time, Overloaded when the tenant has asked too much at once.
    """
    require(viewer, READ, noun)
    names: dict[str, int | str] = {"tenant": viewer.tenant, "question": token_hex(8)}
    count = OPEN.format(**names)
    if valkey().incr(count) > MOST_OPEN:
        valkey().decr(count)
        raise Overloaded("Other questions of this tenant are being answered.", retry_after_s=RETRY_AFTER_S)
    valkey().expire(count, KEPT_S)
    try:
        valkey().set(ASKED.format(**names), question, ex=KEPT_S)
        jobs.enqueue(job, **names)
        found = valkey().blpop([ANSWERED.format(**names)], timeout=wait_s)
        if not isinstance(found, list | tuple) or not isinstance(found[1], bytes):
            raise Unavailable("the worker of detection", retry_after_s=RETRY_AFTER_S)
        return found[1]
    finally:
        valkey().delete(ASKED.format(**names))
        valkey().decr(count)


def together(viewer: Viewer, anomaly_id: int) -> Together:
    """How the readings of an anomaly's device were together. Raises NotFound, Unavailable, Overloaded."""
    asked = str(anomaly(viewer, anomaly_id).id).encode()
    return opened(ask(viewer, NOUN, jobs.TOGETHER, asked), Together, where="anomaly")


def ask_ahead(viewer: Viewer, noun: str, job: jobs.Job, question: bytes, *, name: str, wait_s: int) -> bytes | None:
    """Have `job` answer a question that others ask by the same name, too; None when it is not answered in time.

    It is answered all the same, for who asks again: the job keeps what it finds. Of one tenant so many questions are
    taken in a minute; further ones are not answered.
    """
    require(viewer, READ, noun)
    names: dict[str, int | str] = {"tenant": viewer.tenant, "question": name}
    count = AHEAD.format(tenant=viewer.tenant)
    if valkey().set(ASKED.format(**names), question, ex=KEPT_S, nx=True):
        if valkey().incr(count) > MOST_AHEAD:
            valkey().delete(ASKED.format(**names))
            return None
        valkey().expire(count, KEPT_S, nx=True)
        jobs.enqueue(job, **names)
    found = valkey().blpop([ANSWERED.format(**names)], timeout=wait_s)
    answer = found[1] if isinstance(found, list | tuple) else None
    return answer if isinstance(answer, bytes) else None


def opened(answer: bytes, of: type[T], *, where: str) -> T:
    """What a worker found. Raises InvalidInput at `where` with what it said was wrong."""
    its = msgspec.json.decode(answer, type=_Answer)
    if its.error:
        raise InvalidInput(where, its.error)
    return msgspec.json.decode(its.found, type=of)


def is_fault(answer: bytes) -> bool:
    """Whether a worker said that something was wrong."""
    return bool(msgspec.json.decode(answer, type=_Answer).error)


def respond(tenant: TenantId, question: str, find: Callable[[bytes], object], *, keep: Keep | None = None) -> None:
    """For jobs: answer a question by what `find` finds, or by what was wrong; nothing when nobody waits any more.

    `keep` is given the question and the answer before anybody else.
    """
    asked = _question_of(tenant, question)
    if asked is None:
        return
    try:
        its = _Answer(found=msgspec.Raw(msgspec.json.encode(find(asked))))
    except WatchfloorError as error:
        its = _Answer(error=str(error))
    answer = msgspec.json.encode(its)
    if keep is not None:
        keep(asked, answer)
    _answer_with(tenant, question, answer)


def _question_of(tenant: TenantId, question: str) -> bytes | None:
    found = valkey().getdel(ASKED.format(tenant=tenant, question=question))
    return found if isinstance(found, bytes) else None


def _answer_with(tenant: TenantId, question: str, answer: bytes) -> None:
    name = ANSWERED.format(tenant=tenant, question=question)
    valkey().rpush(name, answer)
    valkey().expire(name, KEPT_S)

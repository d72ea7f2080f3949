"""Whole requests that were refused: counted at once, written at most once a second for each sender and reason.

A sender that is over its budget comes back as fast as it can; writing down each of its requests would cost what the
budget saves.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, NamedTuple

from sqlalchemy.exc import DBAPIError

from app import clock, selfmetrics
from app.domain.refusals import OF_STATUS, Refusal
from app.domain.tenancy import TenantId
from app.errors import WatchfloorError
from app.tsdb.refused import Sender, record_refused

log = logging.getLogger(__name__)

WRITE_EVERY_S: Final = 1.0
# Beyond so many senders at once the oldest knowledge is dropped; what waits is written first.
MOST_SENDERS: Final = 10_000


class _Kind(NamedTuple):
    tenant: TenantId
    agent: str
    source: str
    word: Refusal


@dataclass
class _Waiting:
    sender: Sender
    sentence: str
    samples: int = 0
    requests: int = 0


@dataclass
class _Ledger:
    """What waits to be written, and when each kind was written last."""

    waiting: dict[_Kind, _Waiting] = field(default_factory=dict)
    written_s: dict[_Kind, float] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)


_ledger = _Ledger()


def note(tenant: TenantId, sender: Sender, error: WatchfloorError, *, samples: int = 0) -> None:
    """Note that a whole request was refused; errors that are no refusal (403, 503) are passed over."""
    word = OF_STATUS.get(error.status)
    if word is None:
        return
    selfmetrics.REQUESTS_REFUSED.labels(sender.source, word).inc()
    selfmetrics.SAMPLES_REJECTED.labels(word).inc(samples)
    kind = _Kind(tenant, sender.agent, sender.source, word)
    with _ledger.lock:
        waiting = _ledger.waiting.setdefault(kind, _Waiting(sender, str(error)))
        waiting.samples += samples
        waiting.requests += 1
    write_due()


def write_due() -> None:
    """Write down what has waited long enough; costs nothing when nothing waits."""
    if not _ledger.waiting:
        return
    now = clock.monotonic_s()
    with _ledger.lock:
        due = [kind for kind in _ledger.waiting if now - _ledger.written_s.get(kind, -WRITE_EVERY_S) >= WRITE_EVERY_S]
        taken = {kind: _ledger.waiting.pop(kind) for kind in due}
        if len(_ledger.written_s) > MOST_SENDERS:
            _ledger.written_s.clear()
        _ledger.written_s.update(dict.fromkeys(due, now))
    for kind, each in taken.items():
        try:
            record_refused(
                kind.tenant,
                each.sender,
                word=kind.word,
                sentence=each.sentence,
                samples=each.samples,
                requests=each.requests,
            )
        except DBAPIError as error:  # the database is away, or the tenant is gone meanwhile
            log.warning("could not note a refusal", extra={"tenant": kind.tenant, "reason": str(error.orig)})


def forget() -> None:
    """Write nothing down any more of what waits; for tests, which share a process."""
    with _ledger.lock:
        _ledger.waiting.clear()
        _ledger.written_s.clear()

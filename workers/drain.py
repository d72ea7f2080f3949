"""From the stream to the store, exactly once.

A drain holds its shards by a lease (so that drains do not work in vain) and a fencing token in the database (so that
two can never both store). The shard's offset commits with the samples; entries at or below it are skipped.
"""

from __future__ import annotations

import logging
import math
import signal
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from types import FrameType
from typing import Any, Final, ParamSpec, TypeVar
from uuid import uuid4

import numpy as np
import psycopg
from redis.exceptions import BusyLoadingError, RedisError
from redis.exceptions import ConnectionError as ValkeyGone
from redis.exceptions import TimeoutError as ValkeySlow
from rq import Queue, Worker
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus
from sqlalchemy import exc
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from app import clock, jobs, live, selfmetrics
from app.domain.tenancy import TenantId
from app.errors import DecodeError
from app.tsdb import writer
from app.tsdb.entries import Columns
from app.tsdb.layout import MOST_SHARDS
from app.valkey import valkey
from ingest import shards, stream
from ingest.stream import Entry, EntryId

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

RUN_S: Final = 55.0
# Samples that are worth a COPY of their own, and how long fewer may wait for company.
ENOUGH_SAMPLES: Final = 100_000
LINGER_S: Final = 0.2
PAUSE_S: Final = 0.02
# Of all shards together: a drain's memory has a bound, whether it holds one shard or all of them.
READ_AT_ONCE: Final = 64
IDLE_BLOCK_MS: Final = 500
LEASE: Final = "lease:drain:{shard}"
LEASE_MS: Final = 6_000
TEND_S: Final = 1.0
PUBLISH_S: Final = 1.0
MOST_PATIENT: Final = 4
SHARE_S: Final = 5.0

# Faults of the data itself. Everything else is the store's fault, and is waited for.
# COPY speaks to the driver itself, whose errors SQLAlchemy does not wrap: hence both.
POISON: Final = (
    exc.DataError,
    exc.IntegrityError,
    psycopg.DataError,
    psycopg.IntegrityError,
    ValueError,
    OverflowError,
)
AWAY: Final = (exc.OperationalError, exc.InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
VALKEY_AWAY: Final = (ValkeyGone, ValkeySlow, BusyLoadingError)
PATIENCE_S: Final = 90.0

_RENEW = (
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) else return 0 end"
)
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"


class LeaseLost(Exception):
    """Another drain holds the shard now."""


def drain(shards: str) -> None:
    """Job: store what arrives in these shards (numbers with commas) for about a minute, then queue itself again."""
    run = Drain()
    for shard in shards.split(","):
        run.take(int(shard))
    if not run.positions:
        return
    ends_s = clock.monotonic_s() + RUN_S
    with _told_to_stop() as stopping:
        try:
            while run.positions and clock.monotonic_s() < ends_s and not stopping.is_set():
                run.do_once()
        except (LeaseLost, writer.FenceLost):
            log.info("drain gave way to another")
            run.release()  # of the others; the sweep finds them
            return
    run.release()
    if run.positions:
        queue_drains(list(run.positions))


def queue_drains(shards: Sequence[int], workers: int | None = None) -> None:
    """Queue drains for these shards, spread over so many workers; without a number, over those of the ingest queue."""
    count = workers or max(1, Worker.count(connection=valkey(), queue=_queue()))
    for first in range(min(count, len(shards))):
        jobs.enqueue(jobs.DRAIN, shards=",".join(str(shard) for shard in shards[first::count]))


def idle_workers() -> int:
    """How many workers of the ingest queue have nothing to do."""
    workers = Worker.all(connection=valkey(), queue=_queue(), serializer=JSONSerializer)
    return sum(worker.get_state() == WorkerStatus.IDLE for worker in workers)


def _queue() -> Queue:
    return Queue(jobs.DRAIN.queue, connection=valkey(), serializer=JSONSerializer)


def held(shard: int) -> bool:
    """Whether a drain is at work on this shard."""
    return bool(valkey().exists(LEASE.format(shard=shard)))


@dataclass
class Drain:
    """The shards that this process drains: how far each is stored, and the fencing token of each."""

    token: str = field(default_factory=lambda: uuid4().hex)
    positions: dict[int, EntryId] = field(default_factory=dict)
    fences: dict[int, int] = field(default_factory=dict)
    unheld_s: dict[int, float] = field(default_factory=dict)
    tended_s: float = field(default_factory=clock.monotonic_s)
    shared_s: float = field(default_factory=clock.monotonic_s)
    stored_s: float = 0.0
    published_s: dict[TenantId, float] = field(default_factory=dict)

    def take(self, shard: int) -> bool:
        """Take a shard unless another drain holds it."""
        if not valkey().set(LEASE.format(shard=shard), self.token, nx=True, px=LEASE_MS):
            return False
        last, self.fences[shard] = self._patiently(writer.take_shard, shard)
        position = EntryId(last)
        if stream.parts_of(stream.newest(shard)) < stream.parts_of(position):
            # The stream's server has lost its data and counts anew: whatever is there now came afterwards.
            log.error("the stream is younger than the store", extra={"shard": shard, "stored": last})
            position = stream.START
        self.positions[shard] = position
        stream.done(shard, position)  # what a drain before this one stored and had no time to forget
        return True

    def do_once(self) -> int:
        """Store one bundle of entries, waiting up to half a second for the first; answers how many samples."""
        self._tend()
        if not self.positions:
            return 0
        opened, buried = self._gather()
        if not opened and not buried:
            return 0
        self._store(opened, buried)
        self.stored_s = clock.monotonic_s()
        for shard, position in _last_of([entry for entry, _ in opened] + buried).items():
            self.positions[shard] = position
            self._patiently(stream.done, shard, position)
        self._publish([columns for _, columns in opened])
        samples = sum(len(columns.values) for _, columns in opened)
        selfmetrics.SAMPLES_STORED.inc(samples)
        return samples

    def release(self) -> None:
        """Let another drain take these shards at once."""
        for shard in self.positions:
            valkey().eval(_RELEASE, 1, LEASE.format(shard=shard), self.token)

    def _gather(self) -> tuple[list[tuple[Entry, Columns]], list[Entry]]:
        """Entries until they are worth a COPY or have waited long enough; those that cannot be opened are buried."""
        opened: list[tuple[Entry, Columns]] = []
        buried: list[Entry] = []
        after, samples, block_ms = dict(self.positions), 0, IDLE_BLOCK_MS
        count = max(1, READ_AT_ONCE // len(after))
        while True:
            for entry in self._patiently(stream.read, after, count=count, block_ms=block_ms):
                after[entry.shard] = entry.entry_id
                try:
                    opened.append((entry, stream.columns(entry)))
                    samples += len(opened[-1][1].values)
                except DecodeError as error:
                    self._bury(entry, str(error))
                    buried.append(entry)
            # Alone, an entry is stored at once; under load the next COPY waits until the last is LINGER_S ago.
            left_s = self.stored_s + LINGER_S - clock.monotonic_s()
            if samples >= ENOUGH_SAMPLES or left_s <= 0 or not (opened or buried):
                # The order in which they came, whatever their shards.
                return sorted(opened, key=lambda pair: stream.parts_of(pair[0].entry_id)), buried
            # One look after a pause finds what would else be a look for each entry.
            Event().wait(min(left_s, PAUSE_S))
            block_ms = max(1, int(left_s * 1000))

    def _store(self, opened: Sequence[tuple[Entry, Columns]], buried: Sequence[Entry]) -> None:
        """Store entries and advance the offsets; what the database refuses is found by halving, and buried."""
        advances = [
            writer.Advance(shard, position, self.fences[shard])
            for shard, position in _last_of([entry for entry, _ in opened] + list(buried)).items()
        ]
        try:
            self._patiently(writer.write, _rows_of(opened, self._patiently(shards.changes)), advances)
        except POISON as error:
            if len(opened) > 1:
                middle = len(opened) // 2
                self._store(opened[:middle], ())
                self._store(opened[middle:], buried)
            elif opened:
                self._bury(opened[0][0], f"{type(error).__name__}: {error}".partition("\n")[0])
                self._store((), [opened[0][0], *buried])
            else:
                raise

    def _bury(self, entry: Entry, reason: str) -> None:
        log.error("entry cannot be stored", extra={"shard": entry.shard, "entry": entry.entry_id, "reason": reason})
        self._patiently(stream.bury, entry, reason)

    def _publish(self, stored: Sequence[Columns]) -> None:
        """Tell open screens how far samples go, at most once in PUBLISH_S for each tenant."""
        until: dict[TenantId, int] = {}
        for columns in stored:
            until[columns.tenant] = max(until.get(columns.tenant, 0), int(columns.ts_ms.max(initial=0)))
        now = clock.monotonic_s()
        for tenant, until_ms in until.items():
            if now - self.published_s.get(tenant, -PUBLISH_S) >= PUBLISH_S:
                self.published_s[tenant] = now
                try:
                    live.publish(tenant, "samples", {"until_ms": until_ms})
                except RedisError:  # nobody hears it; screens read again by themselves
                    log.warning("could not publish new samples", extra={"tenant": tenant})

    def _tend(self) -> None:
        """Once a second: keep the leases, and take over shards that nobody has held for a while."""
        now = clock.monotonic_s()
        if now - self.tended_s < TEND_S:
            return
        self.tended_s = now
        self._patiently(self._renew)
        needed = set(self._patiently(shards.active))
        for shard in self.positions.keys() - needed:
            self._give_up(shard)  # no writer uses it any more, and nothing is left in it
        # Who holds many shards leaves an orphan to those with fewer, for a while.
        patience_s = TEND_S * min(MOST_PATIENT, max(1, len(self.positions)))
        for shard in sorted(needed - self.positions.keys()):
            if held(shard):
                self.unheld_s.pop(shard, None)
            elif now - self.unheld_s.setdefault(shard, now) >= patience_s and self.take(shard):
                patience_s += TEND_S
        if now - self.shared_s >= SHARE_S and len(self.positions) > 1:
            self.shared_s = now
            self._patiently(self._share, len(needed))

    def _share(self, needed: int) -> None:
        """Leave to workers that have nothing to do what is above a fair share."""
        if not (idle := idle_workers()):
            return
        tokens = {token for token in valkey().mget([LEASE.format(shard=n) for n in range(MOST_SHARDS)]) if token}
        fair = math.ceil(needed / (len(tokens) + idle))
        if excess := sorted(self.positions)[fair:]:
            log.info("drain shares its shards", extra={"shards": excess, "idle": idle})
            for shard in excess:
                self._give_up(shard)
            queue_drains(excess, idle)

    def _give_up(self, shard: int) -> None:
        valkey().eval(_RELEASE, 1, LEASE.format(shard=shard), self.token)
        del self.positions[shard], self.fences[shard]

    def _renew(self) -> None:
        for shard in self.positions.keys() | self.fences.keys():
            name = LEASE.format(shard=shard)
            # A lease that ran out while this process slept may be taken again; the fencing token tells if it was used.
            if not valkey().eval(_RENEW, 1, name, self.token, str(LEASE_MS)) and not valkey().set(
                name, self.token, nx=True, px=LEASE_MS
            ):
                raise LeaseLost(name)

    def _patiently(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The call's answer, however long a server is away; meanwhile the leases are kept."""
        retrying = Retrying(
            retry=retry_if_exception_type((*AWAY, *VALKEY_AWAY)),
            wait=wait_exponential_jitter(multiplier=0.05, max=1.0, jitter=0.1),
            stop=stop_after_delay(PATIENCE_S),
            before_sleep=self._wait_for_server,
            reraise=True,
        )
        return retrying(call, *args, **kwargs)

    def _wait_for_server(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning("waiting for a server", extra={"attempt": state.attempt_number, "reason": type(error).__name__})
        if isinstance(error, AWAY):
            try:
                self._renew()
            except VALKEY_AWAY:
                log.warning("the lease could not be kept")


def _last_of(entries: Sequence[Entry]) -> dict[int, EntryId]:
    """The greatest entry id of each shard."""
    last: dict[int, EntryId] = {}
    for entry in entries:
        known = last.get(entry.shard, stream.START)
        last[entry.shard] = max(known, entry.entry_id, key=stream.parts_of)
    return last


def _rows_of(opened: Sequence[tuple[Entry, Columns]], changes: Sequence[int]) -> writer.Rows:
    """The samples of all entries, one behind the other. Their part is the entry's id as one ascending number.

    `changes` are those of the number of shards up to now.
    """
    sizes = [len(columns.values) for _, columns in opened]
    ids = [stream.parts_of(entry.entry_id) for entry, _ in opened]
    parts = [ms * 65_536 + min(sequence, 65_535) for ms, sequence in ids]
    ways = [
        bisect_right(changes, ms) * MOST_SHARDS + entry.shard for (entry, _), (ms, _) in zip(opened, ids, strict=True)
    ]
    return writer.Rows(
        tenants=np.repeat(np.array([columns.tenant for _, columns in opened], dtype=np.int32), sizes),
        places=_joined([columns.places for _, columns in opened], np.int64),
        ts_ms=_joined([columns.ts_ms for _, columns in opened], np.int64),
        values=_joined([columns.values for _, columns in opened], np.float64),
        parts=np.repeat(np.array(parts, dtype=np.int64), sizes),
        ways=np.repeat(np.array(ways, dtype=np.int64), sizes) if len(set(ways)) > 1 else None,
    )


def _joined(arrays: Sequence[Any], dtype: type[Any]) -> Any:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype=dtype)


@contextmanager
def _told_to_stop() -> Iterator[Event]:
    """An event that SIGTERM sets, besides whatever the worker does then: a stop must not wait a minute for a drain."""
    stopping = Event()
    before = signal.getsignal(signal.SIGTERM)

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()
        if callable(before):
            before(number, frame)

    try:
        signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread, where no signal arrives
        yield stopping
        return
    try:
        yield stopping
    finally:
        signal.signal(signal.SIGTERM, before)

"""The poller: a process that polls the devices of its shards, each on its own grid, and hands on what they said.

Three things run side by side: polls (this loop), handing samples to accept(), and writing the inventory; the latter two
block and have a thread each, so that a slow database delays no poll.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

import numpy as np
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError

from app import clock
from app.actions.devices import record_discovery, record_polls
from app.domain.inventory import PollOutcome, PollTarget
from app.domain.samples import Batch
from app.domain.tenancy import TenantId
from app.errors import Overloaded, Unavailable, WatchfloorError
from app.queries.devices import all_tenants, poll_targets
from app.runtime.process import close_process, open_process
from app.selfmetrics import POLLS
from app.settings import Settings
from app.valkey import valkey
from ingest.accept import accept
from ingest.snmp.client import Client
from ingest.snmp.device import PolledDevice, PollResult
from ingest.snmp.profiles import Library, load_profiles
from ingest.snmp.schedule import Timetable, next_due_ms, offset_ms, shard_of
from workers.leases import SHARDS, ShardLeases

log = logging.getLogger(__name__)

SLOT_S: Final = 0.1
REFRESH_S: Final = 10.0
# Devices asked at once. More only makes answers wait in the socket until they look late.
MOST_IN_FLIGHT: Final = 400
# New devices do not wait for a whole interval.
FIRST_POLL_WITHIN_MS: Final = 10_000
SPREAD_MS: Final = 20
HAND_OVER_S: Final = 0.5
RETRY_S: Final = 2
# What is kept while the stream is away; then the oldest polls go.
MOST_KEPT_POLLS: Final = 20_000
MOST_SAMPLES_AT_ONCE: Final = 50_000
DRAIN_S: Final = 8.0

Key = tuple[int, int]


@dataclass
class Outbox:
    """What polls gave and nobody has yet: samples by tenant, results for the inventory.

    `refused` counts groups that were not taken for now, `dropped` the polls that were given up.
    """

    samples: deque[tuple[TenantId, int, Batch]] = field(default_factory=deque)
    results: deque[PollResult] = field(default_factory=deque)
    refused: int = 0
    dropped: int = 0

    def put(self, result: PollResult) -> None:
        """Take a result in; the oldest samples go when there are too many."""
        for batch in (result.ended, result.batch):
            if batch is not None and len(batch):
                self.samples.append((result.target.tenant, result.target.device_id, batch))
        self.results.append(result)
        while len(self.samples) > MOST_KEPT_POLLS:
            self.samples.popleft()
            self.dropped += 1


class Poller:
    """The state of the process; do_once() is one turn of its wheel."""

    def __init__(self, client: Client, library: Library, leases: ShardLeases) -> None:
        self.devices: dict[Key, PolledDevice] = {}
        self.outbox = Outbox()
        self._client = client
        self._library = library
        self._leases = leases
        self._timetable = Timetable()
        self._polls: set[asyncio.Task[None]] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._refreshed_s = self._handed_over_s = float("-inf")

    async def do_once(self) -> None:
        """Start the polls that are due, and what runs beside them; returns after a slot of the wheel."""
        now_s = clock.monotonic_s()
        if now_s - self._refreshed_s >= REFRESH_S and self._start("refresh", self._refresh):
            self._refreshed_s = now_s
        if now_s - self._handed_over_s >= HAND_OVER_S:
            self._handed_over_s = now_s
            if self.outbox.samples:
                self._start("samples", self._hand_over_samples)
            if self.outbox.results:
                self._start("inventory", self._write_inventory)
        for key in self._timetable.take(clock.now_ms(), MOST_IN_FLIGHT - len(self._polls)):
            task = asyncio.create_task(self._poll(key))
            self._polls.add(task)
            task.add_done_callback(self._end_poll)
        await asyncio.sleep(SLOT_S)

    async def finish(self) -> None:
        """Let what is on its way end, within limits, and give the shards back."""
        deadline_s = clock.monotonic_s() + DRAIN_S
        for task in self._polls:
            task.cancel()
        while (self.outbox.samples or self.outbox.results or self._tasks) and clock.monotonic_s() < deadline_s:
            if self.outbox.samples:
                self._start("samples", self._hand_over_samples)
            if self.outbox.results:
                self._start("inventory", self._write_inventory)
            await asyncio.sleep(SLOT_S)
        try:
            await asyncio.to_thread(self._leases.release)
        except RedisError:
            log.warning("the shards were not given back; their leases end by themselves")

    def apply(self, targets: list[PollTarget]) -> None:
        """Make the timetable hold exactly these devices; one that was changed starts anew."""
        wanted = {_key(target): target for target in targets}
        for key in self.devices.keys() - wanted.keys():
            self._timetable.remove(key)
            del self.devices[key]
        new = {key: target for key, target in wanted.items() if not self._is_known(key, target)}
        # Enough to spread the load of many, and no wait for one that a person has just added.
        within_ms = min(FIRST_POLL_WITHIN_MS, SPREAD_MS * len(new)) + 1
        for key, target in new.items():
            self.devices[key] = PolledDevice(target)
            self._timetable.put(key, clock.now_ms() + offset_ms(_identity(key), within_ms))

    def _is_known(self, key: Key, target: PollTarget) -> bool:
        known = self.devices.get(key)
        return known is not None and known.target == target

    async def _poll(self, key: Key) -> None:
        device = self.devices.get(key)
        if device is None:
            return
        begun_ms = clock.now_ms()
        try:
            result = await device.poll(self._client, self._library)
        finally:
            interval_ms = device.target.interval_s * 1000
            if self.devices.get(key) is device:
                offset = offset_ms(_identity(key), interval_ms)
                due_ms = next_due_ms(clock.now_ms(), begun_ms=begun_ms, offset_ms=offset, interval_ms=interval_ms)
                self._timetable.put(key, due_ms)
        if self.devices.get(key) is device:
            self.outbox.put(result)
            POLLS.labels("answered" if result.outcome.is_reachable else "silent").inc()

    def _end_poll(self, task: asyncio.Task[None]) -> None:
        self._polls.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # A fault of ours with one device; the others go on, and so does it in its next cycle.
            log.error("poll failed", exc_info=task.exception())
            POLLS.labels("failed").inc()

    def _start(self, name: str, act: Callable[[], Awaitable[None]]) -> bool:
        """Run `act` beside the polls unless it still runs; says whether it was started."""
        if name in self._tasks:
            return False
        task = asyncio.create_task(self._run(name, act))
        self._tasks[name] = task
        task.add_done_callback(lambda _: self._tasks.pop(name, None))
        return True

    async def _run(self, name: str, act: Callable[[], Awaitable[None]]) -> None:
        """A server that is away stops no poll: it is told, and tried again."""
        try:
            await act()
        except (WatchfloorError, RedisError, DBAPIError) as error:
            log.warning("poller: not done, trying again", extra={"what": name, "reason": str(error).splitlines()[0]})

    async def _refresh(self) -> None:
        held = await asyncio.to_thread(self._leases.refresh)
        self.apply(await asyncio.to_thread(_load_targets, held))

    async def _hand_over_samples(self) -> None:
        """Give everything that waits to accept(), a tenant's together; what is refused for now waits again."""
        waiting, self.outbox.samples = deque(sorted(self.outbox.samples, key=_tenant_of)), deque()
        wait_s: dict[TenantId, int] = {}
        while waiting:
            tenant, polls = _next_group(waiting)
            if tenant not in wait_s:
                try:
                    await asyncio.to_thread(_accept, tenant, [batch for _, _, batch in polls])
                    continue
                except (Overloaded, Unavailable) as error:
                    wait_s[tenant] = error.retry_after_s
                    log.warning("samples wait", extra={"tenant": tenant, "reason": str(error)})
                except (RedisError, DBAPIError) as error:
                    wait_s[tenant] = RETRY_S
                    log.warning("samples wait", extra={"tenant": tenant, "reason": str(error).splitlines()[0]})
                except WatchfloorError as error:
                    log.warning("samples refused", extra={"tenant": tenant, "reason": str(error)})
                    continue
            # In front of what came meanwhile, so that they go in the order of their times.
            self.outbox.samples.extendleft(reversed(polls))
            self.outbox.refused += 1
        if wait_s:
            self._handed_over_s = clock.monotonic_s() + max(wait_s.values())

    async def _write_inventory(self) -> None:
        """Write what polls and discoveries say about devices; discoveries first, they make what statuses refer to."""
        results, self.outbox.results = self.outbox.results, deque()
        try:
            await asyncio.to_thread(_record, list(results))
        except (RedisError, DBAPIError):
            self.outbox.results.extendleft(reversed(results))
            raise


def _load_targets(held: frozenset[int]) -> list[PollTarget]:
    return [
        target
        for tenant in all_tenants()
        for target in poll_targets(tenant)
        if shard_of(target.device_id, SHARDS) in held
    ]


def _next_group(waiting: deque[tuple[TenantId, int, Batch]]) -> tuple[TenantId, list[tuple[TenantId, int, Batch]]]:
    """Polls from the front for one accept(): one tenant's, each device once, so that no series key comes twice."""
    tenant = waiting[0][0]
    taken, devices, size = [], set(), 0
    while waiting and waiting[0][0] == tenant and waiting[0][1] not in devices and size < MOST_SAMPLES_AT_ONCE:
        item = waiting.popleft()
        devices.add(item[1])
        size += len(item[2])
        taken.append(item)
    return tenant, taken


def _accept(tenant: TenantId, batches: list[Batch]) -> None:
    accept(tenant, joined(batches), source="snmp", request_id=uuid4().hex)


def joined(batches: list[Batch]) -> Batch:
    """Several batches as one; no series key may be in two of them."""
    starts = np.cumsum([0, *(len(batch.keys) for batch in batches[:-1])])
    return Batch(
        keys=[key for batch in batches for key in batch.keys],
        series=np.concatenate([batch.series + start for batch, start in zip(batches, starts, strict=True)]).astype(
            np.int32
        ),
        ts_ms=np.concatenate([batch.ts_ms for batch in batches]),
        values=np.concatenate([batch.values for batch in batches]),
    )


def _record(results: list[PollResult]) -> None:
    outcomes: dict[TenantId, list[PollOutcome]] = {}
    for result in results:
        if result.discovery is not None:
            target = result.target
            record_discovery(target.tenant, target.device_id, found=result.discovery, at=result.outcome.at)
        outcomes.setdefault(result.target.tenant, []).append(result.outcome)
    for tenant, polled in outcomes.items():
        record_polls(tenant, polled)


def _tenant_of(waiting: tuple[TenantId, int, Batch]) -> int:
    return waiting[0]


def _key(target: PollTarget) -> Key:
    return (target.tenant, target.device_id)


def _identity(key: Key) -> str:
    return f"{key[0]}:{key[1]}"


async def run(stopping: asyncio.Event) -> None:
    """Poll until told to stop."""
    async with Client() as client:
        poller = Poller(client, load_profiles(), ShardLeases(valkey()))
        while not stopping.is_set():
            await poller.do_once()
        await poller.finish()


async def _run_until_signal() -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await run(stopping)


def main(settings: Settings) -> None:
    """The main of the process `poller`."""
    open_process(settings, "worker")
    log.info("poller started")
    try:
        asyncio.run(_run_until_signal())
    finally:
        close_process()

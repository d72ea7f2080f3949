"""Four workers and eight shards: the number of shards changes, workers die at random, and what was taken is stored."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event, Thread

import numpy as np
import pytest

from app.clock import now_ms
from app.domain.labels import Labels, encode_labels, labels_of
from app.domain.samples import Batch
from app.domain.tenancy import TenantId
from app.errors import Unavailable
from app.tsdb import layout
from app.valkey import valkey
from ingest import shards, stream
from ingest.accept import accept
from tests.factories.committed import Emptied
from tests.factories.stack import Stack, running_stack
from tests.scenarios.test_exactly_once import stored
from workers.drain import LEASE
from workers.sweep import sweep

SEED = 20261125
WORKERS = ("worker-ingest", "worker-ingest-2", "worker-ingest-3", "worker-ingest-4")
LOAD_S = 10.0
RECOVERY_S = 60.0
DEVICES = 24
PORTS = 5
# In turn, while samples come in.
NUMBERS = (3, 8, 1, 64, 8)


@dataclass
class Sender:
    """Sends for its devices, one request after the other; now and then it corrects what it said before."""

    tenant: TenantId
    number: int
    stopping: Event
    start_ms: int = field(default_factory=now_ms)
    acknowledged: dict[tuple[Labels, int], float] = field(default_factory=dict)

    def run(self) -> None:
        dice = random.Random(SEED + self.number)
        request = 0
        while not self.stopping.is_set():
            request += 1
            self.send(request, float(request))
            if dice.random() < 0.3:
                self.send(request, request + 0.5)
            if dice.random() < 0.1:
                self.send(max(1, request - dice.randrange(50)), -float(request))
            self.stopping.wait(0.05)

    def send(self, moment: int, value: float) -> None:
        series = [
            labels_of({"__name__": "chaos", "device": f"device-{device}", "port": str(port)})
            for device in range(self.number, DEVICES, 4)
            for port in range(PORTS)
        ]
        ts_ms = np.full(len(series), self.start_ms + moment * 10)
        values = np.full(len(series), value) + np.arange(len(series)) * 1e-3
        keys = [encode_labels(labels) for labels in series]
        batch = Batch(keys=keys, series=np.arange(len(series), dtype=np.int32), ts_ms=ts_ms, values=values)
        while True:
            try:
                assert accept(self.tenant, batch, source="test", request_id="r").count == len(series)
            except Unavailable:
                Event().wait(0.1)
                continue
            self.acknowledged.update(zip(((labels, int(ts_ms[0])) for labels in series), values.tolist(), strict=True))
            return


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, shared_db: Emptied | None) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("home"), WORKERS, given=shared_db) as started:
        yield started


def test_four_workers_and_eight_shards(stack: Stack) -> None:
    tenant, _ = stack.tenant("acme")
    change(8)
    assert stack.tend(RECOVERY_S, lambda: len(holders()) == len(WORKERS)), "not every worker got shards"
    stopping = Event()
    senders = [Sender(tenant, number, stopping) for number in range(4)]
    threads = [Thread(target=sender.run, daemon=True) for sender in senders]
    for thread in threads:
        thread.start()
    try:
        faults = cause_faults(stack)
    finally:
        stopping.set()
    assert stack.tend(RECOVERY_S, lambda: swept(not any(thread.is_alive() for thread in threads)))
    assert stack.tend(RECOVERY_S, lambda: swept(not any(shards.waiting().values()))), "the backlog was not drained"
    acknowledged = {key: value for sender in senders for key, value in sender.acknowledged.items()}
    # The figures of the run, for whoever reads the output of a failed one.
    sys.stdout.write(f"seed {SEED}: {len(acknowledged)} samples, {faults} workers killed\n")
    assert faults >= len(NUMBERS)
    assert stored(tenant) == acknowledged
    assert not any(stream.dead_letters(shard) for shard in shards.waiting())
    assert shards.active() == list(range(NUMBERS[-1]))


def change(number: int) -> None:
    """What `python -m app stream shards N` does."""
    layout.save_shards(number)
    shards.lay_out(number)


def cause_faults(stack: Stack) -> int:
    """Kill workers at random for LOAD_S, and change the number of shards as often; answers how many were killed."""
    dice = random.Random(SEED)
    begun_s, faults, changes = time.monotonic(), 0, 0
    while (spent_s := time.monotonic() - begun_s) < LOAD_S or changes < len(NUMBERS):
        if changes < len(NUMBERS) and spent_s >= changes * LOAD_S / len(NUMBERS):
            change(NUMBERS[changes])
            changes += 1
        swept(True)
        stack.tend(dice.uniform(0.8, 1.6))
        stack.watched[dice.choice(WORKERS)].process.kill()
        faults += 1
    return faults


_swept_s = [0.0]


def swept(is_done: bool) -> bool:
    """`is_done`; beside it, what the scheduler has done every two seconds."""
    if time.monotonic() - _swept_s[0] > 2:
        _swept_s[0] = time.monotonic()
        sweep()
    return is_done


def holders() -> set[bytes]:
    """The drains that hold shards."""
    swept(True)
    return {holder for holder in valkey().mget([LEASE.format(shard=shard) for shard in range(8)]) if holder}

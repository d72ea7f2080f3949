"""A minute of kill -9: what was acknowledged is stored, none lost, none doubled, and only poison is a dead letter."""

from __future__ import annotations

import http.client
import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event, Thread

import numpy as np
import pytest
from redis.exceptions import RedisError

from app.clock import now_ms
from app.domain.labels import Labels, Matcher, MatchOp, labels_of
from app.domain.samples import is_absent
from app.domain.tenancy import TenantId
from app.tsdb import entries
from app.tsdb.reader import Reader
from app.valkey import valkey
from ingest import shards, stream
from tests.factories.committed import Emptied
from tests.factories.stack import Stack, running_stack

SEED = 20261124
LOAD_S = 60.0
RECOVERY_S = 60.0  # how long it may take on a busy machine; mostly a second or two
CLIENTS = 4
SERIES = 25
DUPLICATES = 0.05
PAUSE_S = 0.1
# In turn, every few seconds; each comes up several times.
VICTIMS = ("web worker", "worker-ingest", "valkey", "postgres", "worker-ingest", "web")


@dataclass
class Client:
    """One sender: repeats a request until it is acknowledged, and now and then once more."""

    number: int
    address: tuple[str, int]
    headers: dict[str, str]
    stopping: Event
    start_ms: int = field(default_factory=now_ms)
    acknowledged: dict[tuple[Labels, int], float] = field(default_factory=dict)
    repeated: int = 0
    refused: int = 0

    def run(self) -> None:
        dice = random.Random(SEED + self.number)
        request = 0
        while not self.stopping.is_set():
            request += 1
            samples = self.samples(request)
            self.send(samples)
            if dice.random() < DUPLICATES:
                self.repeated += 1
                self.send(samples)
            for sample in samples:
                labels = labels_of({"__name__": sample["metric"], **sample["labels"]})
                self.acknowledged[labels, sample["ts"]] = sample["value"]
            self.stopping.wait(PAUSE_S)

    def samples(self, request: int) -> list[dict]:
        labels = {"device": f"client-{self.number}"}
        return [
            {
                "metric": "chaos",
                "labels": {**labels, "n": str(n)},
                "ts": self.start_ms + request * 10,
                "value": float(request * 1000 + n),
            }
            for n in range(SERIES)
        ]

    def send(self, samples: list[dict]) -> None:
        """Until it is acknowledged, whatever happens meanwhile."""
        body = json.dumps({"samples": samples})
        while True:
            connection = http.client.HTTPConnection(*self.address, timeout=10)
            try:
                connection.request("POST", "/api/v1/ingest", body, self.headers)
                answer = connection.getresponse()
                text = answer.read()
                if answer.status == 202:
                    assert json.loads(text)["accepted"] == SERIES
                    return
                assert answer.status in (500, 503), text  # never a refusal for good data
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()
            self.refused += 1
            Event().wait(0.1)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, shared_db: Emptied | None) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("home"), given=shared_db) as started:
        yield started


def test_nothing_is_lost_and_nothing_doubled(stack: Stack) -> None:
    tenant, headers = stack.tenant("acme")
    stopping = Event()
    address = ("127.0.0.1", stack.settings.port)
    clients = [Client(n, address, {**headers, "Content-Type": "application/json"}, stopping) for n in range(CLIENTS)]
    threads = [Thread(target=client.run, daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    try:
        faults = cause_faults(stack)
    finally:
        stopping.set()
    assert stack.tend(RECOVERY_S, lambda: not any(thread.is_alive() for thread in threads)), "a client got no answer"
    assert stack.tend(RECOVERY_S, drained), "the backlog was not drained"
    acknowledged = {key: value for client in clients for key, value in client.acknowledged.items()}
    repeated, refused = sum(c.repeated for c in clients), sum(c.refused for c in clients)
    # The figures of the run, for whoever reads the output of a failed one.
    told = f"{len(acknowledged)} samples, {repeated} requests sent twice, {refused} refused, {faults} faults"
    sys.stdout.write(f"seed {SEED}: {told}\n")
    assert repeated > 0
    assert refused > 0
    assert faults >= len(VICTIMS)
    assert stored(tenant) == acknowledged
    reasons = [reason for shard in range(shards.DEFAULT) for _, reason in stream.dead_letters(shard)]
    assert len(reasons) == POISONS
    assert all("unreadable" in reason or "year" in reason for reason in reasons), reasons


POISONS = 3


def cause_faults(stack: Stack) -> int:
    """Kill one victim after the other for LOAD_S, with poison in between; answers how many were killed."""
    dice = random.Random(SEED)
    ends_s, faults, poisons = time.monotonic() + LOAD_S, 0, 0
    while time.monotonic() < ends_s:
        stack.tend(dice.uniform(2.5, 4.0))
        if poisons < POISONS and valkey_answers():
            poisons += 1
            put_poison(poisons)
        victim = VICTIMS[faults % len(VICTIMS)]
        faults += 1
        if victim != "postgres" or victim in stack.watched:  # not a server that was given to us
            kill(stack, victim)
    return faults


def put_poison(number: int) -> None:
    """An entry that cannot be read, or one whose time no database knows."""
    shard = number % shards.DEFAULT
    if number == 1:
        valkey().xadd(stream.STREAM.format(shard=shard), {"h": b"?", "b": b"?"})
        return
    bad_time, one = np.array([2**62]), np.ones(1)
    fields = entries.encode(TenantId(1), np.array([shard << 8]), bad_time, one, source="test", request_id="poison")
    valkey().xadd(stream.STREAM.format(shard=shard), fields)


def kill(stack: Stack, victim: str) -> None:
    """End a process as a fault does: without warning."""
    if victim == "web worker":
        workers = stack.process("web").children()
        if workers:
            workers[0].kill()
        return
    stack.watched[victim].process.kill()


def valkey_answers() -> bool:
    try:
        return bool(valkey().ping())
    except RedisError:  # on its way up
        return False


def drained() -> bool:
    return valkey_answers() and all(stream.waiting(shard) == 0 for shard in range(shards.DEFAULT))


def stored(tenant: TenantId) -> dict[tuple[Labels, int], float]:
    """Every stored sample; the reader answers each (series, time) once or this would overwrite unequal values."""
    matcher = Matcher("__name__", MatchOp.EQUAL, "chaos")
    found = {}
    for block in Reader(tenant).select([matcher], start_ms=0, end_ms=2**42):
        present = ~is_absent(block.values)
        for column, labels in enumerate(block.labels):
            for row in np.flatnonzero(present[:, column]).tolist():
                key = (labels, int(block.ts_ms[row]))
                assert key not in found
                found[key] = float(block.values[row, column])
    return found

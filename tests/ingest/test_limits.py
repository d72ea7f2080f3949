"""A tenant's samples per second, over all processes together."""

from __future__ import annotations

import pytest
from redis import Redis

from app.domain.tenancy import TenantId
from app.errors import Overloaded
from ingest import limits
from ingest.limits import BURST_S, take

ACME, GLOBEX = TenantId(1), TenantId(2)


@pytest.fixture(autouse=True)
def fresh_process(valkey: Redis) -> None:
    limits._purses.clear()


def test_a_burst_passes_and_then_the_sender_waits() -> None:
    take(ACME, 100 * BURST_S, samples_per_s=100)
    with pytest.raises(Overloaded) as refused:
        take(ACME, 250, samples_per_s=100)
    assert 1 <= refused.value.retry_after_s <= 3


def test_the_budget_is_the_tenants_own() -> None:
    take(ACME, 100 * BURST_S, samples_per_s=100)
    take(GLOBEX, 100, samples_per_s=100)


def test_processes_share_the_budget() -> None:
    take(ACME, 100 * BURST_S, samples_per_s=100)
    limits._purses.clear()  # another process
    with pytest.raises(Overloaded):
        take(ACME, 100, samples_per_s=100)


def test_a_request_larger_than_the_bucket_passes_when_it_is_full() -> None:
    take(ACME, 1000 * BURST_S, samples_per_s=100)
    with pytest.raises(Overloaded):
        take(ACME, 1, samples_per_s=100)


def test_small_requests_do_not_ask_each_time(valkey: Redis) -> None:
    take(ACME, 1, samples_per_s=1000)
    before = valkey.info("commandstats")["cmdstat_eval"]["calls"]
    for _ in range(40):
        take(ACME, 1, samples_per_s=1000)
    assert valkey.info("commandstats")["cmdstat_eval"]["calls"] == before

"""Telemetry with everything that trips an engine: counters that reset, gaps, stale markers, histograms, odd labels.

Sample times end in odd milliseconds, so that no whole-second window edge ever meets a sample: there Prometheus 2
(both edges inclusive) and 3 (left edge exclusive) would differ.
"""

from __future__ import annotations

import math
import random

from app.domain.labels import Labels
from app.domain.samples import STALE
from app.promql.select import SeriesBlock
from tests.factories.series import block_of, named

BASE_MS = 1_700_000_000_000 // 3_600_000 * 3_600_000
INTERVAL_MS = 15_000
SAMPLES = 480  # two hours

Samples = dict[int, float]
Target = dict[Labels, Samples]


def telemetry(seed: int = 7) -> list[Target]:
    """Targets, each with series that share its scrape times; two hours of them."""
    chance = random.Random(seed)
    targets = [_web_target(chance, job, instance) for job in ("api", "web") for instance in ("a:1", "b:1", "c:2")]
    return [*targets, _odd_values(chance), _odd_labels(chance), _gaps(chance), _config(chance)]


def blocks(targets: list[Target]) -> list[SeriesBlock]:
    """The same as blocks, one per target."""
    return [block_of(target) for target in targets]


def flat(targets: list[Target]) -> Target:
    """All series of all targets."""
    return {labels: samples for target in targets for labels, samples in target.items()}


def _times(chance: random.Random) -> list[int]:
    phase = chance.randrange(1, INTERVAL_MS, 2)
    return [BASE_MS + phase + index * INTERVAL_MS + 2 * chance.randrange(-20, 20) for index in range(SAMPLES)]


def _web_target(chance: random.Random, job: str, instance: str) -> Target:
    times = _times(chance)
    common = {"job": job, "instance": instance}
    target: Target = {}
    for code in ("200", "404", "500"):
        labels = named("http_requests_total", code=code, **common)
        target[labels] = _counter(chance, times, resets=0.01 if code == "200" else 0.0)
    for mode in ("idle", "user", "system"):
        target[named("cpu_usage_ratio", mode=mode, **common)] = {ts: chance.random() for ts in times}
    target[named("memory_usage_bytes", **common)] = {ts: float(chance.randrange(10**9, 10**10)) for ts in times}
    target[named("up", **common)] = {ts: float(chance.random() > 0.1) for ts in times}
    target |= _histogram(chance, times, common)
    return target


def _counter(chance: random.Random, times: list[int], *, resets: float) -> Samples:
    value = float(chance.randrange(1_000_000, 2_000_000))
    samples: Samples = {}
    for ts in times:
        value = float(chance.randrange(0, 50)) if chance.random() < resets else value + chance.randrange(0, 500)
        samples[ts] = value
    return samples


def _histogram(chance: random.Random, times: list[int], common: dict[str, str]) -> Target:
    bounds = ("0.05", "0.1", "0.5", "1", "5", "+Inf")
    counts = [float(chance.randrange(1000))] * len(bounds)
    target: Target = {named("latency_seconds_bucket", le=le, **common): {} for le in bounds}
    for ts in times:
        grown = 0.0
        for index, samples in enumerate(target.values()):
            grown += chance.randrange(0, 9)
            counts[index] += grown
            samples[ts] = counts[index]
    return target


def _odd_values(chance: random.Random) -> Target:
    times = _times(chance)
    special = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1e-300, 1e300, -1.5]
    return {
        named("odd", kind="special"): {ts: chance.choice(special) for ts in times},
        named("odd", kind="constant"): dict.fromkeys(times, 42.5),
        named("odd", kind="negative"): {ts: -chance.random() * 1e6 for ts in times},
        named("odd", kind="mixed"): {ts: chance.uniform(-1000, 1000) for ts in times},
        named("odd", kind="small_set"): {ts: float(chance.randrange(3)) for ts in times},
        named("odd", kind="nan"): dict.fromkeys(times, math.nan),
        named("ramp", slope="steep"): {ts: 3.25 * index for index, ts in enumerate(times)},
        named("ramp", slope="down"): {ts: 1e6 - 17.0 * index for index, ts in enumerate(times)},
    }


def _odd_labels(chance: random.Random) -> Target:
    times = _times(chance)
    values = ["plain", "with space", "ünïcode ☃", 'quo"te', "back\\slash", "new\nline", "a.b.c", "10", "9"]
    return {
        named("labelled", value=value, only=value[:1]): {ts: chance.random() * 10 for ts in times} for value in values
    }


def _gaps(chance: random.Random) -> Target:
    times = _times(chance)
    target: Target = {}
    for name, kept in (("dense", 1.0), ("holes", 0.7), ("sparse", 0.08)):
        target[named("gappy", kind=name)] = {
            ts: float(index) for index, ts in enumerate(times) if chance.random() < kept
        }
    value, ended = 5_000_000.0, {}
    for index, ts in enumerate(times):
        value += chance.randrange(0, 100)
        state = index % 120
        if state < 80:
            ended[ts] = value
        elif state == 80:
            ended[ts] = STALE
    target[named("gappy", kind="ended")] = ended
    target[named("gappy", kind="early")] = {ts: 1e6 + index for index, ts in enumerate(times[:200])}
    target[named("gappy", kind="late")] = {ts: 1e6 + index for index, ts in enumerate(times[250:])}
    return target


def _config(chance: random.Random) -> Target:
    times = _times(chance)
    target: Target = {
        named("build_info", job=job, instance=instance, version=version, branch=branch): dict.fromkeys(times, 1.0)
        for job, instance, version, branch in (
            ("api", "a:1", "1.0", "main"),
            ("api", "b:1", "1.1", "main"),
            ("api", "c:2", "1.1", "dev"),
            ("web", "a:1", "2.0", "main"),
            ("web", "b:1", "2.0", "main"),
        )
    }
    target |= {named("threshold", job=job): dict.fromkeys(times, 0.3 + 0.2 * i) for i, job in enumerate(("api", "web"))}
    target[named("clock_seconds")] = {ts: ts / 1000 + 86_400 * 17 * i for i, ts in enumerate(times)}
    return target

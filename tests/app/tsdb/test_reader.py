"""What is stored comes back: merged, in order, by matcher, and to its own tenant only."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.labels import Labels, Matcher, MatchOp, labels_of
from app.domain.samples import STALE, STALE_BITS, Metadata, is_absent
from app.domain.tenancy import TenantId
from app.promql.engine import query_instant
from app.promql.result import Vector
from app.tsdb import compact
from app.tsdb.reader import Reader
from app.tsdb.tenants import describe_metrics
from models.session import platform_session
from models.tenants import TenantRow
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.samples import store, store_all

T0 = 1_770_000_000_000
FOREVER = {"start_ms": T0 - 10**10, "end_ms": T0 + 10**10}


@pytest.fixture(autouse=True, params=["hot rows", "blocks"])
def kept_as(request: pytest.FixtureRequest, db: RolledBackDatabase) -> Iterator[str]:
    """Every test is run on rows as they came, and on what compaction makes of them."""
    COMPACTED.clear()
    if request.param == "blocks":
        COMPACTED.append(db)
    yield request.param
    COMPACTED.clear()


COMPACTED: list[RolledBackDatabase] = []


def metric(name: str) -> list[Matcher]:
    return [Matcher("__name__", MatchOp.EQUAL, name)]


def read(
    tenant: TenantId, matchers: list[Matcher], *, start_ms: int = T0 - 10**10, end_ms: int = T0 + 10**10
) -> dict[Labels, list[tuple[int, float]]]:
    """Every sample by series; a block's promises are checked on the way."""
    for database in COMPACTED:
        database.role = "worker"
        for due in compact.due(tenant, T0 + 10**11):
            compact.compact_bucket(tenant, due.bucket_ms, due.groups)
        database.role = "web"
    found: dict[Labels, list[tuple[int, float]]] = defaultdict(list)
    for block in Reader(tenant).select(matchers, start_ms=start_ms, end_ms=end_ms):
        assert block.values.shape == (len(block.ts_ms), len(block.labels))
        assert (np.diff(block.ts_ms) > 0).all()
        absent = is_absent(block.values)
        for column, labels in enumerate(block.labels):
            rows = np.flatnonzero(~absent[:, column])
            found[labels] += list(zip(block.ts_ms[rows].tolist(), block.values[rows, column].tolist(), strict=True))
    return {labels: pairs for labels, pairs in found.items() if pairs}


def test_what_was_stored_comes_back(cast: Cast) -> None:
    up = {"__name__": "up", "device": "core-1"}
    store(cast.acme, up, [(T0, 1.0), (T0 + 15_000, 0.0), (T0 + 30_000, 1.0)])
    assert read(cast.acme, metric("up")) == {labels_of(up): [(T0, 1.0), (T0 + 15_000, 0.0), (T0 + 30_000, 1.0)]}


def test_both_ends_of_the_range_are_in_it(cast: Cast) -> None:
    up = {"__name__": "up", "device": "core-1"}
    store(cast.acme, up, [(T0 + ms, float(ms)) for ms in (-1, 0, 1, 999, 1000, 1001)])
    found = read(cast.acme, metric("up"), start_ms=T0, end_ms=T0 + 1000)
    assert [ts - T0 for ts, _ in found[labels_of(up)]] == [0, 1, 999, 1000]


@pytest.mark.parametrize("missing", [None, ("core-3", "b")])
def test_devices_that_are_polled_together(cast: Cast, missing: tuple[str, str] | None) -> None:
    # A port that comes later has its slots behind those of the other metrics.
    ports = {"core-1": ["a", "b", "c"], "core-2": ["a"], "core-3": ["a", "b"], "core-4": ["a", "b", "c"]}
    expected: dict[Labels, list[tuple[int, float]]] = {}
    series = []
    for number, (device, port) in enumerate((device, port) for port in "abc" for device in ports):
        if port not in ports[device]:
            continue
        for offset, name in enumerate(("in", "out")):
            labels = {"__name__": name, "device": device, "port": port}
            store(cast.acme, labels, [(T0 - 3_600_000, 0.0)])
            samples = [(T0 + 60_000 * step, 100.0 * number + 10 * offset + step) for step in range(5)]
            if (device, port) == missing:
                del samples[2]
            series.append((labels, samples))
            expected[labels_of(labels)] = samples
    store_all(cast.acme, series)
    for name in ("in", "out"):
        wanted = {labels: samples for labels, samples in expected.items() if labels[0][1] == name}
        assert read(cast.acme, metric(name), start_ms=T0, end_ms=T0 + 600_000) == wanted


def test_charlie_of_globex_sees_nothing_of_acme(cast: Cast) -> None:
    store(cast.acme, {"__name__": "up", "device": "core-1"}, [(T0, 1.0)])
    describe_metrics(cast.acme, [Metadata("up", "gauge", "Whether it is up.")])
    theirs = Reader(cast.charlie.tenant)
    assert theirs.select(metric("up"), **FOREVER) == []
    assert theirs.series([metric("up")], **FOREVER) == []
    assert theirs.label_names([], **FOREVER) == []
    assert theirs.label_values("device", [], **FOREVER) == []
    assert theirs.metadata() == []


def test_the_same_sample_sent_twice_counts_once_and_the_later_wins(cast: Cast) -> None:
    up = {"__name__": "up", "device": "core-1"}
    for value in (1.0, 1.0, 2.0):
        store(cast.acme, up, [(T0, value), (T0 + 1, 7.0)])
    assert read(cast.acme, metric("up")) == {labels_of(up): [(T0, 2.0), (T0 + 1, 7.0)]}


def test_a_count_over_time_does_not_count_twice(cast: Cast) -> None:
    for _ in range(3):
        store(cast.acme, {"__name__": "up", "device": "core-1"}, [(T0, 1.0), (T0 + 1, 1.0)])
    answer = query_instant(Reader(cast.acme), "count_over_time(up[1m])", at_ms=T0 + 1000)
    assert isinstance(answer, Vector)
    assert answer.values.tolist() == [2.0]


def test_twice_in_one_request_counts_once(cast: Cast) -> None:
    up = {"__name__": "up", "device": "core-1"}
    store(cast.acme, up, [(T0, 1.0), (T0, 3.0)])
    assert read(cast.acme, metric("up")) == {labels_of(up): [(T0, 3.0)]}


def test_parts_of_one_poll_are_merged(cast: Cast) -> None:
    series = [{"__name__": "m", "device": "core-1", "n": f"{n:02}"} for n in range(40)]
    store_all(cast.acme, [(labels, [(T0, 1.0)]) for labels in series[:25]])
    store_all(cast.acme, [(labels, [(T0, 2.0)]) for labels in series[20:]])
    blocks = Reader(cast.acme).select(metric("m"), **FOREVER)
    assert [block.values.shape for block in blocks] == [(1, 40)]
    found = read(cast.acme, metric("m"))
    assert [found[labels_of(labels)][0][1] for labels in series] == [1.0] * 20 + [2.0] * 20


def test_values_that_are_no_numbers_keep_their_bits(cast: Cast) -> None:
    up = {"__name__": "up", "device": "core-1"}
    store(cast.acme, up, [(T0, STALE), (T0 + 1, math.nan), (T0 + 2, math.inf), (T0 + 3, -0.0)])
    (block,) = Reader(cast.acme).select(metric("up"), **FOREVER)
    assert block.values.view(np.uint64)[0, 0] == STALE_BITS
    assert math.isnan(block.values[1, 0])
    assert not is_absent(block.values).any()
    assert math.copysign(1, block.values[3, 0]) == -1


@pytest.mark.parametrize(
    ("matcher", "devices"),
    [
        pytest.param(("device", "=", "core-1"), {"core-1"}, id="equal"),
        pytest.param(("device", "!=", "core-1"), {"core-2", "edge-1", ""}, id="not equal, absent included"),
        pytest.param(("device", "=~", "core-.*"), {"core-1", "core-2"}, id="expression"),
        pytest.param(("device", "=~", "core"), set(), id="an expression is anchored"),
        pytest.param(("device", "=~", "edge-1|"), {"edge-1", ""}, id="an expression that takes the absent"),
        pytest.param(("device", "!~", "core-.*"), {"edge-1", ""}, id="not the expression"),
        pytest.param(("device", "=", ""), {""}, id="absent"),
        pytest.param(("device", "!=", ""), {"core-1", "core-2", "edge-1"}, id="present"),
        pytest.param(("nothing", "=", "x"), set(), id="a label nobody has"),
        pytest.param(("device", "=", "' or 1=1 --"), set(), id="a hostile value"),
    ],
)
def test_matchers(cast: Cast, matcher: tuple[str, str, str], devices: set[str]) -> None:
    for device in ("core-1", "core-2", "edge-1", ""):
        store(cast.acme, {"__name__": "up", "device": device}, [(T0, 1.0)])
    name, op, value = matcher
    found = read(cast.acme, [*metric("up"), Matcher(name, MatchOp(op), value)])
    assert {dict(labels).get("device", "") for labels in found} == devices


def test_a_new_series_appears_in_a_selection_that_is_kept(cast: Cast) -> None:
    for device in ("core-1", "core-2", "core-3"):
        store(cast.acme, {"__name__": "up", "device": device}, [(T0, 1.0)])
        assert {dict(labels)["device"] for labels in read(cast.acme, metric("up"))} >= {device}
    assert len(read(cast.acme, metric("up"))) == 3


def test_a_sparse_group_is_taken_apart(cast: Cast) -> None:
    series = [{"__name__": "lonely", "n": f"{n:02}"} for n in range(40)]
    store_all(
        cast.acme, [(labels, [(T0 + 60 * i + n, float(i)) for i in range(60)]) for n, labels in enumerate(series)]
    )
    blocks = Reader(cast.acme).select(metric("lonely"), **FOREVER)
    assert {block.values.shape for block in blocks} == {(60, 1)}
    assert all(len(pairs) == 60 for pairs in read(cast.acme, metric("lonely")).values())


def test_series_and_labels_of_a_time_range(cast: Cast) -> None:
    store(cast.acme, {"__name__": "up", "device": "core-1", "site": "ber"}, [(T0, 1.0)])
    store(cast.acme, {"__name__": "down", "device": "core-2"}, [(T0 + 3_600_000, 1.0)])
    reader = Reader(cast.acme)
    early = {"start_ms": T0, "end_ms": T0 + 1000}
    assert reader.label_names([], **FOREVER) == ["__name__", "device", "site"]
    assert reader.label_values("device", [], **FOREVER) == ["core-1", "core-2"]
    assert reader.label_values("device", [], **early) == ["core-1"]
    assert reader.label_values("device", [metric("down")], **FOREVER) == ["core-2"]
    assert reader.label_names([metric("down")], **FOREVER) == ["__name__", "device"]
    assert reader.series([metric("up"), metric("down"), metric("up")], **early) == [
        (("__name__", "up"), ("device", "core-1"), ("site", "ber"))
    ]


def test_metadata_is_what_the_sender_said_last(cast: Cast) -> None:
    describe_metrics(cast.acme, [Metadata("up", "gauge", "old"), Metadata("m", "counter", "Octets.", "bytes")])
    describe_metrics(cast.acme, [Metadata("up", "gauge", "new")])
    assert Reader(cast.acme).metadata() == [
        Metadata("m", "counter", "Octets.", "bytes"),
        Metadata("up", "gauge", "new"),
    ]
    assert Reader(cast.acme).metadata("up") == [Metadata("up", "gauge", "new")]


writes = st.lists(
    st.lists(st.tuples(st.integers(0, 45), st.integers(0, 12), st.floats(allow_nan=False)), max_size=80), max_size=5
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(writes)
def test_any_writes_read_as_a_dictionary_would(cast: Cast, batches: list[list[tuple[int, int, float]]]) -> None:
    with platform_session() as session:
        row = TenantRow(name=f"t{np.random.default_rng().integers(2**60)}", title="")
        session.add(row)
        session.flush()
        tenant = TenantId(row.id)
    expected: dict[Labels, dict[int, float]] = defaultdict(dict)
    for batch in batches:
        series = []
        for number, step, value in batch:
            labels = {"__name__": "m", "device": "d", "n": str(number)}
            series.append((labels, [(T0 + step * 3_600_000, value)]))
            expected[labels_of(labels)][T0 + step * 3_600_000] = value
        if series:
            store_all(tenant, series)
    assert read(tenant, metric("m")) == {labels: sorted(pairs.items()) for labels, pairs in expected.items()}

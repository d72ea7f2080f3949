"""A request that is like earlier ones is read as if it were the first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.keys import HashedKeys
from app.errors import DecodeError
from ingest.protocols import remote_write
from ingest.protocols.remote_write_recall import Recall
from tests.factories.prompb import write_request

NOW = 1_770_000_000_000
SERIES = 300


def request(step: int, *, first: int = 0, count: int = SERIES, zeros: frozenset[int] = frozenset()) -> bytes:
    return write_request(
        [
            ({"__name__": f"m{n % 7}", "device": f"sw-{n}"}, [(NOW + step, 0.0 if n in zeros else n + step / 8)])
            for n in range(first, first + count)
        ]
    )


def result_of(body: bytes, recall: Recall | None) -> object:
    try:
        decoded = remote_write.decode(body, recall)
    except DecodeError as error:
        return str(error)
    batch = decoded.batch
    columns = (
        [batch.keys[number] for number in batch.series.tolist()],
        batch.ts_ms.tolist(),
        batch.values.view(np.int64).tolist(),
        [] if batch.positions is None else batch.positions.tolist(),
    )
    return sorted(zip(*columns, strict=True)), list(batch.metadata), decoded.histograms, decoded.exemplars


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(request(2), id="the same series again"),
        pytest.param(request(2, first=77), id="from the middle on"),
        pytest.param(request(2, count=13), id="fewer"),
        pytest.param(request(2, first=250, count=100), id="some known and some new"),
        pytest.param(request(2, zeros=frozenset({0, 5, 6, 299})), id="some values became zero"),
        pytest.param(request(2, first=200, count=100) + request(2, count=100), id="in another order"),
        pytest.param(request(2) + request(2, count=3), id="some twice"),
        pytest.param(write_request([({"__name__": "x"}, [(5, 1.0)])]) + request(2), id="an old time before"),
        pytest.param(request(2)[:-5], id="cut off"),
    ],
)
def test_it_is_read_as_if_it_were_the_first(body: bytes) -> None:
    recall = Recall()
    for step in range(2):
        remote_write.decode(request(step), recall)
    assert result_of(body, recall) == result_of(body, None)


def test_known_series_are_not_cut_out_of_the_request() -> None:
    recall = Recall()
    remote_write.decode(request(0), recall)
    keys = remote_write.decode(request(1), recall).batch.keys
    assert isinstance(keys, HashedKeys)
    assert keys.hashes.tolist() == [hash(key) or 1 for key in keys]
    assert keys[:2] == [keys[0], keys[1]]


def test_what_is_kept_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.protocols.remote_write_recall._MOST_BYTES", 20_000)
    recall = Recall()
    for first in range(0, 3_000, 300):
        remote_write.decode(request(0, first=first), recall)
        assert recall.learned.ends[recall.learned.size] <= 20_000
    assert result_of(request(1, first=2_700), recall) == result_of(request(1, first=2_700), None)


def test_a_sender_that_is_never_alike_is_soon_not_learned() -> None:
    recall = Recall()
    worth = [recall.is_worth_learning(0, 100) for _ in range(2_000)]
    assert all(worth[:500])
    assert sum(worth[-320:]) == 10
    assert not recall.is_worth_learning(1_000, 3)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 30), st.sets(st.integers(0, 60))), min_size=2, max_size=6))
def test_any_sequence_of_requests(shapes: list[tuple[int, int, set[int]]]) -> None:
    recall = Recall()
    for step, (first, count, zeros) in enumerate(shapes):
        body = request(step, first=first, count=count, zeros=frozenset(zeros))
        assert result_of(body, recall) == result_of(body, None)


@given(st.data())
def test_a_damaged_request_is_read_as_if_it_were_the_first(data: st.DataObject) -> None:
    recall, body = Recall(), bytearray(request(1, count=40))
    remote_write.decode(bytes(body), recall)
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(body[: data.draw(st.integers(0, len(body)))])
    assert result_of(damaged, recall) == result_of(damaged, None)

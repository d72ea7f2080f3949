"""What a process keeps of an expression's course: never another tenant's, never too old, only the new steps asked."""

from __future__ import annotations

import numpy as np
import pytest

from app.clock import now_ms
from app.domain.timerange import Window
from app.errors import Forbidden
from app.queries import metrics
from app.queries.course import SETTLED_MS, course, forget
from tests.factories.cast import Cast, token_viewer
from tests.factories.samples import store

STEP_MS = 60_000


@pytest.fixture(autouse=True)
def fresh() -> None:
    """Nothing kept from other tests."""
    forget()


def filled(cast: Cast, minutes: int = 60) -> Window:
    """One sample a minute up to the last full minute; answers the window of them all."""
    end = now_ms() // STEP_MS * STEP_MS
    start = end - (minutes - 1) * STEP_MS
    store(cast.acme, {"__name__": "x", "a": "1"}, [(start + i * STEP_MS, float(i)) for i in range(minutes)])
    return Window(start, end)


def test_it_answers_as_the_query_does(cast: Cast) -> None:
    window = filled(cast)
    early = Window(window.start_ms, window.end_ms - 5 * STEP_MS)
    course(cast.vera, "x", early, STEP_MS)
    # As the window moves on, with the same length.
    moved = Window(window.end_ms - early.length_ms, window.end_ms)
    kept = course(cast.vera, "x", moved, STEP_MS)
    asked = metrics.query_range(cast.vera, "x", start_ms=moved.start_ms, end_ms=moved.end_ms, step_ms=STEP_MS)
    assert list(kept.labels) == list(asked.labels)
    assert kept.ts_ms.tolist() == asked.ts_ms.tolist()
    assert np.array_equal(kept.values, asked.values)


def test_what_is_settled_is_not_asked_again_and_the_rest_is(cast: Cast) -> None:
    window = filled(cast)
    early = Window(window.start_ms, window.end_ms - STEP_MS)
    course(cast.vera, "x", early, STEP_MS)
    store(cast.acme, {"__name__": "x", "a": "1"}, [(window.start_ms + 10 * STEP_MS, -1.0), (window.end_ms, -2.0)])
    values = course(cast.vera, "x", Window(early.start_ms + STEP_MS, window.end_ms), STEP_MS).values[0].tolist()
    assert -1.0 not in values
    assert values[-1] == -2.0
    assert SETTLED_MS < 10 * STEP_MS


def test_a_series_that_comes_later_joins(cast: Cast) -> None:
    window = filled(cast)
    course(cast.vera, "x", Window(window.start_ms, window.end_ms - STEP_MS), STEP_MS)
    store(cast.acme, {"__name__": "x", "a": "0"}, [(window.end_ms, 7.0)])
    found = course(cast.vera, "x", Window(window.start_ms + STEP_MS, window.end_ms), STEP_MS)
    assert [dict(labels)["a"] for labels in found.labels] == ["0", "1"]
    assert found.values[0, -1] == 7.0


def test_another_tenant_gets_none_of_it(cast: Cast) -> None:
    window = filled(cast)
    assert len(course(cast.vera, "x", window, STEP_MS)) == 1
    assert len(course(cast.charlie, "x", window, STEP_MS)) == 0
    with pytest.raises(Forbidden):
        course(token_viewer(cast.alice), "x", window, STEP_MS)

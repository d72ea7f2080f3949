"""What the engine reads: series in groups, as matrices of time × series.

A source (the store's reader, or an array in a test) answers a selector with blocks; the engine asks nothing else of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from app.domain.labels import Labels, Matcher
from app.domain.samples import Float64s, Int64s

# A block is best kept below so many values: beyond 32 MB, which is not much more, each intermediate result is memory
# that the system hands out page by page.
CELLS: Final = 1 << 19


@dataclass(frozen=True)
class SeriesBlock:
    """One series group: what one poll or scrape delivers, over time.

    `labels`: n columns. `ts_ms`: (t,) int64, strictly ascending. `values`: (t, n) float64, where ABSENT
    means "no sample of this series at this time" and STALE is Prometheus's stale marker. `tier_ms` above 0: not the
    samples themselves, which are gone, but the first and the last of every so many milliseconds. `is_apart`: no other
    block of the answer that says so has a series of this one.
    """

    labels: tuple[Labels, ...]
    ts_ms: Int64s
    values: Float64s
    tier_ms: int = 0
    is_apart: bool = False


class SeriesSource(Protocol):
    """Where samples come from, for one tenant."""

    def select(self, matchers: Sequence[Matcher], *, start_ms: int, end_ms: int) -> Sequence[SeriesBlock]:
        """The series that satisfy all matchers, with their samples at start_ms <= ts <= end_ms.

        A series that appears in two blocks is merged by the engine; the later block wins at equal times.
        """
        ...

"""How much one query may cost, and the account of what it has used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from app.errors import QueryError
from app.promql.result import Account


def never() -> bool:
    """A deadline that does not come."""
    return False


@dataclass(frozen=True)
class Limits:
    """The bounds of one query. `expired` answers whether its time is over (the engine has no clock of its own),
    `cancelled` whether nobody waits for the answer any more."""

    max_samples: int = 50_000_000
    max_series: int = 1_000_000
    max_steps: int = 11_000
    lookback_ms: int = 300_000
    subquery_step_ms: int = 60_000
    expired: Callable[[], bool] = field(default=never, compare=False)
    cancelled: Callable[[], bool] = field(default=never, compare=False)


class Budget:
    """What one query has used so far; raises QueryError as soon as a limit is passed."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.samples = 0
        self.series = 0
        self.tier_ms = 0
        self.warnings: dict[str, None] = {}
        self.infos: dict[str, None] = {}
        self.peak = 0

    def load(self, *, series: int, samples: int, tier_ms: int = 0) -> None:
        """Account for what was read from the source, samples or a coarser resolution."""
        self.tier_ms = max(self.tier_ms, tier_ms)
        self.series += series
        self.samples += samples
        if self.series > self.limits.max_series:
            raise QueryError(
                f"query selects more than {self.limits.max_series} series in query execution", kind="execution"
            )
        self.room(0)

    def room(self, cells: int) -> None:
        """Check that an intermediate result of `cells` values still fits, and that time is left."""
        self.peak = max(self.peak, self.samples + cells)
        if self.samples + cells > self.limits.max_samples:
            raise QueryError(
                "query processing would load too many samples into memory in query execution", kind="execution"
            )
        self.check()

    def check(self) -> None:
        """Stop the query when its time is over or nobody waits for it."""
        if self.limits.cancelled():
            raise QueryError("query was canceled in expression evaluation", kind="canceled")
        if self.limits.expired():
            raise QueryError("query timed out in expression evaluation", kind="timeout")

    def warn(self, message: str) -> None:
        """Add a warning to the answer, once."""
        self.warnings[message] = None

    def account(self) -> Account:
        """What has been used and said so far."""
        return Account(self.samples, max(self.peak, self.samples), tuple(self.infos), self.tier_ms)

    def inform(self, message: str) -> None:
        """Add a hint to the answer, once."""
        self.infos[message] = None

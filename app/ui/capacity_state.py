"""The state of Capacity in its address.

`link` (the number of the thing that is shown; the first of the list when it is left out), `h` (30, 90, 180 or 365 days
ahead), `thr` (another threshold, per cent), `growth` (how many times as fast), `kind`, and `q`, words to look for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.domain.forecast.capacity_kinds import KINDS
from app.domain.forecast.capacity_plan import LEAST_GROWTH, LEAST_THRESHOLD, MOST_GROWTH, MOST_THRESHOLD
from app.ui.urlstate import Query

AHEAD: Final = (30, 90, 180, 365)
DEFAULT_AHEAD: Final = 90


@dataclass(frozen=True)
class CapacityState:
    """What is shown; `problems` names what in the address could not be used."""

    item_id: int | None = None
    ahead: int = DEFAULT_AHEAD
    threshold: float | None = None
    growth: float = 1.0
    kind: str = ""
    words: str = ""
    problems: tuple[str, ...] = ()

    @property
    def is_what_if(self) -> bool:
        """Whether something else than what is expected is shown."""
        return self.threshold is not None or self.growth != 1.0

    @classmethod
    def parse(cls, query: Query) -> CapacityState:
        """The state of an address; bad values fall back and are named."""
        problems: list[str] = []
        link, ahead, kind = query.get("link"), query.get("h"), query.get("kind")
        if link and not link.isdigit():
            problems.append(f"link: {link!r} is not a number of the list")
        if ahead and ahead not in map(str, AHEAD):
            problems.append(f"h: {ahead!r} is not one of {', '.join(map(str, AHEAD))}")
        if kind and kind not in KINDS:
            problems.append(f"kind: {kind!r} is not one of {', '.join(KINDS)}")
        return cls(
            item_id=int(link) if link.isdigit() else None,
            ahead=int(ahead) if ahead in map(str, AHEAD) else DEFAULT_AHEAD,
            threshold=_number(query, "thr", LEAST_THRESHOLD, MOST_THRESHOLD, problems),
            growth=1.0 if (growth := _number(query, "growth", LEAST_GROWTH, MOST_GROWTH, problems)) is None else growth,
            kind=kind if kind in KINDS else "",
            words=query.get("q").strip()[:200],
            problems=tuple(problems),
        )


def _number(query: Query, key: str, least: float, most: float, problems: list[str]) -> float | None:
    text = query.get(key)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if least <= value <= most:
        return value
    problems.append(f"{key}: {text!r} is not a number from {least:g} to {most:g}")
    return None

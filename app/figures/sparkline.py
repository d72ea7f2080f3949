"""Sparklines: a few points as one SVG path, light enough for six on a page."""

from __future__ import annotations

import math
from collections.abc import Sequence

WIDTH, HEIGHT = 92, 34


def sparkline_svg(points: Sequence[float], *, css_class: str = "plain") -> str:
    """An SVG document of 92 x 34 with one line; NaN is a gap. Empty when there are under two points."""
    path = sparkline_path(points)
    if not path:
        return ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" class="{css_class}">'
        f'<path d="{path}" fill="none" stroke="#000" stroke-width="1.5" stroke-linejoin="round"/></svg>'
    )


def sparkline_path(points: Sequence[float]) -> str:
    """The `d` of the line, scaled to the box with 2 px above and below."""
    known = [point for point in points if not math.isnan(point)]
    if len(known) < 2:
        return ""
    low, high = min(known), max(known)
    span = (high - low) or 1.0
    across = WIDTH / (len(points) - 1)
    parts: list[str] = []
    is_open = False
    for index, point in enumerate(points):
        if math.isnan(point):
            is_open = False
            continue
        down = HEIGHT / 2 if high == low else 2 + (high - point) / span * (HEIGHT - 4)
        parts.append(f"{'L' if is_open else 'M'}{index * across:.1f} {down:.1f}")
        is_open = True
    return "".join(parts)

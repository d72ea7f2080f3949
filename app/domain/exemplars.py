"""Exemplars: single observations behind a sample, such as the trace that one request belongs to."""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.labels import Labels


@dataclass(frozen=True)
class Exemplar:
    """One exemplar of a series; its own labels say where to look (trace_id)."""

    series: Labels
    labels: Labels
    ts_ms: int
    value: float

"""The anomaly ribbon above a chart, and the window that is asked about, from what the page's address says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import plotly.graph_objects as go

from app.domain.anomaly.ribbon import Ribbon
from app.domain.labels import METRIC, Labels, Matcher, MatchOp
from app.domain.tenancy import READ, Viewer, may
from app.domain.timerange import Window
from app.figures.ribbon import add_ribbon, mark_window
from app.queries.ribbon import ribbon, ribbon_of
from app.ui.urlstate import View

TRAFFIC: Final = "ifHCInOctets|ifHCOutOctets|network_receive_bytes_total|network_transmit_bytes_total"
PROCESSORS: Final = "cpu_utilisation_ratio"
MEMORY: Final = "memory_used_bytes|storage_used_bytes"
# In the address: w=all, or w=<seconds>~<seconds>.
ASKED: Final = "w"
WHOLE: Final = "all"


def of_expression(viewer: Viewer, expr: str, view: View, *, drawn: Sequence[Labels] = ()) -> Ribbon | None:
    """The ribbon of the series that an expression reads, of those that are drawn; None for who may not see it."""
    return ribbon_of(viewer, expr, view.window, drawn=drawn) if may(viewer, READ, "anomalies") else None


def of_device(viewer: Viewer, device: str, metrics: str, view: View, *, interface: str = "") -> Ribbon | None:
    """The ribbon of a device's series of some metrics, or of one interface's; `metrics` is a regular expression."""
    if not may(viewer, READ, "anomalies"):
        return None
    matchers = [Matcher(METRIC, MatchOp.REGEX, metrics), Matcher("device", MatchOp.EQUAL, device)]
    if interface:
        matchers.append(Matcher("ifName", MatchOp.EQUAL, interface))
    return ribbon(viewer, [matchers], view.window)


def add_to(figure: go.Figure, its: Ribbon | None, view: View) -> None:
    """Put the ribbon onto a chart, and mark the window that is asked about."""
    if its is not None:
        add_ribbon(figure, its, zone=view.zone)
    window = asked_window(view)
    if window is not None and view.query.get(ASKED) != WHOLE:
        mark_window(figure, window.start_ms, window.end_ms, zone=view.zone)


def asked_window(view: View) -> Window | None:
    """The window that the address asks about; None where it asks nothing that can be understood."""
    asked = view.query.get(ASKED)
    if asked == WHOLE:
        return view.window
    first, _, last = asked.partition("~")
    if not all(part.isascii() and part.isdigit() and len(part) <= 11 for part in (first, last)):
        return None
    window = Window(int(first) * 1000, int(last) * 1000)
    return window if window.length_ms > 0 else None

"""Components as plain HTML: what devices say stays text."""

from __future__ import annotations

from dash import html

from app.ui.markup import markup


def test_texts_and_attributes_are_escaped() -> None:
    part = html.Span(["<b>a & b</b>", html.I(className="x")], title='"quoted" <i>', style={"maxWidth": "10px"})
    assert markup(part) == (
        '<span style="max-width:10px" title="&quot;quoted&quot; &lt;i&gt;">'
        '&lt;b&gt;a &amp; b&lt;/b&gt;<i class="x"></i></span>'
    )

"""The tokens of Python, CSS and JavaScript are one list."""

from __future__ import annotations

import re

from app.figures.theme import SERIES_DARK, SERIES_LIGHT, TOKENS, base_figure, in_theme, noc_template, swaps, token
from app.ui.static import ASSETS

CSS = (ASSETS / "10-tokens.css").read_text()


def css_tokens(theme: str) -> dict[str, str]:
    start = CSS.index("[data-mantine-color-scheme=" + theme + "]{")
    block = CSS[start : CSS.index("\n}", start)]
    return {name: value.upper() for name, value in re.findall(r"--([\w-]+):(#[0-9A-Fa-f]{6})", block)}


def test_css_and_python_hold_the_same_colours() -> None:
    for place, theme in enumerate(("dark", "light")):
        found = css_tokens(theme)
        assert {name: pair[place] for name, pair in TOKENS.items()} == {name: found[name] for name in TOKENS}
        series = (SERIES_DARK, SERIES_LIGHT)[place]
        assert list(series) == [found[f"s{number}"] for number in range(1, 9)]


def test_the_script_swaps_the_same_colours() -> None:
    script = (ASSETS / "15-charts.js").read_text()
    dark, light = (
        [colour.lower() for colour in re.findall(r"#[0-9A-Fa-f]{6}", script[script.index(f"const {name} = ") :])][:23]
        for name in ("DARK", "LIGHT")
    )
    table = {old: new for old, new in swaps().items() if old.startswith("#")}
    assert dict(zip(dark, light, strict=True)) == table


def test_a_figure_changes_theme_wholly() -> None:
    figure = base_figure()
    figure.add_scatter(y=[1, 2], line={"color": token("critical")}, fillcolor=token("critical", 0.1))
    light = in_theme(figure, "light").to_plotly_json()
    assert light["data"][0]["line"]["color"] == "#bb002c"
    assert light["data"][0]["fillcolor"] == "rgba(187,0,44,0.1)"
    assert TOKENS["t3"][0] not in str(light)
    assert noc_template("light").layout.xaxis.tickfont.color == TOKENS["t3"][1].lower()

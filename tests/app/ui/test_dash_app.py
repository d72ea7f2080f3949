"""The screens as a whole: every door guarded, every page with its twin, static files light and cached."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import zstandard
from redis import Redis

from app.domain.tenancy import READ
from app.ui.login import plain_page, sign_in_page
from app.ui.static import ASSETS
from callbacks import CALLBACKS
from pages import PAGES
from tests.factories.browser import Browser, make_server
from tests.factories.cast import Cast


def names(modules: Any) -> list[str]:
    return [module.__name__.rsplit(".", 1)[-1] for module in modules]


def test_each_page_has_its_callbacks_under_the_same_name() -> None:
    assert names(PAGES) == names(CALLBACKS)


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_each_layout_is_guarded(page: Any) -> None:
    assert page.layout.guarded[0] in ("read", "write", "admin")
    assert page.PATH.startswith("/")
    assert page.TITLE


def callback_map(server: Any) -> dict[str, Any]:
    dispatch = server.view_functions["/_dash-update-component"]
    app = next(cell.cell_contents for cell in dispatch.__closure__ if hasattr(cell.cell_contents, "callback_map"))
    return app.callback_map


def test_each_callback_is_guarded() -> None:
    found = callback_map(make_server())
    assert found
    unguarded = [
        name for name, entry in found.items() if "callback" in entry and not hasattr(entry["callback"], "guarded")
    ]
    assert not unguarded


def test_the_page_is_ours(cast: Cast, valkey: Redis) -> None:
    browser = Browser(make_server(), cast.vera)
    page = browser.get("/").text
    assert '<html lang="en" data-mantine-color-scheme="dark">' in page
    # The settings of ours and of Dash may name the grid; no script tag loads it.
    assert "dash_ag_grid" not in "".join(re.findall(r'<script src="[^"]*"', page))
    assert "plotly.min.js" not in page
    assert "https://" not in re.sub(r'<script id="_dash-config".*?</script>', "", page)
    for script in re.findall(r"<script([^>]*)>(?!</script>)", page):
        assert "_dash-config" in script or "_dash-renderer" in script


def test_nothing_answers_machines_that_talk_to_callbacks() -> None:
    assert not [rule.rule for rule in make_server().url_map.iter_rules() if "mcp" in rule.rule]


def test_a_page_comes_through_its_own_guard(cast: Cast, valkey: Redis) -> None:
    browser = Browser(make_server(), cast.vera)
    answer = ask_for(browser, "/explore", "?t=6h&unknown=kept")
    assert answer["shell-title"]["children"] == "Explore"
    missing = ask_for(browser, "/no/such/page", "")
    assert missing["shell-title"]["children"] == "Not found"


@pytest.mark.parametrize(
    ("came_from", "title"),
    [
        ("http://localhost/explore?t=6h", "Explore"),
        ("http://localhost/no/such/page", "Not found"),
        ("https://evil.example/explore", ""),
        ("", ""),
    ],
)
def test_the_first_page_comes_with_the_frame(cast: Cast, valkey: Redis, came_from: str, title: str) -> None:
    browser = Browser(make_server(), cast.vera)
    layout = browser.get("/_dash-layout", headers={"Referer": came_from}).get_json()
    parts = dict(named_parts(layout))
    assert parts["shell-title"].get("children", "") == title
    assert bool(parts["shell-content"].get("children")) == bool(title)
    assert parts["url"].get("pathname") == (
        came_from.removeprefix("http://localhost").partition("?")[0] if title else None
    )


def named_parts(part: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every component with an id, and its properties."""
    if isinstance(part, list):
        for each in part:
            yield from named_parts(each)
    elif isinstance(part, dict) and "props" in part:
        if isinstance(part["props"].get("id"), str):
            yield part["props"]["id"], part["props"]
        yield from named_parts(part["props"].get("children"))


def ask_for(browser: Browser, pathname: str, search: str) -> dict[str, Any]:
    outputs = ["shell-content.children", "shell-title.children", "shell-subtitle.children"]
    body = {
        "output": f"..{'...'.join(outputs)}..",
        "outputs": [dict(zip(("id", "property"), output.split("."), strict=True)) for output in outputs],
        "inputs": [
            {"id": "url", "property": "pathname", "value": pathname},
            {"id": "shell-reload", "property": "data", "value": 0},
        ],
        "state": [{"id": "url", "property": "search", "value": search}],
        "changedPropIds": ["url.pathname"],
    }
    answer = browser.post("/_dash-update-component", json=body)
    assert answer.status_code == 200, answer.text
    return dict(json.loads(answer.data)["response"])


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip", ""])
def test_static_files_are_small_and_stay(encoding: str) -> None:
    client = make_server().test_client()
    path = "/assets/vendor/plotly-charts-4.1.1.min.js"
    answer = client.get(f"{path}?m=1", headers={"Accept-Encoding": encoding})
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    whole = (ASSETS / "vendor/plotly-charts-4.1.1.min.js").read_bytes()
    if encoding:
        assert answer.headers["Content-Encoding"] == encoding
        assert len(answer.data) < len(whole) / 2.5
    unpack = {"gzip": gzip.decompress, "zstd": zstandard.decompress}.get(encoding)
    if encoding != "br":
        assert (unpack(answer.data) if unpack else answer.data) == whole


def test_a_file_without_its_hash_is_asked_for_again() -> None:
    answer = make_server().test_client().get("/assets/10-tokens.css")
    assert "immutable" not in answer.headers["Cache-Control"]


def test_the_plain_pages_say_what_happened_and_nothing_else() -> None:
    page = sign_in_page(next_path='/a"><script>', email="a@b.example", error="Wrong <b>")
    assert 'name="email"' in page
    assert 'name="password"' in page
    assert 'type="submit"' in page
    assert "<script>" not in page.replace('<script src="/assets/vendor/theme.js"></script>', "")
    assert "Wrong &lt;b&gt;" in page
    assert "abc123" in plain_page(500, request_id="abc123")


def test_people_get_a_page_and_programs_a_document(cast: Cast, valkey: Redis) -> None:
    client = make_server().test_client()
    form = {"email": "x", "password": "y"}
    headers = {"Origin": "https://evil.example", "Accept": "text/html,*/*"}
    answer = client.post("/login", data=form, headers=headers)
    assert (answer.status_code, answer.mimetype) == (403, "text/html")
    assert client.post("/login", data=form, headers={"Origin": "https://evil.example"}).is_json is not None


def test_the_noun_of_pages_is_read() -> None:
    assert {page.layout.guarded[0] for page in PAGES} >= {READ}

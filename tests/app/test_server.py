"""Paths that are neither a route nor a page."""

from __future__ import annotations

import pytest

from tests.factories.browser import Browser, make_server
from tests.factories.cast import Cast


@pytest.mark.parametrize("path", ["/nope", "/admin/nope", "/api/v1/nope", "/inventory/a/b"])
def test_an_unknown_path_is_not_found(cast: Cast, valkey: object, path: str) -> None:
    browser = Browser(make_server(), cast.alice)
    assert browser.client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/", "/alerts", "/inventory/lon1-core-01", "/admin/users"])
def test_a_page_is_found_whatever_it_is_about(cast: Cast, valkey: object, path: str) -> None:
    browser = Browser(make_server(), cast.alice)
    assert browser.client.get(path).status_code == 200

"""Every door is guarded: routes, callbacks, layouts; and every query and action knows for whom it works."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest
from redis import Redis

import app.actions
import app.queries
from app.api.guard import OPEN_PATHS, SAFE_METHODS, SIGN_IN_PATH, STATIC_PREFIXES
from app.domain.tenancy import ADMIN, INGEST, READ, TABLE_NOUNS, VERBS, WRITE, Role, TenantId, Viewer, may
from pages import PAGES
from tests.factories.browser import Browser, make_server
from tests.factories.cast import Cast

# Routes that carry no permission because being signed in is all that they ask for.
SIGNED_IN_IS_ENOUGH = {
    "account.sign_out",
    "account.switch_tenant",
    "account.change_password",
    "health.metrics",  # open on this machine, else for any token
    "/_dash-layout",
    "/_dash-dependencies",
    "/_dash-update-component",  # each callback has its own
    "/_reload-hash",
    "/",
    "/<path:path>",
}
# Functions that work for no viewer: the sign-in itself, and what the scheduler asks across all tenants (ids alone).
NEEDS_NO_VIEWER = {
    "app.actions.account.sign_in",
    "app.actions.erasures.carry_out",  # what a platform admin asked for
    "app.actions.erasures.quiet_in",
    "app.actions.evaluations.enqueue_due_groups",
    "app.actions.notifications.enqueue_due",
    "app.actions.received_alerts.enqueue_expired",
    "app.queries.devices.all_tenants",
}
FIRST_PARAMETERS = {"viewer", "tenant"}
OPENS_A_SESSION = re.compile(r"\b(tenant|platform|writer)_(session|connection)\(")
# Asked with a body because a query string is too short.
READS_BY_POST = {
    "/api/v1/anomalies/score",
    "/api/v1/forecasts/predict",
    "/api/v1/rules/preview",
    "/api/v1/storage/preview",
}


def test_every_route_is_open_on_purpose_or_guarded() -> None:
    server = make_server()
    unguarded = {
        rule.endpoint
        for rule in server.url_map.iter_rules()
        if not hasattr(server.view_functions[rule.endpoint], "guarded")
        and rule.rule not in OPEN_PATHS | {SIGN_IN_PATH}
        and not rule.rule.startswith(STATIC_PREFIXES)
    }
    assert unguarded <= SIGNED_IN_IS_ENOUGH, unguarded - SIGNED_IN_IS_ENOUGH


def test_what_only_reads_asks_for_reading_and_what_changes_for_more() -> None:
    server = make_server()
    for rule in server.url_map.iter_rules():
        guard = getattr(server.view_functions[rule.endpoint], "guarded", None)
        methods = (rule.methods or set()) - SAFE_METHODS
        if guard is None or rule.rule in READS_BY_POST or rule.endpoint.startswith("prometheus."):
            continue
        assert guard[0] in ({READ} if not methods else {WRITE, ADMIN, INGEST}), (rule.rule, guard)


def test_every_view_of_ours_is_in_the_openapi_document() -> None:
    server = make_server()
    missing = {
        rule.rule
        for rule in server.url_map.iter_rules()
        if server.view_functions[rule.endpoint].__module__.startswith("app.api.resources")
        and rule.rule.startswith("/api/")
        and not hasattr(server.view_functions[rule.endpoint], "documented")
    }
    assert not missing


def test_every_callback_is_guarded() -> None:
    unguarded = [name for name, callback in _callbacks().items() if _guard_of(callback) is None]
    assert not unguarded


def test_every_layout_is_guarded() -> None:
    assert not [page.PATH for page in PAGES if not hasattr(page.layout, "guarded")]


def test_a_viewer_may_open_what_reads_and_nothing_that_administers(cast: Cast) -> None:
    for page in PAGES:
        verb, noun = page.layout.guarded
        is_admin_page = page.PATH.startswith("/admin")
        assert is_admin_page or may(cast.vera, verb, noun), page.PATH


@pytest.mark.parametrize("package", [app.queries, app.actions])
def test_every_query_and_action_knows_for_whom(package: Any) -> None:
    for_nobody = {
        name for name, parameter in _first_parameters(package, _opens_a_session) if parameter not in FIRST_PARAMETERS
    }
    assert for_nobody <= NEEDS_NO_VIEWER


@pytest.mark.parametrize("package", ["queries", "actions"])
def test_every_query_and_action_has_its_test_with_the_other_tenant(package: str) -> None:
    found = _first_parameters(import_module(f"app.{package}"), lambda source: True)
    modules = {name.split(".")[2] for name, parameter in found if parameter == "viewer"}
    texts = [path.read_text() for path in Path("tests").rglob("test_*.py")]
    tested = {name for name in modules for text in texts if "charlie" in text and _imports(text, package, name)}
    assert modules - tested == set()


def test_an_anonymous_caller_opens_no_route(cast: Cast, valkey: Redis) -> None:
    client = make_server().test_client()
    for rule in make_server().url_map.iter_rules():
        if rule.rule in OPEN_PATHS | {SIGN_IN_PATH, "/metrics"} or rule.rule.startswith(STATIC_PREFIXES):
            continue
        path = re.sub(r"<[^>]+>", "1", rule.rule)
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            answer = client.open(path, method=method)
            sent_away = answer.status_code == 302 and answer.headers["Location"].startswith("/login")
            assert answer.status_code == 401 or sent_away, (method, path, answer.status_code)


def test_a_viewer_changes_nothing(cast: Cast, valkey: Redis) -> None:
    browser = Browser(make_server(), cast.vera)
    server = make_server()
    for rule in server.url_map.iter_rules():
        guard = getattr(server.view_functions[rule.endpoint], "guarded", None)
        if guard is None or may(cast.vera, *guard):
            continue
        path = re.sub(r"<[^>]+>", "1", rule.rule)
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            assert browser.send(method, path, json={}).status_code == 403, (method, path)


def test_the_roles_grow() -> None:
    for noun in (*TABLE_NOUNS, "pages"):
        for verb in VERBS:
            holders = [role for role in Role if _builtin_may(role, verb, noun)]
            assert holders == list(Role)[len(Role) - len(holders) :], (noun, verb)


def test_dash_runs_without_its_back_doors(cast: Cast, valkey: Redis) -> None:
    server = make_server()
    rules = {rule.rule for rule in server.url_map.iter_rules()}
    assert not [rule for rule in rules if "mcp" in rule or "_alive" in rule or "error" in rule]
    assert not server.debug
    assert not any(callback.get("background") for callback in _callbacks().values())


def _builtin_may(role: Role, verb: str, noun: str) -> bool:
    return may(Viewer(tenant=TenantId(1), tenant_name="acme", name="x", role=role), verb, noun)


def _callbacks() -> dict[str, Any]:
    """The server's callbacks that run Python."""
    dash_app = make_server().extensions["watchfloor.dash"]
    found = {name: callback for name, callback in dash_app.callback_map.items() if "callback" in callback}
    assert found
    return found


def _guard_of(callback: dict[str, Any]) -> tuple[str, str] | None:
    function = callback["callback"]
    while function is not None:
        guard: tuple[str, str] | None = getattr(function, "guarded", None)
        if guard is not None:
            return guard
        function = getattr(function, "__wrapped__", None)
    return None


def _opens_a_session(source: str) -> bool:
    return OPENS_A_SESSION.search(source) is not None


def _first_parameters(package: Any, is_wanted: Callable[[str], bool]) -> list[tuple[str, str]]:
    """The public functions whose source is wanted, each with its first parameter."""
    found = []
    for module_info in iter_modules(package.__path__, package.__name__ + "."):
        module = import_module(module_info.name)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            is_own = function.__module__ == module.__name__ and not name.startswith("_")
            if is_own and is_wanted(inspect.getsource(function)):
                parameters = list(inspect.signature(function).parameters)
                found.append((f"{module.__name__}.{name}", parameters[0] if parameters else ""))
    return found


def _imports(text: str, package: str, name: str) -> bool:
    one = re.search(rf"from app\.{package}\.{name} import|import app\.{package}\.{name}\b", text)
    listed = re.search(rf"from app\.{package} import [^\n]*\b{name}\b", text)
    block = re.search(rf"from app\.{package} import \([^)]*\b{name}\b", text)
    return bool(one or listed or block)

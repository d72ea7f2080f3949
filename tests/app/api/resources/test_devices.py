"""The inventory over REST: paging, filters, changes, and the wall between tenants."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from redis import Redis

from app.auth.sealing import open_keyring
from app.domain.inventory import Neighbour
from app.domain.tenancy import Scope
from tests.factories.browser import make_server, token_for
from tests.factories.cast import Cast
from tests.factories.inventory import COMMUNITY, create_network, discover
from tests.factories.servers import SECRET_KEY


@pytest.fixture
def server(cast: Cast, valkey: Redis) -> Flask:
    open_keyring(SECRET_KEY)
    return make_server()


class Program:
    """A program with a token; asks and answers JSON."""

    def __init__(self, server: Flask, headers: dict[str, str]) -> None:
        self._client = server.test_client()
        self._headers = headers

    def __call__(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        response = self._client.open(f"/api/v1/{path}", method=method, json=body, headers=self._headers)
        return response.status_code, response.get_json(silent=True)


def test_a_device_is_made_found_changed_and_deleted(cast: Cast, server: Flask) -> None:
    ask = Program(server, token_for(cast.alice, Scope.ADMIN))
    assert ask("POST", "sites", {"name": "berlin"})[0] == 201
    assert ask("POST", "credentials", {"name": "v2c", "community": COMMUNITY})[0] == 201
    status, made = ask(
        "POST",
        "devices",
        {"name": "core-1", "address": "192.0.2.1", "site": "berlin", "credential": "v2c", "tags": ["x"]},
    )
    assert (status, made["site"], made["poll_interval_s"], made["is_reachable"]) == (201, "berlin", 60, None)
    assert ask("POST", "devices", {"name": "core-1"})[0] == 409
    assert ask("PATCH", "devices/core-1", {"role": "core"})[1]["role"] == "core"
    assert ask("GET", f"devices/{made['id']}")[1]["name"] == "core-1"
    assert ask("POST", "devices/core-1/discover")[0] == 202
    assert COMMUNITY not in str(ask("GET", "credentials")[1])
    assert ask("PATCH", "credentials/v2c", {"community": "new"})[0] == 200
    assert ask("PATCH", "sites/berlin", {"latitude": 52.5})[1]["latitude"] == 52.5
    for path in ("devices/core-1", "sites/berlin", "credentials/v2c"):
        assert ask("DELETE", path)[0] == 204
        assert ask("DELETE", path)[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "devices", {"name": "x", "colour": "red"}, ""),
        ("POST", "devices", {"name": "x", "port": "many"}, "port"),
        ("POST", "devices", {"name": "x", "port": 70_000}, "port"),
        ("POST", "sites", {"name": "x", "latitude": 100}, "latitude"),
        ("GET", "devices?is_reachable=perhaps", None, "is_reachable"),
        ("GET", "devices?sort=colour", None, "sort"),
        ("GET", "devices?cursor=forged", None, "cursor"),
    ],
)
def test_bad_input_is_400_and_names_its_field(
    cast: Cast, server: Flask, method: str, path: str, body: object, field: str
) -> None:
    status, problem = Program(server, token_for(cast.alice, Scope.ADMIN))(method, path, body)
    assert status == 400
    assert field in problem["field"]


def test_lists_are_paged_and_filtered(cast: Cast, server: Flask) -> None:
    devices = create_network(cast.alice, *(f"sw-{number:02}" for number in range(7)))
    discover(devices[0], cast.alice, "Gi1", "Gi2", "Gi3", neighbours=(Neighbour("Gi1", "sw-01", "", "Gi1"),))
    discover(devices[1], cast.alice, "Gi1", neighbours=(Neighbour("Gi1", "sw-00", "", "Gi1"),))
    ask = Program(server, token_for(cast.alice, Scope.READ))

    def walk(path: str) -> list[dict]:
        items, cursor = [], ""
        while cursor is not None:
            page = ask("GET", f"{path}{'&' if '?' in path else '?'}limit=3" + (f"&cursor={cursor}" if cursor else ""))[
                1
            ]
            assert len(page["items"]) <= 3
            items += page["items"]
            cursor = page["next"]
        return items

    assert [each["name"] for each in walk("devices?sort=-name")] == [f"sw-{n:02}" for n in reversed(range(7))]
    assert [each["name"] for each in walk("devices?text=sw-03")] == ["sw-03"]
    assert [(each["device"], each["name"]) for each in walk("interfaces?text=Gi")] == [
        ("sw-00", "Gi1"), ("sw-00", "Gi2"), ("sw-00", "Gi3"), ("sw-01", "Gi1"),
    ]  # fmt: skip
    port = walk("interfaces?device=sw-01")[0]
    assert ask("GET", f"interfaces/{port['id']}")[1]["device"] == "sw-01"
    assert len(ask("GET", "devices/sw-00/interfaces")[1]["items"]) == 3
    [link] = walk("links")
    assert (link["a_device"], link["b_device"], link["is_confirmed"]) == ("sw-00", "sw-01", True)
    assert ask("GET", f"links/{link['id']}")[1]["b_interface"] == "Gi1"
    assert [each["name"] for each in walk("sites")] == ["berlin"]


def test_charlie_of_globex_sees_nothing_of_acme(cast: Cast, server: Flask) -> None:
    one, two = create_network(cast.alice, "core-1", "core-2")
    discover(two, cast.alice, "Gi1")
    discover(one, cast.alice, "Gi1", neighbours=(Neighbour("Gi1", "core-2", "", "Gi1"),))
    mine = Program(server, token_for(cast.alice, Scope.READ))
    port, link = mine("GET", "interfaces")[1]["items"][0]["id"], mine("GET", "links")[1]["items"][0]["id"]
    ask = Program(server, token_for(cast.charlie, Scope.ADMIN))
    for noun in ("devices", "interfaces", "sites", "links", "credentials"):
        assert ask("GET", noun) == (200, {"items": [], "next": None})
    for path in (
        "devices/core-1", f"devices/{one.id}", "devices/core-1/interfaces", f"interfaces/{port}", f"links/{link}",
        "sites/berlin",
    ):  # fmt: skip
        assert ask("GET", path)[0] == 404
    for method, path, body in (
        ("PATCH", "devices/core-1", {"role": "x"}),
        ("DELETE", "devices/core-1", None),
        ("DELETE", f"links/{link}", None),
        ("POST", "devices/core-1/discover", None),
        ("DELETE", "sites/berlin", None),
        ("DELETE", "credentials/v2c", None),
    ):
        assert ask(method, path, body)[0] == 404


def test_a_token_that_reads_changes_nothing(cast: Cast, server: Flask) -> None:
    create_network(cast.alice, "core-1")
    ask = Program(server, token_for(cast.alice, Scope.READ))
    assert ask("POST", "devices", {"name": "x"})[0] == 403
    assert ask("DELETE", "devices/core-1")[0] == 403
    assert ask("POST", "devices/core-1/discover")[0] == 403
    assert ask("POST", "credentials", {"name": "x", "community": "y"})[0] == 403

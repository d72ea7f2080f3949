"""The inventory: its rows and filters, and how a device gets into it."""

from __future__ import annotations

import pytest
from dash import no_update
from redis import Redis

from app.actions.devices import change_device, create_device
from app.domain.inventory import DeviceFields
from app.domain.tenancy import Viewer
from app.errors import Forbidden
from app.queries.devices import devices
from callbacks import inventory
from tests.factories.cast import Cast
from tests.factories.inventory import create_network, discover
from tests.factories.screens import acting, attributes, words

FORM = {
    "name": "new1",
    "address": "127.0.0.1",
    "port": "161",
    "credential": "",
    "site": "",
    "role": "access",
    "interval": "60",
}


def add(viewer: Viewer, community: str = "", **changes: str) -> tuple[object, object, str]:
    """Submit the form; answers whether it stays open, its error, and the notice."""
    with acting(viewer) as shown:
        is_open, error = inventory.add_device(1, community, *{**FORM, **changes}.values())
        return is_open, error, shown.notice


@pytest.fixture
def network(cast: Cast, valkey: Redis) -> Cast:
    """Two polled devices of acme and one that reports by an agent."""
    first, _ = create_network(cast.alice, "r1", "r2")
    discover(first, cast.alice, "ge0", "ge1")
    create_device(cast.alice, DeviceFields(name="host1", address="", role="server"))
    return cast


def test_the_rows_with_chips_and_total(network: Cast) -> None:
    with acting(network.vera):
        rows, chips, total, empty = inventory.show_devices("", None, None, 0, None)
    by_name = {row["name"]: row for row in rows}
    assert list(by_name) == ["host1", "r1", "r2"]
    assert by_name["r1"]["status"] == "unknown"
    assert by_name["host1"]["status"] == "silent"
    assert by_name["host1"]["ports"] is None
    assert total == "3 devices"
    assert "Agent silent 1" in words(chips)
    assert "site:berlin" in attributes(chips, "data-add")
    assert empty is None


def test_the_address_filters_and_the_empty_list_says_so(network: Cast) -> None:
    with acting(network.vera):
        rows, _, total, _ = inventory.show_devices("?f=site:berlin&q=r2", None, None, 0, None)
        assert [row["name"] for row in rows] == ["r2"]
        assert total == "1 devices"
        _, _, total, empty = inventory.show_devices("?state=down", None, None, 0, None)
    assert total == "0 of 3 devices"
    assert "state down" in words(empty)


def test_a_device_is_added_with_a_community_of_its_own(network: Cast) -> None:
    is_open, error, notice = add(network.alice, "s3cret-community", site="berlin")
    assert (is_open, error) == (False, "")
    assert "new1 is added" in notice
    made = {each.name: each for each in devices(network.alice)}["new1"]
    assert (made.credential, made.site, made.role) == ("new1", "berlin", "access")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"port": "many"}, "whole number"),
        ({"name": ""}, "name"),
        ({"name": "r1"}, "r1"),
        ({"address": "a b"}, "address"),
    ],
)
def test_what_is_wrong_stands_in_the_form(network: Cast, changes: dict[str, str], says: str) -> None:
    is_open, error, notice = add(network.alice, **changes)
    assert is_open is not False
    assert says in str(error)
    assert not notice


def test_the_form_opens_with_the_choices(network: Cast) -> None:
    with acting(network.alice):
        is_open, sites, credentials, error = inventory.open_form(1)
    assert (is_open, error) == (True, "")
    assert sites == [{"value": "berlin", "label": "berlin Berlin"}]
    assert {"value": "v2c", "label": "v2c"} in credentials


def test_a_viewer_adds_nothing(network: Cast) -> None:
    with acting(network.vera) as shown:
        assert inventory.add_device(1, "", *FORM.values()) is no_update
        assert inventory.open_form(1) is no_update
    assert "does not allow" in shown.notice
    with acting(network.vera), pytest.raises(Forbidden):
        inventory.add_device.__wrapped__(1, "", *FORM.values())
    assert "new1" not in {each.name for each in devices(network.vera)}


def test_charlie_of_globex_sees_nothing_of_acme(network: Cast) -> None:
    with acting(network.charlie):
        rows, chips, total, empty = inventory.show_devices("", None, None, 0, None)
        _, sites, credentials, _ = inventory.open_form(1)
    assert rows == [] and sites == [] and credentials == []
    assert total == "0 devices"
    assert "berlin" not in words(chips) + str(attributes(chips, "data-add"))
    assert "No devices yet" in words(empty)


def test_maintenance_is_a_state_of_its_own(network: Cast) -> None:
    change_device(network.alice, "host1", DeviceFields(state="maintenance"))
    with acting(network.vera):
        rows = inventory.show_devices("?state=maintenance", None, None, 0, None)[0]
    assert [row["name"] for row in rows] == ["host1"]

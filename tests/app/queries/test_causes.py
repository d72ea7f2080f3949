"""What else happened, and the guess at the cause, on a small network: core-1 -- agg-1 -- acc-1, agg-1 -- acc-2."""

from __future__ import annotations

import pytest
from redis import Redis

from app.domain.alerting.rules import Rule
from app.domain.labels import Labels, labels_of
from app.domain.tenancy import Viewer
from app.errors import NotFound
from app.queries import alerts
from app.queries.alerts import AlertFilter
from app.queries.causes import Related, related
from models.inventory import DeviceRow, InterfaceRow, LinkRow
from models.session import tenant_session
from tests.factories.alerting import Rounds
from tests.factories.cast import Cast

LINKS = (("core-1", "e1", "agg-1", "u1"), ("agg-1", "d1", "acc-1", "u1"), ("agg-1", "d2", "acc-2", "u1"))


@pytest.fixture
def _network(cast: Cast, valkey: Redis) -> None:
    with tenant_session(cast.acme) as session:
        devices = {
            name: DeviceRow(tenant_id=cast.acme, name=name, address=f"10.0.0.{index}")
            for index, name in enumerate(("core-1", "agg-1", "acc-1", "acc-2"))
        }
        session.add_all(devices.values())
        session.flush()
        ports = {}
        for a, a_port, b, b_port in LINKS:
            for device, port in ((a, a_port), (b, b_port)):
                ports[device, port] = InterfaceRow(
                    tenant_id=cast.acme, device_id=devices[device].id, name=port, if_index=1
                )
        session.add_all(ports.values())
        session.flush()
        for a, a_port, b, b_port in LINKS:
            session.add(
                LinkRow(
                    tenant_id=cast.acme,
                    a_device_id=devices[a].id,
                    a_interface_id=ports[a, a_port].id,
                    b_device_id=devices[b].id,
                    b_interface_id=ports[b, b_port].id,
                    b_device_name=b,
                    b_interface_name=b_port,
                )
            )


def fire(viewer: Viewer, unreachable: list[str], down: list[tuple[str, str]]) -> None:
    """These devices do not answer and these ports are down."""
    groups = (
        ("unreachable", [labels_of({"device": name, "site": "berlin"}) for name in unreachable]),
        ("link-down", [labels_of({"device": name, "ifName": port, "site": "berlin"}) for name, port in down]),
    )
    for alert_class, series in groups:
        rows: list[tuple[Labels, float]] = [(labels, 1.0) for labels in series]
        Rounds(viewer, Rule(alert_class, "x", alert_class=alert_class), name=alert_class).round(*rows)


def around(viewer: Viewer, device: str, interface: str = "") -> Related:
    [found] = [
        alert for alert in alerts.open_alerts(viewer, AlertFilter(device=device)) if alert.interface == interface
    ]
    return related(viewer, found.id)


@pytest.mark.usefixtures("_network")
@pytest.mark.parametrize(
    ("unreachable", "down", "device", "interface", "sentence"),
    [
        pytest.param(["agg-1"], [("core-1", "e1")], "core-1", "e1", "agg-1, at the other end", id="far end is away"),
        pytest.param(
            [], [("agg-1", "d1"), ("acc-1", "u1")], "agg-1", "d1", "the line is probably cut", id="both ends down"
        ),
        pytest.param(["agg-1", "acc-1"], [], "acc-1", "", "agg-1, which acc-1 is connected through", id="upstream"),
        pytest.param(["agg-1", "acc-1"], [], "agg-1", "", None, id="not downstream"),
        pytest.param(["acc-1"], [("agg-1", "d1")], "acc-1", "", "agg-1 d1", id="neighbours lost it"),
        pytest.param(["core-1", "acc-1", "acc-2"], [], "acc-2", "", "3 devices at berlin", id="whole site"),
        pytest.param(["acc-1"], [("acc-1", "u1")], "acc-1", "u1", "acc-1 does not answer", id="device itself"),
        pytest.param([], [("agg-1", "d1")], "agg-1", "d1", None, id="alone"),
    ],
)
def test_likely_cause(
    cast: Cast,
    unreachable: list[str],
    down: list[tuple[str, str]],
    device: str,
    interface: str,
    sentence: str | None,
) -> None:
    fire(cast.alice, unreachable, down)
    cause = around(cast.vera, device, interface).cause
    assert (cause is None) if sentence is None else (cause is not None and sentence in cause.sentence)


@pytest.mark.usefixtures("_network")
def test_the_nearest_comes_first(cast: Cast) -> None:
    fire(cast.alice, ["acc-1"], [("agg-1", "d1"), ("acc-1", "u1"), ("core-9", "e9")])
    found = around(cast.vera, "acc-1")
    assert [other.device for other in found.alerts] == ["acc-1", "agg-1", "core-9"]


@pytest.mark.usefixtures("_network")
def test_charlie_of_globex_sees_nothing(cast: Cast) -> None:
    fire(cast.alice, ["acc-1"], [])
    [alert] = alerts.open_alerts(cast.alice, AlertFilter())
    with pytest.raises(NotFound):
        related(cast.charlie, alert.id)
    fire(cast.charlie, ["acc-1"], [])
    assert around(cast.charlie, "acc-1") == Related((), None)

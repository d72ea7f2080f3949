"""The demo is made once; made again it keeps every password and token, and mends what is missing."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from redis import Redis

from app.auth.operator import operator_of
from app.auth.sealing import open_keyring
from app.auth.tokens import viewer_for_token
from app.demo.network import build_network
from app.demo.ports import reserve_ports
from app.demo.seed import seed
from app.domain.tenancy import Scope
from app.notify.base import open_outbound
from app.queries import channels, devices, sites, tenants, tokens, users
from app.settings import Settings
from tests.factories.database import RolledBackDatabase
from tests.factories.servers import SECRET_KEY

URL = "http://127.0.0.1:8050"


@pytest.fixture(autouse=True)
def opened() -> None:
    """What a process opens before it seeds, besides its connections."""
    open_keyring(SECRET_KEY)
    open_outbound(Settings.from_env({}))


@pytest.fixture
def made(db: RolledBackDatabase, valkey: Redis, tmp_path: Path) -> Path:
    seed(tmp_path, URL)
    return tmp_path


def credentials(home: Path) -> dict:
    return json.loads((home / "credentials.json").read_text())


def test_credentials_are_as_promised_and_private(made: Path):
    content = credentials(made)
    assert content["url"] == URL
    assert [tenant["name"] for tenant in content["tenants"]] == ["acme", "globex"]
    for tenant in content["tenants"]:
        assert {user["role"] for user in tenant["users"]} == {"admin", "analyst", "viewer"}
        assert set(tenant["tokens"]) == {"ingest", "read", "write", "admin"}
    assert set(content["platform_admin"]) == {"email", "password"}
    for path in (made / "credentials.json", made / "demo" / "agent_token", made / "demo" / "communities.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    # Each token opens its own tenant with its own scope.
    for tenant in content["tenants"]:
        for scope, secret in tenant["tokens"].items():
            viewer = viewer_for_token(secret, "127.0.0.1")
            assert (viewer.tenant_name, viewer.scopes) == (tenant["name"], frozenset({Scope(scope)}))


def test_every_device_is_there_at_its_port_and_charlie_of_globex_sees_none_of_acme(made: Path):
    network, ports = build_network(), reserve_ports(made, build_network())
    viewer = operator_of("acme")
    there = {device.name: device for device in devices.devices(viewer)}
    for device in network.of_tenant("acme"):
        found = there.pop(device.name)
        assert (found.address, found.port, found.site) == ("127.0.0.1", ports[device.name], device.place.name)
        assert (found.role, found.credential, found.poll_interval_s) == (device.role, "snmp-demo", 15)
    [machine] = there.values()
    assert (machine.address, machine.role) == ("", "server")
    others = {device.name for device in devices.devices(operator_of("globex"))}
    assert others == {device.name for device in network.of_tenant("globex")}
    assert all(site.latitude and site.time_zone != "UTC" for site in sites.sites(viewer))
    # The tenants take old samples, and their channel is off.
    for name in ("acme", "globex"):
        viewer = operator_of(name)
        assert tenants.tenant(viewer, name).accept_from is not None
        assert [channel.is_enabled for channel in channels.channels(viewer)] == [False]


def test_made_again_it_changes_nothing(made: Path):
    viewer = operator_of("acme")
    before = credentials(made), devices.devices(viewer), tokens.tokens(viewer), users.users(viewer)
    seed(made, URL)
    assert (credentials(made), devices.devices(viewer), tokens.tokens(viewer), users.users(viewer)) == before


def test_lost_credentials_are_replaced(own_db: str, valkey: Redis, tmp_path: Path):
    seed(tmp_path, URL)
    lost = credentials(tmp_path)
    (tmp_path / "credentials.json").unlink()
    seed(tmp_path, URL)
    found = credentials(tmp_path)
    assert found["tenants"][0]["users"][0]["password"] != lost["tenants"][0]["users"][0]["password"]
    secret = found["tenants"][1]["tokens"]["read"]
    assert secret != lost["tenants"][1]["tokens"]["read"]
    assert viewer_for_token(secret, "127.0.0.1").tenant_name == "globex"


def test_devices_follow_ports_that_had_to_move(made: Path):
    path = made / "demo" / "ports.json"
    path.write_text(json.dumps({name: port + 7 for name, port in json.loads(path.read_text()).items()}))
    moved = reserve_ports(made, build_network())
    seed(made, URL)
    assert {d.name: d.port for d in devices.devices(operator_of("globex"))}.items() <= moved.items()

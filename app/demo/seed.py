"""Makes the demo's tenants with all that people need to try them; again and again without doing harm.

Everything goes through the actions that people use. What only the first making tells (passwords, tokens) is kept in
credentials.json; a secret that got lost there is replaced by a new one.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import gethostname
from typing import Any, Final

import msgspec

from app.actions import channels, credentials, devices, sites, tenants, tokens, users
from app.auth.operator import operator, operator_of
from app.clock import now_ms
from app.demo.communities import communities
from app.demo.journal import beginning, demo_folder, read_json, write_atomically
from app.demo.network import Device, Network, build_network
from app.demo.places import ACME, ORGANISATIONS, Organisation
from app.demo.ports import ADDRESS, reserve_ports
from app.demo.traffic import HISTORY_DAYS
from app.domain.inventory import DeviceFields, SiteFields
from app.domain.tenancy import Role, Scope, Viewer
from app.errors import NotFound
from app.queries import channels as channel_queries
from app.queries import credentials as credential_queries
from app.queries import devices as device_queries
from app.queries import sites as site_queries
from app.queries import tenants as tenant_queries
from app.queries import tokens as token_queries
from app.queries import users as user_queries

POLL_INTERVAL_S: Final = 15
CREDENTIAL: Final = "snmp-demo"
AGENT_SITE: Final = "fra1"
# Enough for the history to come in as fast as the machine can take it.
LIMITS: Final = {"samples_per_s": 2_000_000, "raw_retention_days": 30}
PEOPLE: Final = {
    "acme": (
        ("alice", "Alice Lindqvist", Role.ADMIN),
        ("bob", "Bob Okafor", Role.ANALYST),
        ("vera", "Vera Tanaka", Role.VIEWER),
    ),
    "globex": (
        ("charlie", "Charlie Byrne", Role.ADMIN),
        ("dana", "Dana Keller", Role.ANALYST),
        ("gil", "Gil Moretti", Role.VIEWER),
    ),
}
PLATFORM_ADMIN: Final = ("root@watchfloor.example", "Platform Admin")


def seed(home: Path, base_url: str) -> None:
    """Make the demo, or what is missing of it, and write credentials.json."""
    began = beginning(home, now_ms())
    network = build_network(began.seed)
    ports = reserve_ports(home, network)
    known = _known_secrets(home)
    listed = []
    for organisation in ORGANISATIONS:
        _make_tenant(organisation, began.epoch_ms)
        viewer = operator_of(organisation.name)
        people = _make_people(viewer, known)
        handed_out = _make_tokens(viewer, known)
        _make_inventory(viewer, organisation, network, home=home, ports=ports)
        _make_channel(viewer)
        listed.append({"name": organisation.name, "users": people, "tokens": handed_out})
    follow_ports(home)
    admin = _make_platform_admin(known)
    content = {"url": base_url, "tenants": listed, "platform_admin": admin}
    write_atomically(home / "credentials.json", msgspec.json.format(msgspec.json.encode(content)), mode=0o600)
    ingest_token = listed[0]["tokens"]["ingest"]  # type: ignore[index]  # the tokens are a dict
    write_atomically(demo_folder(home) / "agent_token", str(ingest_token).encode(), mode=0o600)


def follow_ports(home: Path) -> None:
    """Tell the inventory where the simulated devices answer now."""
    ports = reserve_ports(home, build_network(beginning(home, now_ms()).seed))
    for organisation in ORGANISATIONS:
        viewer = operator_of(organisation.name)
        for device in device_queries.devices(viewer):
            if ports.get(device.name, device.port) != device.port:
                devices.change_device(viewer, device.name, DeviceFields(port=ports[device.name]))


def _known_secrets(home: Path) -> dict[str, str]:
    """Passwords by e-mail, and token secrets by "tenant/scope", as credentials.json has them."""
    content: dict[str, Any] = read_json(home / "credentials.json")
    known: dict[str, str] = {}
    for tenant in content.get("tenants", []):
        known |= {user["email"]: user["password"] for user in tenant["users"]}
        known |= {f"{tenant['name']}/{scope}": secret for scope, secret in tenant["tokens"].items()}
    admin = content.get("platform_admin")
    return known | ({admin["email"]: admin["password"]} if admin else {})


def _make_tenant(organisation: Organisation, epoch_ms: int) -> None:
    opens = datetime.fromtimestamp(epoch_ms / 1000, UTC) - timedelta(days=HISTORY_DAYS + 1)
    try:
        tenant_queries.tenant(operator(), organisation.name)
    except NotFound:
        tenants.create(operator(), organisation.name, title=organisation.title, accept_from=opens)
        tenants.change(operator(), organisation.name, LIMITS)


def _make_people(viewer: Viewer, known: dict[str, str]) -> list[dict[str, str]]:
    people = []
    for first, name, role in PEOPLE[viewer.tenant_name]:
        email = f"{first}@{viewer.tenant_name}.example"
        password = _make_person(viewer, known, email=email, name=name, role=role)
        people.append({"email": email, "password": password, "role": role.value})
    return people


def _make_person(viewer: Viewer, known: dict[str, str], *, email: str, name: str, role: Role) -> str:
    """The person's password: the known one, else a new one."""
    there = {person.email: person.id for person in user_queries.users(viewer)}
    password = known.get(email) or secrets.token_urlsafe(12)
    if email not in there:
        users.create(viewer, email=email, name=name, role=role, password=password)
    elif email not in known:
        users.reset_password(viewer, there[email], password)
    return password


def _make_platform_admin(known: dict[str, str]) -> dict[str, str]:
    email, name = PLATFORM_ADMIN
    viewer = operator_of(ACME.name)
    password = _make_person(viewer, known, email=email, name=name, role=Role.ADMIN)
    person = next(person for person in user_queries.users(viewer) if person.email == email)
    if not person.is_platform_admin:
        users.make_platform_admin(viewer, person.id)
    return {"email": email, "password": password}


def _make_tokens(viewer: Viewer, known: dict[str, str]) -> dict[str, str]:
    """A token of each scope; one whose secret is lost is revoked and made anew."""
    there = {token.name: token for token in token_queries.tokens(viewer) if token.revoked_at is None}
    handed_out = {}
    for scope in Scope:
        name, secret = f"demo {scope.value}", known.get(f"{viewer.tenant_name}/{scope.value}")
        present = there.get(name)
        if present and secret and secret.startswith(present.prefix):
            handed_out[scope.value] = secret
            continue
        if present:
            tokens.revoke(viewer, present.id)
        handed_out[scope.value] = tokens.create(viewer, name=name, scopes=[scope]).secret
    return handed_out


def _make_inventory(
    viewer: Viewer, organisation: Organisation, network: Network, *, home: Path, ports: Mapping[str, int]
) -> None:
    if CREDENTIAL not in {credential.name for credential in credential_queries.credentials(viewer)}:
        community = communities(home)[organisation.name]
        credentials.create_credential(viewer, CREDENTIAL, kind="snmp_v2c", community=community)
    there = {site.name for site in site_queries.sites(viewer)}
    for place in organisation.places:
        if place.name not in there:
            fields = SiteFields(
                name=place.name,
                title=place.title,
                latitude=place.latitude,
                longitude=place.longitude,
                time_zone=place.time_zone,
            )
            sites.create_site(viewer, fields)
    known = {device.name for device in device_queries.devices(viewer)}
    for device in network.of_tenant(organisation.name):
        if device.name not in known:
            devices.create_device(viewer, _fields(device, ports[device.name]))
    if organisation is ACME and gethostname() not in known:
        # This machine, which the edge agent watches: no address, so that the poller leaves it alone.
        devices.create_device(viewer, DeviceFields(name=gethostname(), site=AGENT_SITE, role="server", tags=["agent"]))


def _fields(device: Device, port: int) -> DeviceFields:
    return DeviceFields(
        name=device.name,
        address=ADDRESS,
        port=port,
        site=device.place.name,
        credential=CREDENTIAL,
        role=device.role,
        poll_interval_s=POLL_INTERVAL_S,
        tags=["demo"],
    )


def _make_channel(viewer: Viewer) -> None:
    """A webhook that is switched off: shows how one looks, and sends nothing anywhere."""
    if not channel_queries.channels(viewer):
        draft = channels.ChannelDraft(
            name="On call",
            kind="webhook",
            config={"url": f"https://hooks.{viewer.tenant_name}.example/watchfloor"},
            is_enabled=False,
        )
        channels.create_channel(viewer, draft)

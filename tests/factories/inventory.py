"""Sites, devices, credentials and interfaces for tests, made through the actions."""

from __future__ import annotations

from app.actions.credentials import create_credential
from app.actions.devices import create_device, record_discovery
from app.actions.sites import create_site
from app.auth.sealing import open_keyring
from app.clock import utc_now
from app.domain.inventory import Device, DeviceFacts, DeviceFields, Discovery, InterfaceFacts, Neighbour, SiteFields
from app.domain.tenancy import Viewer
from tests.factories.servers import SECRET_KEY

COMMUNITY = "f4ke-c0mmunity"


def create_network(viewer: Viewer, *devices: str, site: str = "berlin", port: int = 161) -> list[Device]:
    """A site, a credential, and devices at 127.0.0.1 that use it."""
    open_keyring(SECRET_KEY)
    create_site(viewer, SiteFields(name=site, title=site.title()))
    create_credential(viewer, "v2c", kind="snmp_v2c", community=COMMUNITY)
    return [
        create_device(
            viewer,
            DeviceFields(name=name, address="127.0.0.1", port=port, site=site, credential="v2c", role="access"),
        )
        for name in devices
    ]


def discover(device: Device, viewer: Viewer, *ports: str, neighbours: tuple[Neighbour, ...] = ()) -> None:
    """Give a device interfaces, all of them up, and neighbours, as discovery would."""
    interfaces = [
        InterfaceFacts(name, number, mac=f"02:00:00:00:{device.id % 256:02x}:{number:02x}", admin_status="up")
        for number, name in enumerate(ports, 1)
    ]
    found = Discovery(DeviceFacts(sys_name=f"{device.name}.example.net"), interfaces, neighbours)
    record_discovery(viewer.tenant, device.id, found=found, at=utc_now())

"""A small network with a past, to look at: five sites, 30 devices, a week of samples, alerts of each kind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from app.auth.passwords import hash_password
from app.domain.labels import encode_labels, labels_of
from app.domain.tenancy import TenantId
from app.tsdb import writer
from app.tsdb.catalog import series_places
from models.access import UserRow
from models.alerting import AlertEventRow, AlertRow
from models.inventory import DeviceRow, InterfaceRow, SiteRow
from models.session import platform_session, tenant_session
from tests.factories.cast import Cast, create_cast

PASSWORD = "correct horse battery staple"
SITES = ("AMS2", "FRA1", "LON1", "MAD1", "PAR3")
ROLES = ("core", "aggregation", "access", "access", "access", "firewall")
PORTS = 6
SPEEDS = {"core": 100e9, "aggregation": 40e9, "access": 10e9, "firewall": 10e9}
STEP_MS = 300_000


def seed(now_ms: int, *, days: int = 8) -> Cast:
    """Fill the open database; the last sample is at `now_ms`."""
    cast = create_cast()
    with platform_session() as session:
        for user in session.query(UserRow):
            user.password_hash = hash_password(PASSWORD)
    devices = _inventory(cast.acme)
    _samples(cast.acme, devices, now_ms, days)
    _alerts(cast.acme, devices, datetime.fromtimestamp(now_ms / 1000, UTC))
    return cast


def _inventory(tenant: TenantId) -> list[tuple[str, str, str]]:
    """Sites, devices and ports; answers (name, site, role) of each device."""
    now = datetime.now(UTC)
    found = []
    with tenant_session(tenant) as session:
        for site in SITES:
            row = SiteRow(tenant_id=tenant, name=site, title=f"Site {site}")
            session.add(row)
            session.flush()
            for number, role in enumerate(ROLES):
                name = f"{site.lower()}-{role[:3]}-{number + 1:02d}"
                is_away = name == "lon1-acc-04"
                device = DeviceRow(
                    tenant_id=tenant,
                    name=name,
                    address=f"10.{SITES.index(site)}.0.{number + 1}",
                    site_id=row.id,
                    role=role,
                    vendor="Juniper",
                    model="MX204",
                    is_reachable=not is_away,
                    reachable_since=now - timedelta(hours=5),
                    polled_at=now,
                )
                session.add(device)
                session.flush()
                session.add_all(
                    InterfaceRow(
                        tenant_id=tenant,
                        device_id=device.id,
                        name=f"xe-0/0/{port}",
                        if_index=port + 1,
                        speed_bps=int(SPEEDS[role]),
                        admin_status="up",
                        oper_status="down" if is_away or (number == 3 and port == 5) else "up",
                    )
                    for port in range(PORTS)
                )
                found.append((name, site, role))
    return found


def _samples(tenant: TenantId, devices: list[tuple[str, str, str]], now_ms: int, days: int) -> None:
    rng = np.random.default_rng(7)
    ts_ms = np.arange(now_ms - days * 86_400_000, now_ms + 1, STEP_MS, dtype=np.int64)
    hours = ts_ms / 3_600_000
    day = 0.55 + 0.45 * np.sin((hours - 8) * np.pi / 12)
    labels, columns = [], []
    for name, site, role in devices:
        base = {"device": name, "site": site, "role": role}
        up = np.ones(len(ts_ms))
        if name == "lon1-acc-04":
            up[-18:] = 0
        labels.append({"__name__": "snmp_up", **base})
        columns.append(up)
        labels.append({"__name__": "cpu_utilisation_ratio", "cpu": "0", **base})
        columns.append(np.clip(0.25 + 0.2 * day + rng.normal(0, 0.03, len(ts_ms)), 0, 1))
        for port in range(PORTS):
            where = {**base, "ifName": f"xe-0/0/{port}"}
            share = rng.uniform(0.05, 0.9) * (1 if port else 1.05)
            for metric in ("ifHCInOctets", "ifHCOutOctets"):
                noise = rng.normal(1, 0.06, len(ts_ms))
                rate = SPEEDS[role] / 8 * share * np.clip(day * noise, 0.02, 1.1) * up
                labels.append({"__name__": metric, **where})
                columns.append(np.floor(np.cumsum(rate * STEP_MS / 1000)))
            labels.append({"__name__": "ifSpeed", **where})
            columns.append(np.full(len(ts_ms), SPEEDS[role]))
            labels.append({"__name__": "ifOperStatus", **where})
            columns.append(np.where(up > 0, 1.0, 2.0))
    places, reasons = series_places(tenant, [encode_labels(labels_of(each)) for each in labels])
    assert not reasons, reasons
    writer.write(
        writer.Rows(
            tenants=np.full(len(columns) * len(ts_ms), tenant, dtype=np.int32),
            places=np.repeat(places, len(ts_ms)),
            ts_ms=np.tile(ts_ms, len(columns)),
            values=np.concatenate(columns),
            parts=np.ones(len(columns) * len(ts_ms), dtype=np.int64),
        ),
        [],
    )


# severity, summary, device, interface, minutes since it fired, minutes until it ended (None: open), acknowledged by
STORIES = (
    ("critical", "Device lon1-acc-04 does not answer", "lon1-acc-04", "", 85, None, ""),
    ("critical", "All uplinks of lon1-acc-05 are down", "lon1-acc-05", "", 40, None, "Bob"),
    ("major", "xe-0/0/1 on fra1-cor-01 is 97 % full", "fra1-cor-01", "xe-0/0/1", 128, None, ""),
    ("minor", "Errors on ams2-agg-02 xe-0/0/3", "ams2-agg-02", "xe-0/0/3", 300, None, ""),
    ("warning", "CPU of par3-fir-06 above 80 %", "par3-fir-06", "", 22, None, ""),
    ("unknown", "No data from mad1-acc-03", "mad1-acc-03", "", 9, None, ""),
)


def _alerts(tenant: TenantId, devices: list[tuple[str, str, str]], now: datetime) -> None:
    sites = {name: site for name, site, _ in devices}
    stories = [*STORIES]
    rng = np.random.default_rng(11)
    for number in range(140):
        name = devices[int(rng.integers(len(devices)))][0]
        severity = ("critical", "major", "minor", "warning", "warning", "warning", "unknown")[int(rng.integers(7))]
        since = int(rng.integers(30, 1430))
        stories.append((severity, f"Past trouble {number}", name, "", since, since - int(rng.integers(5, 30)), ""))
    with tenant_session(tenant) as session:
        for number, (severity, summary, device, port, since, ended, by) in enumerate(stories):
            fired = now - timedelta(minutes=since)
            row = AlertRow(
                tenant_id=tenant,
                fingerprint=f"f{number}",
                name=summary.split(" ")[0],
                severity=severity,
                state="firing" if ended is None else "resolved",
                labels={"device": device},
                annotations={},
                summary=summary,
                value=1.0,
                device_name=device,
                interface_name=port,
                site_name=sites[device],
                active_at=fired,
                fired_at=fired,
                resolved_at=None if ended is None else now - timedelta(minutes=max(ended, 0)),
                evaluated_at=now,
                acknowledged_at=fired + timedelta(minutes=4) if by or number % 9 == 0 else None,
                acknowledged_by=by,
            )
            session.add(row)
            session.flush()
            if ended is None:
                session.add(AlertEventRow(tenant_id=tenant, alert_id=row.id, at=fired, kind="fired"))
            if by:
                at = fired + timedelta(minutes=4)
                session.add(AlertEventRow(tenant_id=tenant, alert_id=row.id, at=at, kind="acknowledged", actor=by))

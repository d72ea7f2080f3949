"""What stands there, by what was read: names that outlive a renumbering, speeds, neighbours."""

from __future__ import annotations

import pytest

from app.domain.inventory import Neighbour
from app.domain.labels import METRIC, decode_labels
from ingest.snmp import codec
from ingest.snmp.discovery import SYSTEM, Survey, discover, speed_bps
from ingest.snmp.plan import Plan, bare_plan, compile_plan
from ingest.snmp.profiles import load_profiles
from ingest.snmp.survey import columns_of
from tests.fakes.snmp_agent import Mib, load_recording, switch

LABELS = {"device": "core-1", "site": "berlin", "role": "core"}


def survey_of(mib: Mib) -> Survey:
    """What a survey reads off this device, without the network in between."""
    cells = {
        codec.encode_oid(oid): (ber[0], codec.decode_response(_wrapped(ber)).varbinds[0][2])
        for oid, ber in mib.values.items()
    }
    system = {name: cells[oid] for name, oid in SYSTEM.items() if oid in cells}
    text = system["description"][1].decode() if "description" in system else ""
    library = load_profiles()
    object_id = codec.format_oid(codec.decode_oid(system["object_id"][1])) if "object_id" in system else ""
    profile = library.profile_for(object_id, text)
    columns = {
        root: {name[len(root) :]: cell for name, cell in cells.items() if name.startswith(root)}
        for root in columns_of(profile)
    }
    return Survey(profile, system, {root: found for root, found in columns.items() if found})


def _wrapped(ber: bytes) -> bytes:
    request = codec.decode_request(codec.prepare(codec.GET, [b"+"], community=b"").with_id(codec.FIRST_ID))
    return codec.encode_response(request, [codec.encode_varbind(b"+", ber)])


def series_of(plan: Plan) -> set[str]:
    return {_written(key) for key in plan.keys}


def _written(key: bytes) -> str:
    labels = dict(decode_labels(key))
    return (
        labels.pop(METRIC)
        + "{"
        + ",".join(f"{name}={value}" for name, value in labels.items() if name not in LABELS)
        + "}"
    )


def samples_of(plan: Plan, mib: Mib) -> dict[str, float]:
    filled = plan.blank()
    plan.take([codec.decode_response(_wrapped_as(name, mib)).varbinds[0] for name in plan.names], filled)
    batch = plan.batch(filled, at_ms=7, duration_s=0.5)
    return {_written(batch.keys[place]): float(value) for place, value in zip(batch.series, batch.values, strict=True)}


def _wrapped_as(name: bytes, mib: Mib) -> bytes:
    request = codec.decode_request(codec.prepare(codec.GET, [name], community=b"").with_id(codec.FIRST_ID))
    ber = mib.values.get(codec.decode_oid(name), b"\x81\x00")
    return codec.encode_response(request, [codec.encode_varbind(name, ber)])


@pytest.mark.parametrize(
    ("high_speed", "speed", "expected"),
    [
        pytest.param(1000, 1_000_000_000, 10**9, id="a gigabit"),
        pytest.param(100_000, 4_294_967_295, 10**11, id="ifSpeed at its limit"),
        pytest.param(0, 64_000, 64_000, id="below a megabit"),
        pytest.param(None, 4_294_967_295, None, id="at its limit and no ifHighSpeed"),
        pytest.param(None, None, None, id="unknown"),
    ],
)
def test_speed(high_speed: float | None, speed: float | None, expected: int | None) -> None:
    assert speed_bps(high_speed, speed) == expected


def test_a_switch_is_found_whole() -> None:
    found = discover(survey_of(switch(8, name="sw8")))
    assert (found.device.sys_name, found.device.vendor, found.device.location) == ("sw8", "Net-SNMP", "lab")
    assert [port.name for port in found.interfaces] == [f"Gi1/0/{port}" for port in range(1, 9)]
    seventh = found.interfaces[6]
    assert (seventh.oper_status, seventh.admin_status, seventh.speed_bps) == ("down", "up", 10**9)
    assert (seventh.mac, seventh.mtu, seventh.description) == ("02:00:00:00:00:07", 1500, "GigabitEthernet1/0/7")


def test_ports_keep_their_names_when_they_are_renumbered() -> None:
    mib = switch(6)
    for port in (2, 3):
        mib.set(f"1.3.6.1.2.1.31.1.1.1.1.{port}", codec.OCTETS, "Gi1/0/1")  # three ports of one name
    by_mac = {port.mac: port.name for port in discover(survey_of(mib)).interfaces}
    assert sorted(by_mac.values())[:3] == ["Gi1/0/1", "Gi1/0/1 (2)", "Gi1/0/1 (3)"]
    after = discover(survey_of(mib.renumbered())).interfaces
    assert {port.mac: port.name for port in after} == by_mac
    assert min(port.if_index for port in after) > 1000


def test_recorded_duplicates_get_names_of_their_own() -> None:
    names = [port.name for port in discover(survey_of(load_recording("opengear_humidity"))).interfaces]
    assert len(names) == len(set(names)) == 9


def test_the_number_of_lldp_is_not_always_the_if_index() -> None:
    mib = switch(4)
    local, remote = "1.0.8802.1.1.2.1.3.7.1", "1.0.8802.1.1.2.1.4.1.1"
    mib.set(f"{local}.2.901", codec.INTEGER, 5)
    mib.set(f"{local}.3.901", codec.OCTETS, "Gi1/0/2")
    for column, tag, value in (
        (4, codec.INTEGER, 4), (5, codec.OCTETS, bytes.fromhex("02000000aa01")), (6, codec.INTEGER, 3),
        (7, codec.OCTETS, bytes.fromhex("02000000aa02")), (8, codec.OCTETS, "uplink"), (9, codec.OCTETS, "edge-1"),
    ):  # fmt: skip
        mib.set(f"{remote}.{column}.0.901.1", tag, value)
    mib.set(f"{remote}.6.0.3.1", codec.INTEGER, 5)
    mib.set(f"{remote}.7.0.3.1", codec.OCTETS, "ge-0/0/0")
    assert discover(survey_of(mib)).neighbours == (
        Neighbour("Gi1/0/3", "", "", "ge-0/0/0"),
        Neighbour("Gi1/0/2", "edge-1", "02:00:00:00:aa:01", "02:00:00:00:aa:02", "uplink"),
    )


def test_cdp_neighbours_lose_the_serial_number_behind_their_name() -> None:
    mib = switch(2)
    mib.set("1.3.6.1.2.1.1.2.0", codec.OBJECT_ID, (1, 3, 6, 1, 4, 1, 9, 1, 1208))
    mib.set("1.3.6.1.4.1.9.9.23.1.2.1.1.6.2.1", codec.OCTETS, "core-1(FOC1234X0AB)")
    mib.set("1.3.6.1.4.1.9.9.23.1.2.1.1.7.2.1", codec.OCTETS, "Ethernet1/1")
    assert discover(survey_of(mib)).neighbours == (Neighbour("Gi1/0/2", "core-1", "", "Ethernet1/1", protocol="cdp"),)


def test_a_plan_has_the_metrics_that_screens_and_rules_read() -> None:
    mib = switch(2)
    survey = survey_of(mib)
    plan = compile_plan(survey, discover(survey).interfaces, labels=LABELS)
    samples = samples_of(plan, mib)
    assert samples["ifHCInOctets{ifName=Gi1/0/1}"] == 98_765_432_101_111
    assert samples["ifSpeed{ifName=Gi1/0/2}"] == 1e9
    assert samples["ifOperStatus{ifName=Gi1/0/1}"] == 1
    assert samples["cpu_utilisation_ratio{cpu=2}"] == 0.2
    assert samples["memory_used_bytes{pool=Physical memory}"] == 1_234_567 * 1024
    assert samples["storage_size_bytes{storage=/}"] == 1_000_000 * 4096
    assert samples["sensor_value{kind=celsius,sensor=temp-1}"] == 30.1
    assert (samples["snmp_up{}"], samples["snmp_poll_duration_seconds{}"]) == (1, 0.5)
    assert samples["device_uptime_seconds{}"] == 1_234_567.89
    assert dict(decode_labels(plan.keys[0]))["site"] == "berlin"
    assert len(plan.keys) == len(set(plan.keys))
    assert [name for name, _, _ in plan.statuses] == ["Gi1/0/1", "Gi1/0/2"]


def test_64_bit_counters_are_read_per_row() -> None:
    mib = switch(2)
    for column in (6, 7, 10, 11):
        mib.update({codec.parse_oid(f"1.3.6.1.2.1.31.1.1.1.{column}.2"): None})
    survey = survey_of(mib)
    plan = compile_plan(survey, discover(survey).interfaces, labels=LABELS)
    samples = samples_of(plan, mib)
    assert samples["ifHCInOctets{ifName=Gi1/0/1}"] == 98_765_432_101_111
    assert samples["ifHCInOctets{ifName=Gi1/0/2}"] == 3_000_000_002
    assert "ifHCInUcastPkts{ifName=Gi1/0/2}" not in series_of(plan)


def test_a_value_that_is_missing_costs_no_other() -> None:
    mib = switch(2)
    survey = survey_of(mib)
    plan = compile_plan(survey, discover(survey).interfaces, labels=LABELS)
    whole = samples_of(plan, mib)
    mib.update({codec.parse_oid("1.3.6.1.2.1.31.1.1.1.6.2"): None})
    assert whole.keys() - samples_of(plan, mib).keys() == {"ifHCInOctets{ifName=Gi1/0/2}"}


def test_two_sensors_of_one_name_stay_two_series() -> None:
    mib = switch(1)
    for sensor in (1, 2):
        mib.set(f"1.3.6.1.2.1.47.1.1.1.1.7.{1000 + sensor}", codec.OCTETS, "inlet")
    survey = survey_of(mib)
    plan = compile_plan(survey, (), labels=LABELS)
    assert {"sensor_value{kind=celsius,sensor=inlet}", "sensor_value{kind=celsius,sensor=inlet (2)}"} <= series_of(plan)


def test_an_optical_sensor_knows_its_interface() -> None:
    mib = switch(12)
    mib.set("1.3.6.1.2.1.47.1.1.1.1.7.1001", codec.OCTETS, "Gi1/0/12 rx power")
    mib.set("1.3.6.1.2.1.99.1.1.1.1.1001", codec.INTEGER, 14)
    survey = survey_of(mib)
    plan = compile_plan(survey, discover(survey).interfaces, labels=LABELS)
    assert "sensor_value{ifName=Gi1/0/12,kind=dbm,sensor=Gi1/0/12 rx power}" in series_of(plan)


def test_a_device_that_never_answered_still_says_that_it_is_down() -> None:
    plan = bare_plan(LABELS)
    batch = plan.batch_down(at_ms=5, duration_s=3.0, is_stale=True)
    assert {_written(key): value for key, value in zip(batch.keys, batch.values.tolist(), strict=True)} == {
        "snmp_up{}": 0.0,
        "snmp_poll_duration_seconds{}": 3.0,
    }

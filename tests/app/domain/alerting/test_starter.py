"""The starter pack: what each rule sees and, as important, what it does not, on samples in memory."""

from __future__ import annotations

import pytest

from app.domain.alerting.alert import Severity
from app.domain.alerting.rulefile import check_rule
from app.domain.alerting.rules import Rule
from app.domain.alerting.starter import STARTER_PACK
from app.domain.labels import Labels, labels_of
from app.promql.engine import query_instant
from app.promql.limits import Limits
from app.promql.result import Vector
from tests.factories.series import MemorySource, block_of

NOW_MS = 1_770_000_000_000
STEP_MS = 15_000
RULES = {rule.name: rule for group in STARTER_PACK for rule in group.rules}
Series = dict[Labels, dict[int, float]]


def series(name: str, values: list[float], *, step_ms: int = STEP_MS, **labels: str) -> Series:
    """A series whose last value was taken at NOW."""
    place = {"device": "acc-1", "site": "berlin", "role": "access", **labels}
    first_ms = NOW_MS - step_ms * (len(values) - 1)
    times = {first_ms + index * step_ms: value for index, value in enumerate(values)}
    return {labels_of({"__name__": name, **place}): times}


def port(oper: list[float], *, admin: float = 1.0) -> list[Series]:
    """A port's states, one a minute."""
    return [
        series("ifOperStatus", oper, step_ms=60_000, ifName="e1"),
        series("ifAdminStatus", [admin] * len(oper), step_ms=60_000, ifName="e1"),
    ]


def traffic(octets_per_s: float, *, direction: str = "In", speed: float = 1e9) -> list[Series]:
    other = "Out" if direction == "In" else "In"
    count = [1e12 + octets_per_s * 15 * index for index in range(40)]
    return [
        series(f"ifHC{direction}Octets", count, ifName="e1"),
        series(f"ifHC{other}Octets", [5e9] * 40, ifName="e1"),
        series("ifSpeed", [speed] * 40, ifName="e1"),
    ]


@pytest.mark.parametrize(
    ("rule", "told", "count"),
    [
        pytest.param("DeviceUnreachable", [series("snmp_up", [1.0, 0.0])], 1, id="no answer"),
        pytest.param("DeviceUnreachable", [series("snmp_up", [0.0, 1.0])], 0, id="answers again"),
        pytest.param("InterfaceDown", port([1.0] * 30 + [2.0]), 1, id="port just went down"),
        pytest.param("InterfaceDown", port([1.0] * 180 + [2.0] * 60), 1, id="port down for an hour"),
        pytest.param("InterfaceDown", port([1.0] * 30 + [1.0]), 0, id="port up"),
        pytest.param("InterfaceDown", port([1.0] * 30 + [2.0], admin=2.0), 0, id="port switched off by people"),
        pytest.param("InterfaceDown", port([2.0] * 2000), 0, id="port that nobody uses"),
        pytest.param(
            "InterfaceDown",
            [*port([1.0] * 30 + [2.0]), series("snmp_up", [0.0])],
            0,
            id="port of a device that does not answer",
        ),
        pytest.param("LinkUtilisationHigh", traffic(0.95e9 / 8), 1, id="full inwards"),
        pytest.param("LinkUtilisationHigh", traffic(0.95e9 / 8, direction="Out"), 1, id="full outwards"),
        pytest.param("LinkUtilisationHigh", traffic(0.8e9 / 8), 0, id="busy, not full"),
        pytest.param("LinkUtilisationHigh", traffic(0.95e9 / 8, speed=0), 0, id="speed not known"),
        pytest.param(
            "InterfaceErrors",
            [
                series("ifInErrors", [100.0 * index for index in range(20)], ifName="e1"),
                series("ifOutErrors", [0.0] * 20, ifName="e1"),
            ],
            1,
            id="damaged frames",
        ),
        pytest.param(
            "CpuHigh",
            [series("cpu_utilisation_ratio", [1.0], cpu="1"), series("cpu_utilisation_ratio", [0.95], cpu="2")],
            1,
            id="all processors busy, one alert",
        ),
        pytest.param(
            "CpuHigh",
            [series("cpu_utilisation_ratio", [1.0], cpu="1"), series("cpu_utilisation_ratio", [0.1], cpu="2")],
            0,
            id="one processor busy",
        ),
        pytest.param(
            "MemoryHigh",
            [series("memory_used_bytes", [97.0], pool="ram"), series("memory_size_bytes", [100.0], pool="ram")],
            1,
            id="memory",
        ),
        pytest.param(
            "StorageFull",
            [series("storage_used_bytes", [96.0], storage="/"), series("storage_size_bytes", [100.0], storage="/")],
            1,
            id="disk",
        ),
        pytest.param(
            "DeviceRebooted",
            [series("device_uptime_seconds", [1e6 + 15 * i for i in range(80)] + [30.0])],
            1,
            id="restarted",
        ),
        pytest.param(
            "DeviceRebooted", [series("device_uptime_seconds", [30.0])], 0, id="new, so nobody knows of a restart"
        ),
        pytest.param(
            "NoData",
            [{labels: {ts - 600_000: v for ts, v in s.items()} for labels, s in series("snmp_up", [1.0] * 9).items()}],
            1,
            id="silent for ten minutes",
        ),
        pytest.param("NoData", [series("snmp_up", [0.0])], 0, id="a failed poll is data"),
        pytest.param(
            "OpticsLowRx", [series("sensor_value", [-18.0], sensor="e1 rx power", kind="dbm")], 1, id="little light"
        ),
        pytest.param(
            "OpticsLowRx",
            [series("sensor_value", [-40.0], sensor="e1 rx power", kind="dbm", ifName="e1"), *port([2.0])],
            0,
            id="no light on a port that is down",
        ),
        pytest.param(
            "OpticsLowRx", [series("sensor_value", [-18.0], sensor="inlet", kind="celsius")], 0, id="a cold room"
        ),
    ],
)
def test_what_fires(rule: str, told: list[Series], count: int) -> None:
    source = MemorySource([block_of(one) for one in told])
    result = query_instant(source, RULES[rule].expr, at_ms=NOW_MS, limits=Limits())
    assert isinstance(result, Vector)
    assert len(result) == count


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_every_rule_could_be_saved_and_has_a_summary(rule: Rule) -> None:
    assert check_rule(rule) is rule
    assert "device" in rule.annotations["summary"]
    assert rule.severity is not Severity.UNKNOWN

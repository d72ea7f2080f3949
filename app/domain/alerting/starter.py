"""The rules that every tenant starts with. Expressions use the metrics that our collection emits."""

from __future__ import annotations

from typing import Final

from app.domain.alerting.alert import Severity
from app.domain.alerting.rules import Rule, RuleGroup

# "Was this port in use lately?" as looks back at single moments: cheap, where a range over a day would read every
# sample of it. Each look is about three times as far as the one before, so a port that was in use for twice as long
# as it is down now is always found.
LOOKS_BACK: Final = ("1m", "4m", "12m", "40m", "2h", "6h", "1d")
WAS_UP: Final = " or ".join(f"ifOperStatus offset {back} == 1" for back in LOOKS_BACK)

DEVICE_UNREACHABLE: Final = Rule(
    name="DeviceUnreachable",
    expr="snmp_up == 0",
    severity=Severity.CRITICAL,
    alert_class="unreachable",
    annotations={
        "summary": "{{ $labels.device }} does not answer",
        "description": "{{ $labels.device }} ({{ $labels.role }}, {{ $labels.site }}) did not answer SNMP.",
    },
)

INTERFACE_DOWN: Final = Rule(
    name="InterfaceDown",
    expr=f"ifOperStatus == 2 and ifAdminStatus == 1 and on (device, ifName) ({WAS_UP}) unless on (device) snmp_up == 0",
    severity=Severity.MAJOR,
    alert_class="link-down",
    annotations={
        "summary": "{{ $labels.device }} {{ $labels.ifName }} is down",
        "description": "The port is switched on, was up within the last day and has lost its link.",
    },
)

UTILISATION: Final = Rule(
    name="LinkUtilisationHigh",
    expr="(rate(ifHCInOctets[3m]) > rate(ifHCOutOctets[3m]) or rate(ifHCOutOctets[3m])) * 8 / (ifSpeed > 0) > 0.9",
    for_s=120,
    severity=Severity.MINOR,
    alert_class="traffic",
    annotations={
        "summary": "{{ $labels.device }} {{ $labels.ifName }} is {{ $value | humanizePercentage }} full",
        "description": "The busier direction of the link has been above 90 % of its speed for two minutes.",
    },
)

ERRORS: Final = Rule(
    name="InterfaceErrors",
    expr="rate(ifInErrors[3m]) + rate(ifOutErrors[3m]) > 1",
    for_s=60,
    severity=Severity.MINOR,
    alert_class="link-degraded",
    annotations={
        "summary": "{{ $labels.device }} {{ $labels.ifName }} has {{ $value | humanize }} errors per second",
        "description": "Frames arrive or leave damaged: cable, optics or duplex.",
    },
)

CPU: Final = Rule(
    name="CpuHigh",
    expr="avg by (device, site, role) (cpu_utilisation_ratio) > 0.9",
    for_s=60,
    severity=Severity.MINOR,
    alert_class="resource",
    annotations={"summary": "{{ $labels.device }}: CPU at {{ $value | humanizePercentage }}"},
)

MEMORY: Final = Rule(
    name="MemoryHigh",
    expr="memory_used_bytes / memory_size_bytes > 0.95",
    for_s=120,
    severity=Severity.MINOR,
    alert_class="resource",
    annotations={"summary": "{{ $labels.device }}: memory {{ $labels.pool }} {{ $value | humanizePercentage }} used"},
)

STORAGE: Final = Rule(
    name="StorageFull",
    expr="storage_used_bytes / (storage_size_bytes > 0) > 0.95",
    for_s=300,
    severity=Severity.MINOR,
    alert_class="resource",
    annotations={"summary": "{{ $labels.device }}: {{ $labels.storage }} {{ $value | humanizePercentage }} full"},
)

REBOOT: Final = Rule(
    name="DeviceRebooted",
    expr="device_uptime_seconds < 600 and on (device) (device_uptime_seconds offset 15m > 600)",
    severity=Severity.WARNING,
    alert_class="restart",
    annotations={
        "summary": "{{ $labels.device }} restarted",
        "description": "It has been up for less than ten minutes, and for longer a quarter of an hour ago.",
    },
)

NO_DATA: Final = Rule(
    name="NoData",
    expr="(last_over_time(snmp_up[1h]) or last_over_time(agent_up[1h])) unless on (device) (snmp_up or agent_up)",
    for_s=120,
    severity=Severity.MAJOR,
    alert_class="no-data",
    annotations={
        "summary": "{{ $labels.device }} sends no data",
        "description": "No sample has arrived for more than five minutes: neither an answer nor a failed poll.",
    },
)

OPTICS: Final = Rule(
    name="OpticsLowRx",
    # A port without its link gets no light: that is told by InterfaceDown.
    expr='sensor_value{kind="dbm", sensor=~".*rx power"} < -14 unless on (device, ifName) ifOperStatus == 2',
    for_s=60,
    severity=Severity.MINOR,
    alert_class="link-degraded",
    annotations={
        "summary": "{{ $labels.device }} {{ $labels.sensor }} is {{ $value }} dBm",
        "description": "Too little light arrives: a fading laser, a bent or a dirty fibre.",
    },
)

# What must be seen within half a minute is looked at often, as polling takes up most of that time; ports less often
# than devices, because looking at them reads seven moments of every port.
STARTER_PACK: Final = (
    RuleGroup("reachability", 5, (DEVICE_UNREACHABLE,)),
    RuleGroup("links", 10, (INTERFACE_DOWN,)),
    RuleGroup("performance", 15, (UTILISATION, ERRORS, CPU, MEMORY, STORAGE, OPTICS)),
    RuleGroup("lifecycle", 15, (REBOOT, NO_DATA)),
)

"""The verbs of `python -m app`: name -> where its click command is. Each is imported only when it is used."""

from __future__ import annotations

from collections.abc import Mapping

COMMANDS: Mapping[str, str] = {
    "up": "app.cli.up:up",
    "web": "app.cli.processes:web",
    "push": "app.cli.processes:push",
    "worker": "app.cli.processes:worker",
    "scheduler": "app.cli.processes:scheduler",
    "poller": "app.cli.processes:poller",
    "migrate": "app.cli.migrate:migrate",
    "tenant": "app.cli.tenants:tenant",
    "user": "app.cli.tenants:user",
    "token": "app.cli.tenants:token",
    "audit": "app.cli.tenants:audit",
    "agent": "app.cli.agent:agent",
    "demo": "app.cli.demo:demo",
    "rules": "app.cli.rules:rules",
    "snmp": "app.cli.snmp:snmp",
    "stream": "app.cli.stream:stream",
    "anomaly": "app.cli.anomaly:anomaly",
    "forecast": "app.cli.forecast:forecast",
    "capacity": "app.cli.capacity:capacity",
    "archive": "app.cli.archive:archive",
    "doctor": "app.cli.doctor:doctor",
}

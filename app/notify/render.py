"""Messages as text: mail subject and bodies, and the JSON of the webhook."""

from __future__ import annotations

from html import escape
from typing import Any, Final

from app.notify.base import Message

COLOURS: Final = {
    "critical": "#d92d20",
    "major": "#e8590c",
    "minor": "#c98a00",
    "warning": "#3b7ddd",
    "unknown": "#667085",
    "resolved": "#2f9e44",
}
MAIL_HTML: Final = """<!doctype html><html lang="en"><body style="font:15px/1.5 system-ui,sans-serif;color:#1d2939">
<p style="border-left:6px solid {colour};padding:2px 12px;font-size:18px"><b>{title}</b><br>{summary}</p>
<p>{description}</p><table style="border-collapse:collapse">{rows}</table>
<p><a href="{url}">Open in Watchfloor</a></p></body></html>
"""
ROW: Final = '<tr><td style="padding:1px 16px 1px 0;color:#667085">{name}</td><td>{text}</td></tr>'


def subject(message: Message) -> str:
    """One line without control characters, whatever a device calls itself."""
    state = "RESOLVED" if message.status == "resolved" else message.severity.upper()
    if message.status == "test":
        state = "TEST"
    return one_line(f"[{state}] {message.summary}")[:200]


def mail_text(message: Message) -> str:
    """The plain body."""
    lines = [subject(message), ""]
    if message.annotations.get("description"):
        lines += [message.annotations["description"], ""]
    lines += [f"{name + ':':<12}{text}" for name, text in _facts(message)]
    return "\n".join([*lines, "", message.url, ""])


def mail_html(message: Message) -> str:
    """The same for mail readers that show HTML; every text is escaped."""
    rows = "".join(ROW.format(name=escape(name), text=escape(text)) for name, text in _facts(message))
    colour = COLOURS["resolved"] if message.status == "resolved" else COLOURS.get(message.severity, COLOURS["unknown"])
    return MAIL_HTML.format(
        colour=colour,
        title=escape(f"{message.name} {message.status}"),
        summary=escape(message.summary),
        description=escape(message.annotations.get("description", "")),
        rows=rows,
        url=escape(message.url),
    )


def webhook_body(message: Message) -> dict[str, Any]:
    """The body of Alertmanager's webhook, version 4, for one alert."""
    status = "resolved" if message.status == "resolved" else "firing"
    labels = {**message.labels, "severity": message.labels.get("severity", message.severity)}
    annotations = {**message.annotations, "summary": message.summary}
    return {
        "version": "4",
        "groupKey": f"{message.fingerprint}:{message.starts_at}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": message.channel,
        "groupLabels": {"alertname": message.name},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": message.base_url,
        "notification_reason": message.status,
        "alerts": [
            {
                "status": status,
                "labels": labels,
                "annotations": annotations,
                "startsAt": message.starts_at,
                "endsAt": message.ends_at or "0001-01-01T00:00:00Z",
                "generatorURL": message.url,
                "fingerprint": message.fingerprint,
                "value": message.value,
            }
        ],
    }


def one_line(text: str) -> str:
    """`text` with everything that could end or hide a line made a space."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _facts(message: Message) -> list[tuple[str, str]]:
    facts = [("Alert", message.name), ("Severity", message.severity), ("Since", message.starts_at)]
    if message.ends_at:
        facts.append(("Until", message.ends_at))
    if message.value is not None:
        facts.append(("Value", message.value))
    facts += [(name, text) for name, text in sorted(message.labels.items()) if name not in ("alertname", "severity")]
    return [(name, one_line(text)) for name, text in facts]

"""The program's own counters, as /metrics shows them: its health, never a tenant's data.

Every process of a machine adds up in files below PROMETHEUS_MULTIPROC_DIR (set by `up` and by `web`), so one
/metrics speaks for all of them. Labels are few and bounded: no tenant, no address, no name of a device.
"""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from prometheus_client.values import MutexValue, ValueClass

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

REQUESTS = Counter("watchfloor_http_requests_total", "Requests answered.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram("watchfloor_http_request_seconds", "Time to answer.", ["route"], buckets=SECONDS)
SAMPLES_ACCEPTED = Counter("watchfloor_samples_accepted_total", "Samples that are durable.", ["source"])
SAMPLES_REJECTED = Counter("watchfloor_samples_rejected_total", "Samples that were refused.", ["reason"])
REQUESTS_REFUSED = Counter(
    "watchfloor_ingest_refused_total", "Ingest requests that were refused whole.", ["source", "reason"]
)
EVENTS_ACCEPTED = Counter("watchfloor_events_accepted_total", "Events that are durable.")
SAMPLES_STORED = Counter("watchfloor_samples_stored_total", "Samples written to the store.")
STREAM_ENTRIES = Gauge(
    "watchfloor_stream_entries", "Entries not stored yet.", ["shard"], multiprocess_mode="mostrecent"
)
JOBS = Counter("watchfloor_jobs_total", "Jobs done, by how they ended.", ["job", "outcome"])
JOB_SECONDS = Histogram("watchfloor_job_seconds", "Time of a job.", ["job"], buckets=SECONDS)
JOB_WAIT_SECONDS = Histogram("watchfloor_job_wait_seconds", "Time a job waited.", ["queue"], buckets=SECONDS)
POLLS = Counter("watchfloor_polls_total", "Polls of devices, by how they ended.", ["outcome"])
EVALUATIONS = Counter("watchfloor_evaluations_total", "Rounds of rule groups, by how they ended.", ["outcome"])
POINTS_SCORED = Counter("watchfloor_points_scored_total", "Samples that detection has scored.")
DETECTION_SECONDS = Histogram("watchfloor_detection_seconds", "How long a tenant's cycle of detection took.")
DETECTION_LAG = Gauge(
    "watchfloor_detection_lag_seconds",
    "How far behind detection was at its last cycle.",
    multiprocess_mode="mostrecent",
)
RULE_FAILURES = Counter("watchfloor_rule_failures_total", "Rules whose query failed.")
TRANSITIONS = Counter("watchfloor_alert_transitions_total", "Alerts that changed their state, by why.", ["reason"])
DELIVERIES = Counter("watchfloor_deliveries_total", "Messages sent, by kind and outcome.", ["kind", "outcome"])


def exposition() -> bytes:
    """All counters of all processes in Prometheus's text form."""
    registry = CollectorRegistry()
    if _is_shared():
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library has no types here
        return bytes(generate_latest(registry))
    return bytes(generate_latest())


def refusals(tenant: str, rows: Sequence[tuple[str, str, str, int, int]]) -> bytes:
    """One tenant's counters of refusals, for that tenant's own eyes: (agent, source, reason, samples, requests)."""
    names = (
        ("watchfloor_tenant_samples_rejected_total", "Samples of the tenant that were refused."),
        ("watchfloor_tenant_requests_refused_total", "Requests of the tenant with something refused."),
    )
    lines = []
    for place, (name, about) in enumerate(names):
        lines += [f"# HELP {name} {about}", f"# TYPE {name} counter"]
        for agent, source, reason, *counts in rows:
            labels = {"tenant": tenant, "agent": agent, "source": source, "reason": reason}
            written = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels.items())
            lines.append(f"{name}{{{written}}} {counts[place]}")
    return ("\n".join(lines) + "\n").encode() if rows else b""


def budget(tenant: str, *, active_series: int, limit: int) -> bytes:
    """How much of its budget of series a tenant uses, for that tenant's own eyes."""
    return "".join(
        f'# HELP {name} {about}\n# TYPE {name} gauge\n{name}{{tenant="{_escaped(tenant)}"}} {value}\n'
        for name, about, value in (
            ("watchfloor_tenant_active_series", "Series with a sample in the last two to three hours.", active_series),
            ("watchfloor_tenant_active_series_limit", "How many of them the tenant may have.", limit),
        )
    ).encode()


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _is_shared() -> bool:
    """Whether several processes add up in files; the library decides so by the environment when it is imported."""
    return ValueClass is not MutexValue

"""The rest of Prometheus's HTTP API: targets, and what /api/v1/status tells; beside prometheus.py, which has queries.

A tenant sees its own series and sources here, and what the installation is set to; nothing of the machine.
"""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, Response, current_app, request
from flask.sansio.blueprints import BlueprintSetupState

from app.api.openapi import documented
from app.api.prometheus import refused
from app.api.prometheus_form import answer, limit_parameter
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.clock import utc_now
from app.domain.tenancy import READ
from app.errors import InvalidInput, WatchfloorError
from app.queries import gate, metrics
from app.queries.metrics import NOUN
from app.queries.targets import Target, targets
from app.queries.tenants import tenant
from app.tsdb.series_counts import Counts

blueprint = Blueprint("prometheus_status", __name__, url_prefix="/api/v1")
blueprint.register_error_handler(WatchfloorError, refused)

NEVER = "0001-01-01T00:00:00Z"
TIMEOUT_S = 5
MOST_COUNTS = 10_000
STARTED = "PROMETHEUS_STARTED_AT"
STATES = ("active", "dropped", "any", "")


@blueprint.record
def remember_start(state: BlueprintSetupState) -> None:
    """The server is being made: it starts now."""
    state.app.config[STARTED] = utc_now()


@blueprint.get("/targets")
@documented(
    "Where samples come from: devices that are polled and agents that report, as Prometheus's targets",
    query={"state": "active, dropped or any", "scrapePool": "snmp or agents"},
)
@guarded(READ, "devices")
def target_list() -> Response:
    """Devices that are polled are the pool `snmp`, agents the pool `agents`; what is not polled is dropped."""
    state, pool = request.values.get("state", "").lower(), request.values.get("scrapePool", "")
    if state not in STATES:
        raise InvalidInput("state", "must be active, dropped or any")
    found = [each for each in targets(current_viewer()) if pool in ("", each.pool)]
    dropped = [each for each in found if not each.is_active]
    data: dict[str, object] = {
        "activeTargets": [_active(each) for each in found if each.is_active] if state != "dropped" else [],
        "droppedTargets": [{"discoveredLabels": _discovered(each), "scrapePool": each.pool} for each in dropped]
        if state != "active"
        else [],
        "droppedTargetCounts": {name: sum(d.pool == name for d in dropped) for name in sorted({d.pool for d in found})},
    }
    return answer(data)


@blueprint.get("/scrape_pools")
@documented("The names of the pools of targets")
@guarded(READ, "devices")
def scrape_pools() -> Response:
    """The pools that have targets."""
    return answer({"scrapePools": sorted({each.pool for each in targets(current_viewer())})})


@blueprint.get("/alertmanagers")
@documented("Alertmanagers that alerts are sent to: none, Watchfloor notifies by itself")
@guarded(READ, "alerts")
def alertmanagers() -> Response:
    """None: alerts go out through channels."""
    return answer({"activeAlertmanagers": [], "droppedAlertmanagers": []})


@blueprint.get("/status/tsdb")
@documented("How many series there are, by metric, label and value", query={"limit": "how many in each list"})
@guarded(READ, NOUN)
def tsdb() -> Response:
    """The cardinality of the tenant's series."""
    limit = limit_parameter() or 10
    if limit > MOST_COUNTS:
        raise InvalidInput("limit", f"limit must not exceed {MOST_COUNTS}")
    found = metrics.series_counts(current_viewer(), limit)
    head = {
        "numSeries": found.series,
        "numLabelPairs": found.label_pairs,
        "chunkCount": found.groups,
        "minTime": found.first_ms or 0,
        "maxTime": found.last_ms or 0,
    }
    return answer(
        {
            "headStats": head,
            "seriesCountByMetricName": _stats(found.by_metric),
            "labelValueCountByLabelName": _stats(found.values_by_label),
            "memoryInBytesByLabelName": _stats(found.bytes_by_label),
            "seriesCountByLabelValuePair": _stats(found.by_pair),
        }
    )


@blueprint.get("/status/config")
@documented("The configuration that a Prometheus with our settings would have")
@guarded(READ, NOUN)
def config() -> Response:
    """In YAML, as Prometheus has it. It holds no secret and no address: those are not a tenant's to see."""
    yaml = "global:\n  scrape_interval: 15s\n  scrape_timeout: 5s\n  evaluation_interval: 15s\n"
    return answer({"yaml": yaml})


@blueprint.get("/status/flags")
@documented("The limits of queries and the term of samples, under the names of Prometheus's flags")
@guarded(READ, NOUN)
def flags() -> Response:
    """Those of Prometheus's flags that mean something here."""
    return answer(
        {
            "query.lookback-delta": f"{metrics.LOOKBACK_MS // 60_000}m",
            "query.max-concurrency": str(gate.MOST_RUNNING),
            "query.max-samples": str(metrics.MOST_SAMPLES),
            "query.timeout": f"{metrics.MOST_SECONDS:.0f}s",
            "storage.tsdb.retention.time": _retention(),
            "web.enable-admin-api": "false",
            "web.enable-lifecycle": "false",
            "web.enable-remote-write-receiver": "true",
        }
    )


@blueprint.get("/status/runtimeinfo")
@documented("What runs here and since when")
@guarded(READ, NOUN)
def runtime_info() -> Response:
    """In Prometheus's fields; those of Go's runtime are empty."""
    began = current_app.config[STARTED]
    return answer(
        {
            "startTime": began,
            "CWD": "",
            "hostname": "",
            "serverTime": utc_now(),
            "reloadConfigSuccess": True,
            "lastConfigTime": began,
            "corruptionCount": 0,
            "goroutineCount": 0,
            "GOMAXPROCS": 0,
            "GOMEMLIMIT": 0,
            "GOGC": "",
            "GODEBUG": "",
            "storageRetention": _retention(),
        }
    )


@blueprint.get("/status/walreplay")
@documented("How far the replay of the log is: there is none to wait for")
@guarded(READ, NOUN)
def wal_replay() -> Response:
    """Whoever can ask this has nothing to wait for: what is in the stream is stored while we answer."""
    return answer({"min": 0, "max": 0, "current": 0, "state": "done"})


def _active(target: Target) -> dict[str, object]:
    return {
        "discoveredLabels": _discovered(target),
        "labels": target.labels,
        "scrapePool": target.pool,
        "scrapeUrl": target.address,
        "globalUrl": target.address,
        "lastError": target.last_error,
        "lastScrape": _moment(target.last_at),
        "lastScrapeDuration": 0.0,
        "health": target.health,
        "scrapeInterval": f"{target.interval_s}s",
        "scrapeTimeout": f"{TIMEOUT_S}s",
    }


def _discovered(target: Target) -> dict[str, str]:
    scheme, _, address = target.address.partition("://")
    return {
        "__address__": address,
        "__scheme__": scheme,
        "__scrape_interval__": f"{target.interval_s}s",
        "job": target.pool,
        **{f"__meta_{name}": value for name, value in target.labels.items() if name not in ("job", "instance")},
    }


def _moment(moment: datetime | None) -> object:
    return moment or NEVER


def _stats(counts: Counts) -> list[dict[str, object]]:
    return [{"name": name, "value": value} for name, value in counts]


def _retention() -> str:
    viewer = current_viewer()
    return f"{tenant(viewer, viewer.tenant_name).raw_retention_days}d"

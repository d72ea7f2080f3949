"""Real clients of others send to a real web process of ours: each must work unchanged, with nothing but its address."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import pytest
from influxdb_client import InfluxDBClient, Point, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from redis import Redis

from app.actions import received_alerts
from app.clock import utc_now
from app.domain.alerting.state import State
from app.domain.labels import Matcher, MatchOp
from app.domain.tenancy import Scope
from app.queries import alerts
from app.queries.alerts import AlertFilter
from app.runtime.servers import free_port
from app.tsdb.reader import Reader
from app.valkey import use_valkey
from ingest import shards
from models.session import close_database, open_database
from tests.factories.browser import token_for
from tests.factories.cast import Cast, create_cast
from tests.factories.committed import Emptied, own_database
from tests.factories.processes import wait_until
from tests.factories.servers import SECRET_KEY, Servers
from tests.factories.serving import serve
from workers.drain import Drain

LIMIT_S = 40.0
COLLECTD = which("collectd") or which("collectd", path="/usr/sbin")


@dataclass(frozen=True)
class Receiver:
    """A web process of ours with a tenant, and the secret of a token of it."""

    url: str
    secret: str
    cast: Cast

    def values(self, metric: str) -> list[float]:
        """What is stored of a metric, by series and time."""
        drain = Drain()
        for shard in range(shards.DEFAULT):
            drain.take(shard)
        while drain.do_once():
            pass
        drain.release()
        matcher = Matcher("__name__", MatchOp.EQUAL, metric)
        blocks = Reader(self.cast.acme).select([matcher], start_ms=0, end_ms=2**42)
        return [value for block in blocks for value in block.values[np.isfinite(block.values)].tolist()]

    def labels(self, metric: str) -> list[dict[str, str]]:
        """The series of a metric."""
        matcher = Matcher("__name__", MatchOp.EQUAL, metric)
        found = Reader(self.cast.acme).series([[matcher]], start_ms=0, end_ms=2**42)
        return [dict(labels) for labels in found]

    def alerts(self) -> dict[str, str]:
        """The state of each alert by name; the other tenant has none."""
        every = AlertFilter(states=frozenset(State))
        assert alerts.open_alerts(self.cast.charlie, every) == []
        return {alert.name: alert.state for alert in alerts.open_alerts(self.cast.vera, every)}


@pytest.fixture(scope="module")
def receiver(servers: Servers, migrated_url: str, shared_db: Emptied | None) -> Iterator[Receiver]:
    with own_database(servers, migrated_url, shared_db) as url:
        open_database(url, role="web", secret_key=SECRET_KEY)
        valkey = use_valkey(Redis.from_url(servers.redis_url))
        valkey.flushdb()
        cast = create_cast()
        header = token_for(cast.alice, Scope.INGEST)["Authorization"]
        with serve(url, servers.redis_url, verbs=("web",)) as port:
            yield Receiver(f"http://127.0.0.1:{port}", header.removeprefix("Bearer "), cast)
        close_database()
        valkey.flushdb()


def test_opentelemetrys_exporter(receiver: Receiver) -> None:
    exporter = OTLPMetricExporter(
        endpoint=f"{receiver.url}/v1/metrics",
        headers={"Authorization": f"Bearer {receiver.secret}"},
        compression=Compression.Gzip,
    )
    resource = Resource.create({"service.name": "billing", "service.instance.id": "b-1", "host.name": "h1"})
    provider = MeterProvider([PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)], resource)
    meter = provider.get_meter("test")

    def temperature(_options: CallbackOptions) -> list[Observation]:
        return [Observation(21.5, {"room.name": "lab"})]

    meter.create_counter("requests.handled", unit="1").add(7, {"path": "/"})
    meter.create_observable_gauge("room.temperature", [temperature], unit="Cel")
    meter.create_up_down_counter("queue.length").add(-3)
    latency = meter.create_histogram("request.duration", unit="s", explicit_bucket_boundaries_advisory=[0.1, 1.0])
    for seconds in (0.05, 0.5, 5.0):
        latency.record(seconds)
    provider.shutdown()  # the last thing it does is to export
    for metric, values in (
        ("requests_handled_total", {7.0}),
        ("room_temperature_celsius", {21.5}),
        ("queue_length", {-3.0}),
        ("request_duration_seconds_count", {3.0}),
        ("request_duration_seconds_sum", {5.55}),
        ("request_duration_seconds_bucket", {1.0, 2.0, 3.0}),
    ):
        assert set(receiver.values(metric)) == values, metric
    assert sorted(each["le"] for each in receiver.labels("request_duration_seconds_bucket")) == ["+Inf", "0.1", "1"]
    (labels,) = receiver.labels("room_temperature_celsius")
    assert labels["job"] == "billing" and labels["instance"] == "b-1" and labels["room_name"] == "lab"
    (target,) = receiver.labels("target_info")
    assert target["host_name"] == "h1" and target["job"] == "billing"


def test_influxdbs_client(receiver: Receiver) -> None:
    with InfluxDBClient(url=receiver.url, token=receiver.secret, org="any", enable_gzip=True) as client:
        writer = client.write_api(write_options=SYNCHRONOUS)
        now_ns = time.time_ns()
        point = Point("disk io").tag("host, name", "größer=a b").field("used", 7).field("free", 0.5).time(now_ns)
        writer.write("any", record=[point, Point("disk io").tag("host, name", "b").field("used", True).time(now_ns)])
        line = f'net bytes=12i,name="a,b c=d" {now_ns // 1_000_000}'
        writer.write("any", record=line, write_precision=WritePrecision.MS)
        with pytest.raises(ApiException) as refused:
            writer.write("any", record="net bytes=\nnet bytes=13i")
    assert (refused.value.status, "line 1" in refused.value.body) == (400, True)
    assert sorted(receiver.values("disk io_used")) == [1.0, 7.0]
    assert receiver.values("disk io_free") == [0.5]
    assert sorted(receiver.values("net_bytes")) == [12.0, 13.0]
    assert {"host, name": "größer=a b", "__name__": "disk io_free"} in receiver.labels("disk io_free")


@pytest.mark.skipif(which("amtool") is None, reason="Debian's prometheus-alertmanager is not installed")
def test_amtool_adds_and_ends_an_alert(receiver: Receiver, tmp_path: Path) -> None:
    (tmp_path / "http.yml").write_text(f'authorization: {{credentials: "{receiver.secret}"}}\n')
    url = [f"--alertmanager.url={receiver.url}", f"--http.config.file={tmp_path / 'http.yml'}"]

    def add(*arguments: str) -> None:
        command = ["amtool", *url, "alert", "add", *arguments]
        added = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
        assert added.returncode == 0, added.stderr

    add("DoorOpen", "severity=critical", "room=lab", "--annotation=summary=The door is open")
    assert receiver.alerts()["DoorOpen"] == "firing"
    # An end can be told only when it has come; the alert began a moment ago, so it ends in one.
    moment = time.gmtime(time.time() + 1.5)
    add("DoorOpen", "severity=critical", "room=lab", f"--end={time.strftime('%Y-%m-%dT%H:%M:%SZ', moment)}")
    wait_until(lambda: received_alerts.expire(receiver.cast.acme, now=utc_now()), "it does not end")
    assert receiver.alerts()["DoorOpen"] == "resolved"


RULES = """
groups:
- name: test
  interval: 200ms
  rules:
  - alert: Flapping
    expr: {expr}
    labels: {{severity: critical, device: core-1}}
    annotations: {{summary: "It flaps"}}
"""
CONFIG = """
global: {{evaluation_interval: 200ms}}
rule_files: [rules.yml]
alerting:
  alertmanagers:
  - api_version: v2
    authorization: {{credentials: "{secret}"}}
    static_configs: [{{targets: ["{target}"]}}]
"""


@pytest.mark.skipif(which("prometheus") is None, reason="Debian's prometheus is not installed")
def test_prometheus_takes_us_for_its_alertmanager(receiver: Receiver, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(RULES.format(expr="vector(1)"))
    config = CONFIG.format(secret=receiver.secret, target=receiver.url.removeprefix("http://"))
    (tmp_path / "prometheus.yml").write_text(config)
    command = [
        "prometheus",
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{free_port()}",
        "--rules.alert.resend-delay=1s",
    ]
    with _running(command, tmp_path / "log") as prometheus:
        _until(lambda: receiver.alerts().get("Flapping") == "firing", tmp_path / "log")
        rules.write_text(RULES.format(expr="vector(1) > 2"))
        prometheus.send_signal(signal.SIGHUP)
        _until(lambda: receiver.alerts().get("Flapping") == "resolved", tmp_path / "log")


COLLECTD_CONFIG = """
Hostname "edge-7"
BaseDir "{folder}"
PIDFile "{folder}/pid"
TypesDB "/usr/share/collectd/types.db"
Interval 1
LoadPlugin logfile
LoadPlugin uptime
LoadPlugin load
LoadPlugin write_http
<Plugin logfile>
  LogLevel "warning"
  File "{folder}/log"
</Plugin>
<Plugin write_http>
  <Node "watchfloor">
    URL "{url}/api/v1/ingest"
    Header "Authorization: Bearer {secret}"
    Format "JSON"
    LogHttpError true
    BufferSize 1024
  </Node>
</Plugin>
"""


@pytest.mark.skipif(COLLECTD is None, reason="Debian's collectd is not installed")
def test_collectd_posts_its_values(receiver: Receiver, tmp_path: Path) -> None:
    config = tmp_path / "collectd.conf"
    config.write_text(COLLECTD_CONFIG.format(folder=tmp_path, url=receiver.url, secret=receiver.secret))
    with _running([str(COLLECTD), "-f", "-C", str(config)], tmp_path / "out"):
        # It posts when its buffer is full.
        _until(lambda: bool(receiver.values("collectd_load_shortterm")), tmp_path / "log")
    assert receiver.labels("collectd_uptime") == [{"__name__": "collectd_uptime", "instance": "edge-7"}]


class _running:  # noqa: N801  read as a verb
    """A program of others for as long as the block lasts."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.command, self.log = command, log

    def __enter__(self) -> subprocess.Popen[Any]:
        self.output = self.log.open("wb")
        self.process: subprocess.Popen[Any] = subprocess.Popen(self.command, stdout=self.output, stderr=self.output)
        return self.process

    def __exit__(self, *_error: object) -> None:
        self.process.terminate()
        self.process.wait(20)
        self.output.close()


def _until(is_so: Callable[[], bool], log: Path) -> None:
    try:
        wait_until(is_so, "did not happen", limit_s=LIMIT_S)
    except AssertionError:
        raise AssertionError(log.read_text()[-3_000:]) from None

"""The Prometheus HTTP API as its clients see it: forms, error types, parameters, who may."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis

from app.api.prometheus import unescape_name
from app.api.prometheus_form import truncated
from app.domain.samples import Metadata
from app.domain.tenancy import Scope
from app.tsdb.tenants import describe_metrics
from tests.factories.browser import make_server, token_for
from tests.factories.cast import Cast
from tests.factories.samples import store_all

T0 = 1_770_000_000
NAN, INF = float("nan"), float("inf")


class Client:
    """A program that holds a token for reading."""

    def __init__(self, client: FlaskClient, header: dict[str, str]) -> None:
        self.client = client
        self.header = header

    def get(self, path: str, **parameters: Any) -> Any:
        return self.client.get(f"/api/v1/{path}", query_string=parameters, headers=self.header)

    def post(self, path: str, **parameters: Any) -> Any:
        return self.client.post(f"/api/v1/{path}", data=parameters, headers=self.header)

    def data(self, path: str, **parameters: Any) -> Any:
        answer = self.get(path, **parameters)
        assert (answer.status_code, answer.json["status"]) == (200, "success"), answer.json
        return answer.json["data"]


@pytest.fixture(scope="module")
def server() -> Flask:
    """One server for all: it holds nothing of a test."""
    return make_server()


@pytest.fixture
def program(server: Flask, cast: Cast, valkey: Redis) -> Client:
    """acme's reader, nothing stored."""
    return Client(server.test_client(), token_for(cast.vera, Scope.READ))


@pytest.fixture
def client(program: Client, cast: Cast) -> Client:
    """acme's reader, with some samples stored."""
    series = {"north": [1.0, 2.5, NAN], "south": [1e21, 1e-7, INF], 'q"uote': [-0.0, 123456789012345680.0, -INF]}
    store_all(
        cast.acme,
        [
            (
                {"__name__": "load", "site": site},
                [(T0 * 1000 + 30_000 * row, value) for row, value in enumerate(values)],
            )
            for site, values in series.items()
        ],
    )
    store_all(cast.acme, [({"__name__": "odd.name", "if.name": "eth0"}, [(T0 * 1000, 7.0)])])
    describe_metrics(cast.acme, [Metadata("load", "gauge", "The load", "ratio"), Metadata("up", "gauge", "", "")])
    return program


def test_a_vector(client: Client) -> None:
    assert client.data("query", query="load", time=T0 + 0.125) == {
        "resultType": "vector",
        "result": [
            {"metric": {"__name__": "load", "site": "north"}, "value": [T0 + 0.125, "1"]},
            {"metric": {"__name__": "load", "site": 'q"uote'}, "value": [T0 + 0.125, "-0"]},
            {"metric": {"__name__": "load", "site": "south"}, "value": [T0 + 0.125, "1e+21"]},
        ],
    }


def test_a_matrix(client: Client) -> None:
    found = client.data("query_range", query="load", start=T0 - 30, end=T0 + 60, step="30s")
    assert found["resultType"] == "matrix"
    assert [series["values"] for series in found["result"]] == [
        [[T0, "1"], [T0 + 30, "2.5"], [T0 + 60, "NaN"]],
        [[T0, "-0"], [T0 + 30, "123456789012345680"], [T0 + 60, "-Inf"]],
        [[T0, "1e+21"], [T0 + 30, "1e-07"], [T0 + 60, "+Inf"]],
    ]


def test_a_range_vector(client: Client) -> None:
    found = client.data("query", query='load{site="north"}[1m]', time=T0 + 30)
    assert found == {
        "resultType": "matrix",
        "result": [{"metric": {"__name__": "load", "site": "north"}, "values": [[T0, "1"], [T0 + 30, "2.5"]]}],
    }


def test_a_scalar_and_a_string(program: Client) -> None:
    assert program.data("query", query="1e21 + 0", time=T0) == {
        "resultType": "scalar",
        "result": [T0, "1000000000000000000000"],
    }
    assert program.data("query", query='"a\\nb"', time=T0) == {"resultType": "string", "result": [T0, "a\nb"]}


def test_nothing_is_an_empty_list(program: Client) -> None:
    assert program.data("query", query="nothing", time=T0) == {"resultType": "vector", "result": []}
    assert program.data("query_range", query="nothing", start=T0, end=T0, step=1) == {
        "resultType": "matrix",
        "result": [],
    }


def test_post_takes_a_form(client: Client) -> None:
    answer = client.post("query", query="load", time=T0)
    assert (answer.status_code, len(answer.json["data"]["result"])) == (200, 3)
    answer = client.post("query_range", query="load", start=T0, end=T0 + 60, step="1m")
    assert [len(series["values"]) for series in answer.json["data"]["result"]] == [2, 2, 2]


@pytest.mark.parametrize(
    ("time", "at"),
    [
        ("1770000000", T0),
        ("1770000000.5", T0 + 0.5),
        ("2026-02-02T02:40:00Z", T0),
        ("2026-02-02T03:40:00.250+01:00", T0 + 0.25),
    ],
)
def test_times(program: Client, time: str, at: float) -> None:
    assert program.data("query", query="time()", time=time)["result"][0] == at


@pytest.mark.parametrize(
    ("step", "points"), [("30", 3), ("30s", 3), ("0.5m", None), ("1m", 2), ("1m30s", 1), ("6e1", 2)]
)
def test_steps(program: Client, step: str, points: int | None) -> None:
    answer = program.get("query_range", query="vector(1)", start=T0, end=T0 + 60, step=step)
    if points is None:
        assert answer.status_code == 400
    else:
        assert len(answer.json["data"]["result"][0]["values"]) == points


@pytest.mark.parametrize(
    ("path", "parameters", "status", "kind", "message"),
    [
        ("query", {"query": "sum("}, 400, "bad_data", 'invalid parameter "query": parse error: '),
        (
            "query",
            {"query": ""},
            400,
            "bad_data",
            'invalid parameter "query": parse error: no expression found in input',
        ),
        ("query", {"query": "1", "time": "soon"}, 400, "bad_data", 'invalid parameter "time": invalid time value for'),
        ("query", {"query": "1", "time": "NaN"}, 400, "bad_data", 'invalid parameter "time"'),
        ("query", {"query": "1", "timeout": "x"}, 400, "bad_data", 'invalid parameter "timeout": cannot parse "x"'),
        ("query", {"query": "1", "limit": "-1"}, 400, "bad_data", 'invalid parameter "limit": limit must be'),
        ("query", {"query": "1", "limit": "x"}, 400, "bad_data", 'invalid parameter "limit"'),
        ("query", {"query": "topk(NaN, load)", "time": T0}, 422, "execution", "Parameter value is NaN"),
        ("query", {"query": "rate(load)"}, 400, "bad_data", "expected type"),
        ("query", {"query": "load", "timeout": "-1s"}, 400, "bad_data", 'cannot parse "-1s" to a valid duration'),
        ("query", {"query": "load", "timeout": "-1"}, 503, "timeout", "query timed out in expression evaluation"),
        ("query_range", {"query": "1", "end": "1", "step": "1"}, 400, "bad_data", 'invalid parameter "start": cannot'),
        ("query_range", {"query": "1", "start": "2", "end": "1", "step": "1"}, 400, "bad_data", 'parameter "end": end'),
        (
            "query_range",
            {"query": "1", "start": "1", "end": "2", "step": "0"},
            400,
            "bad_data",
            'parameter "step": zero',
        ),
        (
            "query_range",
            {"query": "1", "start": "1", "end": "2", "step": "-1"},
            400,
            "bad_data",
            'parameter "step": zero',
        ),
        ("query_range", {"query": "1", "start": "1", "end": "2"}, 400, "bad_data", 'parameter "step": cannot parse ""'),
        ("query_range", {"query": "1", "start": "0", "end": "20000", "step": "1"}, 400, "bad_data", "exceeded maximum"),
        (
            "query_range",
            {"query": '"x"', "start": "0", "end": "1", "step": "1"},
            400,
            "bad_data",
            'type "string" for range',
        ),
        ("series", {}, 400, "bad_data", "no match[] parameter provided"),
        ("series", {"match[]": "{}"}, 400, "bad_data", 'invalid parameter "match[]": parse error'),
        ("labels", {"match[]": "sum(x)"}, 400, "bad_data", "expected an instant vector selector"),
        ("labels", {"start": "x"}, 400, "bad_data", 'invalid parameter "start"'),
        ("metadata", {"limit": "x"}, 400, "bad_data", "limit must be a number"),
        ("format_query", {"query": "("}, 400, "bad_data", "parse error"),
    ],
)
def test_refusals(program: Client, path: str, parameters: dict[str, Any], status: int, kind: str, message: str) -> None:
    answer = program.get(path, **parameters)
    assert (answer.status_code, answer.json["status"], answer.json["errorType"]) == (status, "error", kind)
    assert message in answer.json["error"]


def test_a_limit_cuts_and_says_so(client: Client) -> None:
    answer = client.get("query", query="load", time=T0, limit=2).json
    assert (len(answer["data"]["result"]), answer["warnings"]) == (2, ["results truncated due to limit"])
    answer = client.get("query_range", query="load", start=T0, end=T0 + 60, step=30, limit=1).json
    assert (len(answer["data"]["result"]), answer["warnings"]) == (1, ["results truncated due to limit"])
    answer = client.get("labels", limit=1).json
    assert (answer["data"], answer["warnings"]) == (["__name__"], ["results truncated due to limit"])
    assert "warnings" not in client.get("query", query="load", time=T0, limit=3).json
    assert truncated([1, 2], 0) == ([1, 2], False)


def test_warnings_reach_the_reader(client: Client) -> None:
    answer = client.get("query", query="quantile(2, load)", time=T0).json
    assert answer["warnings"] == ["PromQL warning: quantile value should be between 0 and 1, got 2"]
    answer = client.get("query", query="rate(load[1m])", time=T0 + 30).json
    hint = "metric might not be a counter, name does not end in _total/_sum/_count/_bucket"
    assert answer["infos"] == [f'PromQL info: {hint}: "load"']
    answer = client.get("query", query="histogram_quantile(0.9, load)", time=T0).json
    assert "is missing or has a malformed value" in answer["warnings"][0]


def test_stats_on_request(client: Client) -> None:
    assert "stats" not in client.data("query", query="load", time=T0)
    found = client.data("query_range", query="load", start=T0, end=T0 + 60, step=30, stats="all")["stats"]
    assert found["samples"] == {"totalQueryableSamples": 9, "peakSamples": 18}
    assert found["timings"]["execTotalTime"] >= found["timings"]["execQueueTime"] >= 0


def test_series_and_labels(client: Client) -> None:
    assert client.data("series", **{"match[]": 'load{site="north"}'}) == [{"__name__": "load", "site": "north"}]
    assert client.data("labels") == ["__name__", "if.name", "site"]
    assert client.data("labels", **{"match[]": "load"}) == ["__name__", "site"]
    assert client.data("label/site/values") == ["north", 'q"uote', "south"]
    assert client.data("label/site/values", **{"match[]": 'load{site!="north"}'}) == ['q"uote', "south"]
    assert client.data("label/U__if_2e_name/values") == ["eth0"]
    assert client.data("label/if.name/values") == ["eth0"]
    assert client.data("label/nothing/values") == []
    assert client.data("labels", start=T0 + 10_000, end=T0 + 10_001) == []


def test_several_selectors_add_up(client: Client) -> None:
    answer = client.post("series", **{"match[]": ['load{site="north"}', '{"odd.name"}']})
    assert answer.json["data"] == [{"__name__": "load", "site": "north"}, {"__name__": "odd.name", "if.name": "eth0"}]


def test_metadata(client: Client) -> None:
    load = [{"type": "gauge", "help": "The load", "unit": "ratio"}]
    assert client.data("metadata", metric="load") == {"load": load}
    assert client.data("metadata") == {"load": load, "up": [{"type": "gauge", "help": "", "unit": ""}]}
    assert client.data("metadata", limit=1) == {"load": load}
    assert client.data("metadata", metric="nothing") == {}


def test_what_this_is(program: Client) -> None:
    assert program.data("status/buildinfo")["version"].startswith("3.")
    assert program.data("query_exemplars", query="up", start=0, end=1) == []
    assert program.data("format_query", query="sum( load )by(site)") == "sum by (site) (load)"


@pytest.mark.parametrize(
    ("escaped", "name"),
    [("site", "site"), ("U__a__b", "a_b"), ("U__a_2e_b", "a.b"), ("U___2603_", "☃"), ("U__a_110000_b", "a_110000_b")],
)
def test_escaped_names(escaped: str, name: str) -> None:
    assert unescape_name(escaped) == name


def test_without_a_token_nothing_opens(program: Client) -> None:
    answer = program.client.get("/api/v1/query?query=1")
    assert (answer.status_code, answer.json["status"], answer.json["errorType"]) == (401, "error", "unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_for_ingest_may_not_read(program: Client, cast: Cast) -> None:
    answer = program.client.get("/api/v1/query?query=1", headers=token_for(cast.vera, Scope.INGEST))
    assert (answer.status_code, answer.json["errorType"]) == (403, "forbidden")


def test_charlie_of_globex_sees_nothing_of_acme(client: Client, cast: Cast) -> None:
    charlie = Client(client.client, token_for(cast.charlie, Scope.READ))
    assert charlie.data("query", query='{__name__=~".+"}', time=T0)["result"] == []
    assert charlie.data("query_range", query="load", start=T0, end=T0 + 60, step=30)["result"] == []
    assert charlie.data("series", **{"match[]": "load"}) == []
    assert charlie.data("labels") == []
    assert charlie.data("label/site/values") == []
    assert charlie.data("metadata") == {}

"""How many queries run at once, whose turn it is, and that nobody computes for a client who has gone."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from redis import Redis
from sqlalchemy import text
from werkzeug.serving import make_server as make_http_server

from app.domain.tenancy import Scope, TenantId
from app.errors import Overloaded, QueryError, Unavailable
from app.promql.limits import never
from app.queries import metrics
from app.queries.gate import Gate, Watcher, set_caller
from models.bounds import StatementBounds, bounded
from models.session import close_database, open_database, tenant_connection
from tests.factories.browser import make_server, token_for
from tests.factories.cast import Cast, create_cast
from tests.factories.processes import wait_until
from tests.factories.servers import SECRET_KEY

ACME, GLOBEX = TenantId(1), TenantId(2)


@contextmanager
def running(gate: Gate, tenant: TenantId, count: int) -> Iterator[None]:
    """So many queries of a tenant hold places."""
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(gate.place(tenant))
        yield


def test_one_tenant_does_not_take_every_place() -> None:
    gate = Gate(most_running=4, most_of_tenant=3, wait_s=0.0, short_wait_s=0.0)
    with running(gate, ACME, 3):
        with (
            pytest.raises(Overloaded, match="too many queries at once: 3 of this tenant are running"),
            gate.place(ACME),
        ):
            pass
        with gate.place(GLOBEX):
            assert gate.running() == 4
            with pytest.raises(Unavailable, match="a free place for one more query"), gate.place(GLOBEX):
                pass
    assert (gate.running(), gate.waiting()) == (0, 0)


def test_a_free_place_goes_to_who_has_the_fewest() -> None:
    gate = Gate(most_running=2, most_of_tenant=2, wait_s=30.0)
    order: list[TenantId] = []

    def ask(tenant: TenantId) -> None:
        with gate.place(tenant):
            order.append(tenant)

    threads = []
    with gate.place(ACME):
        with gate.place(ACME):
            for number, tenant in enumerate((ACME, GLOBEX), 1):
                threads.append(threading.Thread(target=ask, args=(tenant,)))
                threads[-1].start()
                wait_until(lambda number=number: gate.waiting() == number, "nobody waits")
        threads[1].join(10)
        assert order[0] == GLOBEX
    for thread in threads:
        thread.join(10)
    assert sorted(order) == [ACME, GLOBEX]


def test_the_watcher_ends_what_nobody_waits_for() -> None:
    watcher, bounds, gone = Watcher(), StatementBounds(lambda: 30.0), threading.Event()
    with watcher.watch(bounds, gone.is_set):
        assert not bounds.is_cancelled
        gone.set()
        wait_until(lambda: bounds.is_cancelled, "not cancelled")


@pytest.fixture
def real(own_db: str, valkey: Redis) -> Iterator[Cast]:
    """The cast in a database with connections of its own, as other threads need them."""
    open_database(own_db, role="web", secret_key=SECRET_KEY)
    yield create_cast()
    close_database()


def test_a_statement_ends_with_its_query(real: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "counts_of", _sleep)
    watcher = StatementBounds(lambda: 30.0)
    timer = threading.Timer(0.2, watcher.cancel)
    timer.start()
    with pytest.raises(Exception, match="canceling statement due to user request"), bounded(watcher):
        _sleep(real.acme, 10)
    with pytest.raises(Exception, match="statement timeout"), bounded(StatementBounds(lambda: 0.1)):
        _sleep(real.acme, 10)
    gone = threading.Event()
    threading.Timer(0.2, gone.set).start()
    set_caller(gone.is_set)
    with pytest.raises(QueryError) as caught:
        metrics.series_counts(real.vera, 10)
    set_caller(never)
    assert caught.value.kind == "canceled"
    # The next statement on the same connection is not hit.
    with tenant_connection(real.acme) as connection:
        assert connection.scalar(text("select 1")) == 1


def test_a_client_that_leaves_ends_its_statement(real: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "counts_of", _sleep)
    http = make_http_server("127.0.0.1", 0, make_server(), threaded=True)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    try:
        header = token_for(real.vera, Scope.READ)["Authorization"]
        client = socket.create_connection(("127.0.0.1", http.port))
        client.sendall(f"GET /api/v1/status/tsdb HTTP/1.1\r\nHost: x\r\nAuthorization: {header}\r\n\r\n".encode())
        wait_until(lambda: _sleeping(real) == 1, "the statement does not run")
        client.close()
        wait_until(lambda: _sleeping(real) == 0, "the statement goes on", limit_s=10)
        wait_until(lambda: metrics.gate.running() == 0, "the query keeps its place")
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def _sleep(tenant: TenantId, _limit: int) -> None:
    with tenant_connection(tenant) as connection:
        connection.execute(text("select pg_sleep(20), 'asleep'"))


def _sleeping(cast: Cast) -> int:
    with tenant_connection(cast.acme) as connection:
        return int(
            connection.scalar(
                text(
                    "select count(*) from pg_stat_activity where datname = current_database()"
                    " and state = 'active' and query like 'select pg_sleep%asleep%'"
                )
            )
            or 0
        )


def test_a_burst_of_quick_questions_waits_and_nobody_is_refused() -> None:
    gate = Gate(most_running=1, most_of_tenant=1, short_wait_s=0.01, slow_after_s=60.0)
    answered: list[int] = []
    with gate.place(ACME):
        threads = [threading.Thread(target=_ask, args=(gate, answered, number)) for number in range(8)]
        for thread in threads:
            thread.start()
        wait_until(lambda: gate.waiting() == 8, "not all wait")
    for thread in threads:
        thread.join(10)
    assert sorted(answered) == list(range(8))


def _ask(gate: Gate, answered: list[int], number: int) -> None:
    with gate.place(ACME):
        answered.append(number)

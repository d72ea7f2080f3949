"""`archive`: list, run, restore and query, from the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.__main__ import main
from app.domain.tenancy import TenantId
from models.session import close_database, open_database, platform_session
from models.tenants import TenantRow
from tests.factories.samples import store
from tests.factories.servers import SECRET_KEY, Servers

THEN = (datetime.now(UTC) - timedelta(days=20)).replace(hour=7, minute=0, second=0, microsecond=0)


@pytest.fixture(autouse=True)
def _installation(own_db: str, servers: Servers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installation whose tenant acme has two samples that are past their term."""
    values = {"DATABASE_URL": own_db, "REDIS_URL": servers.redis_url, "SECRET_KEY": SECRET_KEY, "HOME": str(tmp_path)}
    for name, value in values.items():
        monkeypatch.setenv(f"WATCHFLOOR_{name}", value)
    with platform_session() as session:
        row = TenantRow(name="acme", title="Acme")
        session.add(row)
        session.flush()
        owner = TenantId(row.id)
    first = int(THEN.timestamp() * 1000)
    store(owner, {"__name__": "up", "device": "r1"}, [(first, 1.0), (first + 60_000, 0.5)])
    close_database()


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    close_database()
    said = capsys.readouterr()
    return code, said.out, said.err


def test_archived_listed_asked_and_back(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert _run(capsys, "archive", "list", "-t", "acme") == (0, "", "")
    assert _run(capsys, "archive", "run", "-t", "acme")[1].startswith("1 archived")
    _, listed, _ = _run(capsys, "archive", "list", "-t", "acme", "--from", f"{THEN:%Y-%m-%d}")
    bucket, series, samples, _size, state, path = listed.strip().split("\t")
    assert (bucket, series, samples, state) == (f"{THEN:%Y-%m-%d}T06:00Z", "1", "2", "archived")
    assert (tmp_path / "objects" / path).is_file()
    span = ("--from", THEN.isoformat(), "--to", (THEN + timedelta(minutes=1)).isoformat())
    code, out, _ = _run(capsys, "archive", "query", "-t", "acme", *span, "--step", "1m", 'up{device="r1"} * 100')
    assert code == 0
    assert out.splitlines() == [
        "time,value,series",
        f'{THEN:%Y-%m-%dT%H:%M}:00.000+00:00,100,"{{device=""r1""}}"',
        f'{THEN:%Y-%m-%dT%H:%M}:00.000+00:00,50,"{{device=""r1""}}"'.replace(":00:00.000", ":01:00.000"),
    ]
    assert _run(capsys, "archive", "restore", "-t", "acme", *span)[1] == "2 samples are back, for 7 days\n"
    assert "restored until" in _run(capsys, "archive", "list", "-t", "acme")[1]


def test_what_goes_wrong_is_one_line_and_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    span = ("--from", "2020-01-01", "--to", "2020-01-02")
    for code, arguments in (
        (1, ("archive", "list", "-t", "initech")),
        (1, ("archive", "restore", "-t", "acme", *span)),
        (2, ("archive", "query", "-t", "acme", *span, "sum(")),
        (2, ("archive", "query", "-t", "acme", *span, "--step", "often", "up")),
        (2, ("archive", "list", "-t", "acme", "--from", "yesterday")),
    ):
        got, _out, error = _run(capsys, *arguments)
        assert got == code, arguments
        assert len(error.splitlines()) == 1, error


def test_a_tenant_is_closed_and_erased(capsys: pytest.CaptureFixture[str], own_db: str) -> None:
    assert _run(capsys, "tenant", "erase", "acme", "--yes", "acme")[0] == 1
    assert _run(capsys, "tenant", "close", "acme")[0] == 0
    open_database(own_db, role="web", secret_key=SECRET_KEY)
    with platform_session() as session:
        row = session.query(TenantRow).filter_by(name="acme").one()
        row.closed_at = datetime.now(UTC) - timedelta(minutes=1)
    assert _run(capsys, "tenant", "erase", "acme", "--yes", "acm")[0] == 2
    code, out, _ = _run(capsys, "tenant", "erase", "acme", "--yes", "acme")
    assert code == 0
    assert "sample_hot\t2\t0" in out
    assert out.endswith("nothing is left\n")
    assert _run(capsys, "tenant", "list")[1] == ""

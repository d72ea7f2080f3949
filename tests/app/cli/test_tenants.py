"""`tenant`, `user`, `token`, `audit`: exit codes, and secrets as the last word, once."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from app.__main__ import main
from app.auth.tokens import viewer_for_token
from app.domain.tenancy import Scope
from models.session import close_database, open_database
from tests.factories.servers import SECRET_KEY, Servers


@pytest.fixture(autouse=True)
def _installation(own_db: str, servers: Servers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The settings of an empty installation."""
    values = {"DATABASE_URL": own_db, "REDIS_URL": servers.redis_url, "SECRET_KEY": SECRET_KEY, "HOME": str(tmp_path)}
    for name, value in values.items():
        monkeypatch.setenv(f"WATCHFLOOR_{name}", value)
    # The verb opens connections of its own, in place of these.
    close_database()


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    close_database()
    said = capsys.readouterr()
    return code, said.out, said.err


def test_from_nothing_to_a_token(capsys: pytest.CaptureFixture[str], own_db: str) -> None:
    assert _run(capsys, "tenant", "create", "acme", "--accept-from", "1970-01-01")[0] == 0
    assert "\tacme\topen\t" in _run(capsys, "tenant", "list")[1]
    code, out, _ = _run(capsys, "token", "create", "--tenant", "acme", "--scope", "ingest", "--expires", "30d")
    assert code == 0
    open_database(own_db, role="web", secret_key=SECRET_KEY)
    viewer = viewer_for_token(out.split()[-1], "127.0.0.1")
    assert (viewer.tenant_name, viewer.scopes) == ("acme", {Scope.INGEST})


def test_people_and_their_passwords(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    _run(capsys, "tenant", "create", "acme")
    _, out, _ = _run(capsys, "user", "create", "ann@acme.example", "-t", "acme", "--role", "admin", "--platform-admin")
    assert len(out.split()[-1]) >= 16
    monkeypatch.setattr("sys.stdin", io.StringIO("a password from a pipe\n"))
    code, out, _ = _run(capsys, "user", "passwd", "ann@acme.example", "-t", "acme", "--password-stdin")
    assert code == 0 and "pipe" not in out
    assert "admin +platform\tactive" in _run(capsys, "user", "list", "-t", "acme")[1]
    assert "intact" in _run(capsys, "audit", "verify", "-t", "acme")[1]


def test_what_goes_wrong_is_one_line_and_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    _run(capsys, "tenant", "create", "acme")
    for code, arguments in (
        (1, ("tenant", "create", "acme")),
        (2, ("tenant", "create", "Not A Name")),
        (2, ("tenant", "create", "x1", "--accept-from", "yesterday")),
        (1, ("token", "create", "--tenant", "nowhere", "--scope", "read")),
        (2, ("token", "create", "--tenant", "acme", "--scope", "root")),
        (2, ("token", "create", "--tenant", "acme")),
        (2, ("user", "create", "no address", "-t", "acme")),
        (1, ("user", "passwd", "nobody@acme.example", "-t", "acme")),
    ):
        answered, out, err = _run(capsys, *arguments)
        assert (answered, out) == (code, ""), arguments
        assert err and "Traceback" not in err

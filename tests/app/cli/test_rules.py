"""`rules import FILE`."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.__main__ import main
from app.queries.rules import groups
from models.session import close_database, open_database
from tests.factories.cast import Cast, create_cast
from tests.factories.servers import SECRET_KEY, Servers

FILE = """
groups:
  - name: nodes
    rules:
      - {alert: Down, expr: up == 0, for: 5m}
      - {record: x, expr: up}
"""


@pytest.fixture
def installation(own_db: str, servers: Servers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cast:
    """The settings of an installation with both tenants."""
    values = {"DATABASE_URL": own_db, "REDIS_URL": servers.redis_url, "SECRET_KEY": SECRET_KEY, "HOME": str(tmp_path)}
    for name, value in values.items():
        monkeypatch.setenv(f"WATCHFLOOR_{name}", value)
    cast = create_cast()
    # The verb opens connections of its own, in place of these.
    close_database()
    return cast


@pytest.mark.parametrize(
    ("options", "tenant"),
    [
        pytest.param([], "acme", id="the oldest tenant"),
        pytest.param(["--tenant", "globex"], "globex", id="a tenant by name"),
    ],
)
def test_import(
    installation: Cast,
    own_db: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    tenant: str,
) -> None:
    file = tmp_path / "rules.yml"
    file.write_text(FILE)
    assert main(["rules", "import", str(file), *options]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"1 rules in 1 groups for {tenant}"
    assert said[1].startswith("left out: group nodes: the recording rule x")
    close_database()
    open_database(own_db, role="web", secret_key=SECRET_KEY)
    found = {viewer.tenant_name: len(groups(viewer)) for viewer in (installation.alice, installation.charlie)}
    assert found == {name: int(name == tenant) for name in ("acme", "globex")}


@pytest.mark.parametrize(
    ("text", "options", "code", "said"),
    [
        pytest.param("groups: [", [], 2, "is not YAML", id="no YAML"),
        pytest.param("groups: [{name: a, rules: [{alert: b, expr: 'up{'}]}]", [], 2, "", id="no query"),
        pytest.param(FILE, ["--tenant", "nobody"], 1, "no open tenant nobody", id="no such tenant"),
    ],
)
def test_what_goes_wrong(
    installation: Cast,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    options: list[str],
    code: int,
    said: str,
) -> None:
    file = tmp_path / "rules.yml"
    file.write_text(text)
    assert main(["rules", "import", str(file), *options]) == code
    line = capsys.readouterr().err
    assert said in line
    assert line.count("\n") == 1


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    assert main(["rules", "import", str(tmp_path / "nothing.yml")]) == 2

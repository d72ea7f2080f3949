"""doctor: each finding says what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.cli.doctor import Verdict, check_database, check_disk, check_secret, check_valkey, examine
from app.settings import Settings
from tests.factories.servers import Servers, create_database, drop_database


def settings(home: Path, **others: object) -> Settings:
    """Settings of a home."""
    return Settings.from_env({"WATCHFLOOR_HOME": str(home)}, **others)


def test_a_migrated_database_is_good(migrated_url: str) -> None:
    assert {finding.verdict for finding in check_database(migrated_url)} == {Verdict.GOOD}


def test_an_empty_database_is_told_from_a_migrated_one(servers: Servers) -> None:
    url = create_database(servers)
    [schema] = [f for f in check_database(url) if f.subject == "schema"]
    drop_database(servers, url)
    assert (schema.verdict, schema.advice) == (Verdict.BAD, "python -m app migrate")


@pytest.mark.parametrize(
    ("check", "url", "setting"),
    [
        pytest.param(check_database, "postgresql://x:y@127.0.0.1:1/none", "WATCHFLOOR_DATABASE_URL", id="database"),
        pytest.param(check_valkey, "redis://127.0.0.1:1/0", "WATCHFLOOR_REDIS_URL", id="valkey"),
    ],
)
def test_a_server_that_is_away_is_named_with_its_setting(check: object, url: str, setting: str) -> None:
    [finding] = check(url)
    assert finding.verdict is Verdict.BAD
    assert setting in finding.advice


def test_a_secret_key_that_others_can_read_is_found(tmp_path: Path) -> None:
    key = tmp_path / "secret_key"
    key.write_text("k" * 64)
    key.chmod(0o644)
    assert check_secret(settings(tmp_path)).advice == f"chmod 600 {key}"
    key.chmod(0o600)
    assert check_secret(settings(tmp_path)).verdict is Verdict.GOOD


def test_free_space_is_looked_at_where_the_data_will_lie(tmp_path: Path) -> None:
    assert str(tmp_path) in check_disk(settings(tmp_path / "not" / "yet")).what


def test_what_nobody_started_ends_the_examination_with_advice(tmp_path: Path) -> None:
    last = examine(settings(tmp_path))[-1]
    assert last.verdict is Verdict.BAD
    assert "python -m app up" in last.what

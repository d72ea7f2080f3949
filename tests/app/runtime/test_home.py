"""The home of an installation: its secret, its lock, where its servers listen."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.errors import ConfigError, WatchfloorError
from app.runtime.embedded import claim, needed_servers, wipe_run
from app.runtime.home import Home, ServerAddresses, ready_settings, save_servers, secret_file
from app.settings import Settings
from tests.factories.processes import in_child

GIVEN = {
    "WATCHFLOOR_DATABASE_URL": "postgresql://owner:x@db/watchfloor",
    "WATCHFLOOR_REDIS_URL": "redis://valkey/0",
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home."""
    return Home(tmp_path / "home").prepare()


def test_the_secret_key_is_made_once_for_its_owner_alone(home: Home) -> None:
    path = home.root / "secret_key"
    key = secret_file(path)
    assert len(key) == 64
    assert secret_file(path) == key
    assert path.stat().st_mode & 0o777 == 0o600


def test_many_at_the_same_time_make_one_secret(home: Home) -> None:
    def make() -> None:
        (home.root / f"said-{os.getpid()}").write_text(secret_file(home.root / "secret_key"))

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: in_child(make), range(8))) == {0}
    assert len({path.read_text() for path in home.root.glob("said-*")}) == 1


def test_settings_are_filled_from_the_running_servers(home: Home) -> None:
    save_servers(home, ServerAddresses("postgresql://a", "redis://b"))
    ready = ready_settings(Settings.from_env({"WATCHFLOOR_HOME": str(home.root)}))
    assert (ready.database_url, ready.redis_url) == ("postgresql://a", "redis://b")
    assert ready.secret_key == (home.root / "secret_key").read_text()
    assert home.servers.stat().st_mode & 0o777 == 0o600


def test_what_is_set_wins_over_what_runs(home: Home) -> None:
    save_servers(home, ServerAddresses("postgresql://a", "redis://b"))
    ready = ready_settings(
        Settings.from_env({"WATCHFLOOR_HOME": str(home.root), **GIVEN, "WATCHFLOOR_SECRET_KEY": "k" * 32})
    )
    assert ready.database_url == GIVEN["WATCHFLOOR_DATABASE_URL"]
    assert not (home.root / "secret_key").exists()


def test_without_servers_the_error_says_what_to_do(home: Home) -> None:
    with pytest.raises(ConfigError, match="python -m app up"):
        ready_settings(Settings.from_env({"WATCHFLOOR_HOME": str(home.root)}))


def test_a_home_that_cannot_be_made_is_named() -> None:
    with pytest.raises(ConfigError, match="WATCHFLOOR_HOME: /proc/none cannot be used"):
        Home(Path("/proc/none")).prepare()


def test_nothing_embedded_starts_when_both_servers_are_given(home: Home) -> None:
    assert needed_servers(Settings.from_env(GIVEN), home) == (None, None)
    assert not (home.root / "servers_key").exists()


def test_a_home_has_one_run_at_a_time(home: Home) -> None:
    lock = claim(home)

    def second() -> None:
        with pytest.raises(WatchfloorError, match=f"already runs in .* \\(process {os.getppid()}\\)"):
            claim(home)

    # A lock belongs to the open file, which a fork shares: the second run opens its own.
    assert in_child(second) == 0
    os.close(lock)
    os.close(claim(home))


def test_a_run_that_was_cut_off_is_noticed(home: Home) -> None:
    assert not wipe_run(home)
    save_servers(home, ServerAddresses("postgresql://a", "redis://b"))
    (home.metrics / "counter_1.db").write_text("old")
    assert wipe_run(home)
    assert not home.servers.exists()
    assert list(home.metrics.iterdir()) == []

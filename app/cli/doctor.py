"""`doctor`: looks at settings, connections, clock, disk and versions, and says what to do."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version

import click
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app import clock
from app.errors import WatchfloorError
from app.runtime.home import home_of, ready_settings
from app.runtime.schema import OLDEST_POSTGRES, newest_revision, owner_engine
from app.runtime.servers import is_free
from app.settings import Settings

MOST_CLOCK_OFFSET_S = 2.0
LEAST_FREE_RATIO = 0.10
LEAST_FREE_BYTES = 2_000_000_000
OLDEST_VALKEY = (7, 2)
SCHEMA_NEEDED = text("select version_num from alembic_version")
SERVER_FACTS = text("select current_setting('server_version'), extract(epoch from clock_timestamp())::float8")


class Verdict(StrEnum):
    """How a check ended."""

    GOOD = "ok"
    DOUBTFUL = "note"
    BAD = "FAIL"


@dataclass(frozen=True)
class Finding:
    """What one check found, and what to do about it."""

    verdict: Verdict
    subject: str
    what: str
    advice: str = ""


@click.command()
def doctor() -> int:
    """Check settings, connections, clock, disk and versions; say what to do. Exit code 1 when something is broken."""
    findings = examine(Settings.from_env())
    for finding in findings:
        click.echo(f"{finding.verdict:5} {finding.subject:10} {finding.what}")
        if finding.advice:
            click.echo(f"{'':16} -> {finding.advice}")
    broken = sum(finding.verdict is Verdict.BAD for finding in findings)
    click.echo("all is well" if not broken else f"{broken} of {len(findings)} checks failed")
    return 1 if broken else 0


def examine(settings: Settings) -> list[Finding]:
    """Every check, in the order in which they depend on each other."""
    findings = [check_python(), check_disk(settings), check_secret(settings)]
    try:
        ready = ready_settings(settings)
    except WatchfloorError as error:
        findings.append(Finding(Verdict.BAD, "settings", str(error), "see docs/settings.md"))
        return findings
    assert ready.database_url and ready.redis_url
    findings.append(Finding(Verdict.GOOD, "settings", f"home {ready.home}, address {ready.base_url()}"))
    findings += check_database(ready.database_url)
    findings += check_valkey(ready.redis_url)
    findings.append(check_web(ready))
    return findings


def check_python() -> Finding:
    """The versions that a bug report should name."""
    names = ("dash", "flask", "sqlalchemy", "rq", "redis", "numpy")
    known = ", ".join(f"{name} {version(name)}" for name in names)
    return Finding(Verdict.GOOD, "versions", f"Python {platform.python_version()} on {sys.platform}, {known}")


def check_disk(settings: Settings) -> Finding:
    """Free space where the data lie: Valkey stops when the disk is full."""
    place = home_of(settings).root
    while not place.exists():
        place = place.parent
    usage = shutil.disk_usage(place)
    what = f"{usage.free / 1e9:.1f} GB free of {usage.total / 1e9:.1f} GB at {place}"
    if usage.free < LEAST_FREE_BYTES or usage.free / usage.total < LEAST_FREE_RATIO:
        return Finding(Verdict.BAD, "disk", what, "free some space, or shorten the retention of your tenants")
    return Finding(Verdict.GOOD, "disk", what)


def check_secret(settings: Settings) -> Finding:
    """The key that opens sealed credentials: lost, they are lost."""
    path = home_of(settings).root / "secret_key"
    if settings.secret_key:
        return Finding(Verdict.GOOD, "secret key", "set by WATCHFLOOR_SECRET_KEY")
    if not path.exists():
        return Finding(Verdict.DOUBTFUL, "secret key", f"is made at the first start in {path}", "keep a copy of it")
    if path.stat().st_mode & 0o077:
        return Finding(Verdict.BAD, "secret key", f"{path} can be read by others", f"chmod 600 {path}")
    return Finding(Verdict.GOOD, "secret key", f"in {path}")


def check_database(url: str) -> list[Finding]:
    """Postgres: reachable, new enough, migrated, and of the same opinion about the time."""
    engine = owner_engine(url)
    try:
        with engine.connect() as connection:
            begun_s = clock.now_ms() / 1000
            server, their_s = connection.execute(SERVER_FACTS).one()
            offset_s = their_s - (begun_s + clock.now_ms() / 1000) / 2
            migrated = connection.scalar(text("select to_regclass('alembic_version') is not null"))
            revision = connection.scalar(SCHEMA_NEEDED) if migrated else None
    except OperationalError as error:
        reason = " ".join(str(error.orig).split())
        return [Finding(Verdict.BAD, "database", reason, "start it, or correct WATCHFLOOR_DATABASE_URL")]
    finally:
        engine.dispose()
    return [_database_version(server), _schema(revision), _clock(offset_s)]


def check_valkey(url: str) -> list[Finding]:
    """Valkey: reachable, new enough, and durable."""
    client = Redis.from_url(url, socket_connect_timeout=2, socket_timeout=5)
    try:
        info = client.info()
        policy = client.config_get("appendonly", "appendfsync", "maxmemory-policy")
    except RedisError as error:
        return [Finding(Verdict.BAD, "valkey", str(error), "start it, or correct WATCHFLOOR_REDIS_URL")]
    finally:
        client.close()
    known = str(info.get("valkey_version") or info.get("redis_version"))
    found = Finding(Verdict.GOOD, "valkey", known)
    if tuple(int(part) for part in known.split(".")[:2]) < OLDEST_VALKEY:
        found = Finding(Verdict.BAD, "valkey", f"{known} is too old", "7.2 or later is needed")
    return [found, *_durability(policy, info)]


def check_web(settings: Settings) -> Finding:
    """Whether somebody serves on our port."""
    if is_free(settings.port, settings.bind):
        return Finding(Verdict.DOUBTFUL, "web", f"nobody serves on port {settings.port}", "python -m app up")
    return Finding(Verdict.GOOD, "web", f"someone serves on port {settings.port}")


def _database_version(server: str) -> Finding:
    if int(server.split(".", 1)[0]) < OLDEST_POSTGRES:
        return Finding(
            Verdict.BAD, "database", f"Postgres {server} is too old", f"{OLDEST_POSTGRES} or later is needed"
        )
    return Finding(Verdict.GOOD, "database", f"Postgres {server}")


def _schema(revision: str | None) -> Finding:
    needed = newest_revision()
    if revision != needed:
        what = f"is {revision or 'empty'}, this version needs {needed}"
        return Finding(Verdict.BAD, "schema", what, "python -m app migrate")
    return Finding(Verdict.GOOD, "schema", str(revision))


def _clock(offset_s: float) -> Finding:
    if abs(offset_s) > MOST_CLOCK_OFFSET_S:
        what = f"the database's clock is {abs(offset_s):.1f} s {'ahead of' if offset_s > 0 else 'behind'} ours"
        return Finding(Verdict.BAD, "clock", what, "run a time service (chrony) on both machines")
    return Finding(Verdict.GOOD, "clock", f"within {abs(offset_s) * 1000:.0f} ms of the database's")


def _durability(policy: Mapping[str | None, str | None], info: Mapping[str, object]) -> list[Finding]:
    """What an accepted sample relies on until it is stored."""
    good: dict[str, Callable[[str], bool]] = {
        "appendonly": lambda value: value == "yes",
        "appendfsync": lambda value: value == "always",
        "maxmemory-policy": lambda value: value == "noeviction",
    }
    findings = [
        Finding(
            Verdict.BAD, "valkey", f"{name} is {policy.get(name)}", "accepted samples may be lost: see docs/settings.md"
        )
        for name, is_good in good.items()
        if not is_good(str(policy.get(name)))
    ]
    if info.get("aof_last_bgrewrite_status") == "err":
        advice = "the machine is short of memory: set vm.overcommit_memory=1"
        findings.append(Finding(Verdict.DOUBTFUL, "valkey", "its last rewrite of the log failed", advice))
    return findings

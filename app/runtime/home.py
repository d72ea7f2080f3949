"""The folder of an installation ($WATCHFLOOR_HOME): what lies where, its secret key, its embedded servers."""

from __future__ import annotations

import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from app.errors import ConfigError, WatchfloorError
from app.settings import Settings

START_IT = "start them with `python -m app up`, or set WATCHFLOOR_DATABASE_URL and WATCHFLOOR_REDIS_URL"


@dataclass(frozen=True)
class Home:
    """Paths below $WATCHFLOOR_HOME."""

    root: Path

    @property
    def run(self) -> Path:
        """What lives as long as one start: addresses of the servers, the lock, metric files."""
        return self.root / "run"

    @property
    def log(self) -> Path:
        """One log file for each process."""
        return self.root / "log"

    @property
    def metrics(self) -> Path:
        """The files through which processes add up their own counters; wiped at each start."""
        return self.run / "metrics"

    @property
    def servers(self) -> Path:
        """Where the embedded servers listen (mode 0600)."""
        return self.run / "servers.json"

    @property
    def credentials(self) -> Path:
        """The sign-ins of the demo (mode 0600)."""
        return self.root / "credentials.json"

    def prepare(self) -> Home:
        """Make the folders that are missing; the home itself is for its owner alone."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.root.stat().st_mode & 0o022:
                self.root.chmod(0o700)
            for folder in (self.run, self.log):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                "WATCHFLOOR_HOME", f"{self.root} cannot be used: {error.strerror}", "/var/lib/watchfloor"
            ) from None
        return self


@dataclass(frozen=True)
class ServerAddresses:
    """Where the embedded servers of a home listen, passwords included."""

    database_url: str
    redis_url: str


def home_of(settings: Settings) -> Home:
    """The home of these settings, as an absolute path."""
    return Home(settings.home.expanduser().absolute())


def ready_settings(settings: Settings) -> Settings:
    """The settings with database_url, redis_url and secret_key filled in from the home where they are unset.

    Raises ConfigError when something is neither set nor running embedded.
    """
    home = home_of(settings)
    filled: dict[str, object] = {"home": home.root}
    if settings.database_url is None or settings.redis_url is None:
        servers = load_servers(home)
        filled["database_url"] = settings.database_url or servers.database_url
        filled["redis_url"] = settings.redis_url or servers.redis_url
    if settings.secret_key is None:
        filled["secret_key"] = secret_file(home.prepare().root / "secret_key")
    return settings.model_copy(update=filled)


def load_servers(home: Home) -> ServerAddresses:
    """Where the embedded servers listen; raises ConfigError when they have not been started."""
    try:
        return msgspec.json.decode(home.servers.read_bytes(), type=ServerAddresses)
    except FileNotFoundError:
        missing = f"is not set, and no embedded servers run under {home.root}: {START_IT}"
        raise ConfigError("WATCHFLOOR_DATABASE_URL", missing, "postgresql://watchfloor:secret@db/watchfloor") from None
    except (OSError, msgspec.MsgspecError) as error:
        raise WatchfloorError(f"{home.servers} cannot be read: {error}") from None


def save_servers(home: Home, addresses: ServerAddresses) -> None:
    """Tell the other processes where the embedded servers listen."""
    write_private(home.servers, msgspec.json.encode(asdict(addresses)))


def secret_file(path: Path) -> str:
    """The secret in a file of ours; made at random the first time, by exactly one of many processes."""
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        write_private(draft, secrets.token_hex(32).encode())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return path.read_text(encoding="ascii").strip()


def write_private(path: Path, content: bytes) -> None:
    """Replace a file by one with this content that only its owner can read, in one step."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)

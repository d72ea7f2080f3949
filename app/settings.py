"""Settings: every WATCHFLOOR_ variable, typed and checked; the sole reader of the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.errors import ConfigError

PREFIX = "WATCHFLOOR_"
# Variables that hold a secret may be given as a path in …_FILE instead.
SECRETS = (
    "DATABASE_URL",
    "DATABASE_READ_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "SMTP_URL",
    "OBJECT_STORE_URL",
    "OIDC_CLIENT_SECRET",
)
EXAMPLES: Mapping[str, str] = {
    "HOME": "/var/lib/watchfloor",
    "PORT": "8050",
    "BIND": "127.0.0.1",
    "DATABASE_URL": "postgresql://watchfloor:secret@db:5432/watchfloor",
    "DATABASE_READ_URL": "postgresql://watchfloor:secret@replica:5432/watchfloor",
    "REDIS_URL": "redis://valkey:6379/0",
    "OBJECT_STORE_URL": "file:///var/lib/watchfloor/objects",
    "SECRET_KEY": "64 random hexadecimal digits",
    "PUBLIC_URL": "https://noc.example.org",
    "DEMO": "1",
    "SMTP_URL": "smtp://user:secret@mail.example.org:587",
    "LOG_FORMAT": "json",
}


class Settings(BaseSettings):
    """What an installation can set; docs/settings.md explains each."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True)

    home: Path = Path(".watchfloor")
    port: int = Field(default=8050, ge=1, le=65534)
    bind: str = "127.0.0.1"
    database_url: str | None = None
    database_read_url: str | None = None
    redis_url: str | None = None
    object_store_url: str | None = None
    secret_key: str | None = Field(default=None, min_length=32)
    public_url: str | None = None
    demo: bool = False
    smtp_url: str | None = None
    smtp_from: str = "watchfloor@localhost"
    log_format: Literal["json", "text"] = "text"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    # Addresses that webhooks and mail may go to although they are private, as CIDR ranges with commas.
    outbound_allow: str = ""
    # Proxies whose X-Forwarded-For is believed, as CIDR ranges with commas.
    trusted_proxies: str = ""

    @field_validator("database_url", "database_read_url")
    @classmethod
    def _database_scheme(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("postgresql://", "postgresql+psycopg://", "postgres://")):
            raise ValueError("must be a postgresql:// address")
        return value.replace("postgres://", "postgresql://", 1) if value else value

    @field_validator("redis_url")
    @classmethod
    def _redis_scheme(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must be a redis://, rediss:// or unix:// address")
        return value

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, /, **overrides: object) -> Settings:
        """The settings of this process; raises ConfigError with the variable's name and an example."""
        values = _read(os.environ if environ is None else environ)
        values.update({name: value for name, value in overrides.items() if value is not None})
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]).upper() if first["loc"] else ""
            raise ConfigError(PREFIX + name, first["msg"], EXAMPLES.get(name, "see docs/settings.md")) from None

    def base_url(self) -> str:
        """The address people use, without a slash at the end."""
        return (self.public_url or f"http://{self.bind}:{self.port}").rstrip("/")

    def environment(self, metrics: Path | None = None) -> dict[str, str]:
        """The environment that gives a child process these settings.

        Secrets are left as they were given; `metrics` is the folder in which the processes add up their own counters.
        """
        environment = dict(os.environ)
        for name in ("home", "port", "bind", "demo"):
            value = getattr(self, name)
            environment[PREFIX + name.upper()] = str(int(value)) if isinstance(value, bool) else str(value)
        if metrics is not None:
            environment["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
        return environment


def _read(environ: Mapping[str, str]) -> dict[str, object]:
    """The fields that are set, …_FILE resolved. An empty variable counts as unset."""
    values: dict[str, object] = {}
    for name in Settings.model_fields:
        variable = PREFIX + name.upper()
        if environ.get(variable):
            values[name] = environ[variable]
        elif name.upper() in SECRETS and environ.get(variable + "_FILE"):
            path = Path(environ[variable + "_FILE"])
            try:
                values[name] = path.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise ConfigError(
                    variable + "_FILE", f"cannot be read: {error.strerror}", "/run/secrets/name"
                ) from None
    return values

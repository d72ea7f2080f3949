"""What gunicorn serves: `wsgi:server` (pages, API, ingest). Made when asked for, not when imported."""

from __future__ import annotations

from typing import Any

from app.queries.devices import all_tenants
from app.runtime.process import open_process
from app.server import create_server
from app.settings import Settings
from app.tsdb.catalog import preload


def __getattr__(name: str) -> Any:
    if name == "server":
        settings = open_process(Settings.from_env(), "web")
        # Before the workers are forked: they share what is known, and the first requests after a start are not slow.
        preload(all_tenants())
        return create_server(settings)
    raise AttributeError(name)

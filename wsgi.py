"""What gunicorn serves: `wsgi:server` (pages, API, ingest). Made when asked for, not when imported."""

from __future__ import annotations

from typing import Any

from app.runtime.process import open_process
from app.server import create_server
from app.settings import Settings


def __getattr__(name: str) -> Any:
    if name == "server":
        return create_server(open_process(Settings.from_env(), "web"))
    raise AttributeError(name)

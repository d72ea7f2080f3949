"""What gunicorn serves: `wsgi:server` (pages, API, ingest) and `wsgi:push` (live updates, with the asgi worker).

Made when asked for, so that a process opens only what it serves.
"""

from __future__ import annotations

from typing import Any

from app.api.stream import create_push
from app.runtime.process import open_process
from app.server import create_server
from app.settings import Settings


def __getattr__(name: str) -> Any:
    if name == "server":
        return create_server(open_process(Settings.from_env(), "web"))
    if name == "push":
        return create_push(open_process(Settings.from_env(), "web", pool_size=2))
    raise AttributeError(name)

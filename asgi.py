"""What gunicorn's asgi worker serves: `asgi:push` (live updates). It loads no page, no chart and no engine."""

from __future__ import annotations

from typing import Any

from app.api.stream import create_push
from app.runtime.process import open_process
from app.settings import Settings


def __getattr__(name: str) -> Any:
    if name == "push":
        return create_push(open_process(Settings.from_env(), "web", pool_size=2))
    raise AttributeError(name)

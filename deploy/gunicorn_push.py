"""gunicorn for live updates: `gunicorn --config deploy/gunicorn_push.py asgi:push`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.runtime.child import die_with_parent
from app.settings import Settings

settings = Settings.from_env()

bind = f"{settings.bind}:{settings.port + 1}"
worker_class = "asgi"
# One loop holds thousands of open screens.
workers = 1
preload_app = False
timeout = 60
# Open screens never finish by themselves; they connect again.
graceful_timeout = 1
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  gunicorn makes its file private
control_socket_disable = True
forwarded_allow_ips = "127.0.0.1,::1"
loglevel = "warning"
proc_name = "watchfloor-push"


def post_fork(_server: Any, _worker: Any) -> None:
    """Die with the master."""
    die_with_parent()

"""gunicorn for pages, API and ingest: `gunicorn --config deploy/gunicorn_web.py wsgi:server`."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

from prometheus_client import multiprocess

from app.runtime.child import die_with_parent
from app.runtime.draining import watch_stop
from app.runtime.process import close_process
from app.settings import Settings

settings = Settings.from_env()

bind = f"{settings.bind}:{settings.port}"
# gthread, but a connection that sends half a request takes no thread.
worker_class = "app.runtime.web_worker.HeadFirstWorker"
workers = 2
threads = 8
# The application is loaded once, before the workers are forked: half the start, and a killed worker is back at once.
preload_app = True
backlog = 512
timeout = 60
# Below the limit that `up` gives a program to stop in.
graceful_timeout = 2
# Below the idle limit of common load balancers, so that they never use a connection that is just being closed.
keepalive = 20
# The heartbeat of the workers must not wait for a disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  gunicorn makes its file private
# gunicorn 27 would put a control socket below $HOME.
control_socket_disable = True
# Only a proxy on this machine may say who the client is.
forwarded_allow_ips = "127.0.0.1,::1"
loglevel = "warning"
proc_name = "watchfloor-web"


def on_starting(server: Any) -> None:
    """A balancer hears of the stop before connections are refused."""
    watch_stop(server)


def pre_fork(_server: Any, _worker: Any) -> None:
    """Leave what was loaded until now out of garbage collection: to look at it would copy 70 MB to each worker."""
    gc.collect()
    gc.freeze()
    # Requests leave little behind in circles; looking for them each 700 objects cost a fiftieth of the processor.
    gc.set_threshold(10_000, 10, 10)


def post_fork(_server: Any, _worker: Any) -> None:
    """Die with the master, and share no connection with it."""
    die_with_parent()
    close_process()


def child_exit(_server: Any, worker: Any) -> None:
    """Take the gauges of a dead worker out of /metrics; its counters stay."""
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]  # the library has no types here

"""Object stores of tests: a folder, or a bucket of moto's S3 server on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from moto.server import ThreadedMotoServer

from app.objects import ObjectStore, object_store, use_objects


def folder_store(folder: Path) -> ObjectStore:
    """A folder as the store of this process."""
    return use_objects(object_store(f"file://{folder}"))


@contextmanager
def bucket_url(name: str = "archive") -> Iterator[str]:
    """The address of an empty bucket on a server of its own."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    try:
        httpx.put(f"{endpoint}/{name}").raise_for_status()
        yield f"s3://key:secret@{name}/noc?endpoint={endpoint}&region=us-east-1"
    finally:
        server.stop()

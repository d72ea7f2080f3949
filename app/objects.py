"""The object store: a folder or an S3 bucket behind five verbs. An object is there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from app.errors import ConfigError, NotFound, Unavailable

R = TypeVar("R")

SETTING: Final = "WATCHFLOOR_OBJECT_STORE_URL"
EXAMPLE: Final = "file:///var/lib/watchfloor/objects"
# A store that is away: so long is it asked again before the caller is told.
RETRY: Final[Any] = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}


@dataclass(frozen=True)
class ObjectStore:
    """One folder or bucket; `folder` is None for a bucket. Paths are relative, with "/" between their parts."""

    store: Any
    folder: Path | None = None

    def put(self, path: str, content: bytes) -> None:
        """Store an object, or replace it. Readers see nothing of it before it is complete and on disk."""
        _asked(lambda: obstore.put(self.store, path, content, use_multipart=False))
        if self.folder is not None:
            _sync(self.folder / path, self.folder)

    def get(self, path: str) -> bytes:
        """The content of an object; raises NotFound."""
        try:
            return _asked(lambda: bytes(obstore.get(self.store, path).bytes()))
        except FileNotFoundError:
            raise NotFound(f"There is no object {path}.") from None

    def delete(self, path: str) -> None:
        """Remove an object; one that is gone is fine."""
        try:
            _asked(lambda: obstore.delete(self.store, path))
        except FileNotFoundError:
            return

    def paths(self, prefix: str) -> list[str]:
        """The objects in the folder `prefix`, at any depth."""
        return sorted(_asked(lambda: [item["path"] for page in obstore.list(self.store, prefix) for item in page]))


_opened: ObjectStore | None = None


def open_objects(url: str | None, *, home: Path) -> ObjectStore:
    """Make the store at `url` (unset: a folder under `home`) the one of this process; connects when first used."""
    return use_objects(object_store(url or f"file://{home / 'objects'}"))


def use_objects(store: ObjectStore) -> ObjectStore:
    """Make `store` the one that this process uses."""
    global _opened  # noqa: PLW0603  the process has one; this is where it is kept
    _opened = store
    return store


def objects() -> ObjectStore:
    """The store of this process."""
    assert _opened is not None, "open_objects() was not called"
    return _opened


def object_store(url: str) -> ObjectStore:
    """The store at file:///folder or s3://bucket/prefix; raises ConfigError.

    An S3 address may carry what is not in the AWS_ variables: s3://key:secret@bucket/prefix?endpoint=…&region=….
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.path:
        folder = Path(unquote(parts.path))
        return ObjectStore(LocalStore(folder, mkdir=True), folder)
    if parts.scheme == "s3" and parts.hostname:
        return ObjectStore(_bucket(parts))
    raise ConfigError(SETTING, "must be a file:// or s3:// address", EXAMPLE)


def _bucket(parts: SplitResult) -> S3Store:
    options: dict[str, Any] = {}
    asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if parts.username and parts.password:
        options |= {"access_key_id": unquote(parts.username), "secret_access_key": unquote(parts.password)}
    if endpoint := asked.get("endpoint"):
        options |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
        if endpoint.startswith("http://"):
            options["client_options"] = {"allow_http": True}
    if region := asked.get("region"):
        options["region"] = region
    bucket = parts.netloc.rpartition("@")[2]
    return S3Store(bucket, prefix=parts.path.strip("/") or None, retry_config=RETRY, **options)


def _sync(path: Path, root: Path) -> None:
    """Bring a file and the folders that lead to it to disk: a power cut must not take what was promised."""
    for each in (path, *path.parents):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if each == root:
            return


def _asked(call: Callable[[], R]) -> R:
    try:
        return call()
    except (BaseError, PermissionError, TimeoutError) as error:
        raise Unavailable("the object store") from error

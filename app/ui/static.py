"""Static files: addresses that change with the content, a year in the browser's cache, compressed once.

Our scripts and style sheets travel as one file of each kind: two dozen small ones take a browser a tenth of a second
even from its cache.

Dash serves its scripts bare and our assets without a max-age; both pass through here on their way out.
"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Final

import zstandard
from flask import Flask, Response, request

ASSETS: Final = Path(__file__).parent / "assets"
YEAR: Final = "public, max-age=31536000, immutable"
BUNDLES: Final = {"js": "text/javascript", "css": "text/css"}
PREFIXES: Final = ("/assets/", "/_dash-component-suites/")
COMPRESSIBLE: Final = (
    "text/",
    "application/javascript",
    "application/json",
    "image/svg+xml",
    "application/problem+json",
)
# Below this a compressed answer saves no packet.
SMALLEST: Final = 1_000


class Statics:
    """What this process knows about static files: hashes of ours, compressed bodies of all."""

    def __init__(self) -> None:
        self._bodies: dict[tuple[str, str], bytes] = {}
        self._urls: dict[str, str] = {}

    def url(self, path: str) -> str:
        """The address of a file under assets/, with the hash of its content."""
        if path not in self._urls:
            digest = hashlib.sha256((ASSETS / path).read_bytes()).hexdigest()[:12]
            self._urls[path] = f"/assets/{path}?m={digest}"
        return self._urls[path]

    def bundle(self, kind: str) -> bytes:
        """All our scripts (`js`) or style sheets (`css`), in the order of their names."""
        return b"\n".join(file.read_bytes() for file in sorted(ASSETS.glob(f"*.{kind}")))

    def bundle_url(self, kind: str) -> str:
        """The address of bundle()."""
        name = f"watchfloor.{kind}"
        if name not in self._urls:
            self._urls[name] = f"/assets/{name}?m={hashlib.sha256(self.bundle(kind)).hexdigest()[:12]}"
        return self._urls[name]

    def finish(self, response: Response) -> Response:
        """Set the cache time and compress, for static files and for larger answers."""
        is_static = request.path.startswith(PREFIXES)
        if is_static and response.status_code == 200 and _is_versioned():
            response.headers["Cache-Control"] = YEAR
        if response.status_code == 200 and _may_compress(response, is_static):
            self._compress(response, is_static)
        return response

    def _compress(self, response: Response, is_static: bool) -> None:
        encoding = _encoding(request.headers.get("Accept-Encoding", ""))
        response.vary.add("Accept-Encoding")
        if not encoding:
            return
        response.direct_passthrough = False
        if is_static:
            key = (request.full_path, encoding)
            if key not in self._bodies:
                self._bodies[key] = _best(request.path, response.get_data(), encoding)
            body, used = self._bodies[key], _used(request.path, encoding)
        else:
            data = response.get_data()
            if len(data) < SMALLEST:
                return
            used = "zstd" if "zstd" in encoding else "gzip"
            body = zstandard.compress(data, 3) if used == "zstd" else gzip.compress(data, 5, mtime=0)
        response.set_data(body)
        response.headers["Content-Encoding"] = used
        response.headers.pop("ETag", None)


def install_static(server: Flask) -> Statics:
    """Finish every answer of `server`."""
    statics = Statics()
    for kind, mimetype in BUNDLES.items():
        server.add_url_rule(
            f"/assets/watchfloor.{kind}",
            f"watchfloor.{kind}",
            lambda kind=kind, mimetype=mimetype: Response(statics.bundle(kind), mimetype=mimetype),
        )
    server.after_request(statics.finish)
    return statics


def _is_versioned() -> bool:
    name = request.path.rsplit("/", 1)[-1]
    return bool(request.args.get("m")) or ".v" in name or name.endswith(".woff2")


def _may_compress(response: Response, is_static: bool) -> bool:
    if "Content-Encoding" in response.headers or request.method == "HEAD":
        return False
    if response.is_streamed and not is_static:
        return False
    return (response.mimetype or "").startswith(COMPRESSIBLE)


def _encoding(accepted: str) -> str:
    """What the caller takes, best first: the names in our order, joined."""
    return "+".join(name for name in ("br", "zstd", "gzip") if name in accepted)


def _used(path: str, encoding: str) -> str:
    if "br" in encoding and _ready(path, ".br") is not None:
        return "br"
    return "zstd" if "zstd" in encoding else "gzip"


def _best(path: str, data: bytes, encoding: str) -> bytes:
    used = _used(path, encoding)
    if used == "br":
        ready = _ready(path, ".br")
        assert ready is not None, "checked by _used()"
        return ready.read_bytes()
    # 15 of 22: within 3 % of the best, at a fifth of its time.
    return zstandard.compress(data, 15) if used == "zstd" else gzip.compress(data, 9, mtime=0)


def _ready(path: str, suffix: str) -> Path | None:
    """The file that was compressed beforehand, beside the original."""
    if not path.startswith("/assets/"):
        return None
    file = (ASSETS / (path.removeprefix("/assets/") + suffix)).resolve()
    return file if file.is_relative_to(ASSETS) and file.is_file() else None

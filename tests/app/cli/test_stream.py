"""`stream shards`: shows and changes how many there are."""

from __future__ import annotations

import pytest
from redis import Redis
from sqlalchemy.engine import make_url

from app.__main__ import main
from app.tsdb.layout import load_shards
from ingest import shards
from models.session import close_database, open_database
from tests.factories.servers import SECRET_KEY, Servers


@pytest.fixture(autouse=True)
def installation(own_db: str, valkey: Redis, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both servers, as the command line finds them."""
    close_database()
    monkeypatch.setenv("WATCHFLOOR_DATABASE_URL", make_url(own_db).render_as_string(hide_password=False))
    monkeypatch.setenv("WATCHFLOOR_REDIS_URL", servers.redis_url)
    monkeypatch.setenv("WATCHFLOOR_SECRET_KEY", SECRET_KEY)


def test_the_number_is_shown_and_changed(own_db: str, valkey: Redis, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stream", "shards"]) == 0
    assert capsys.readouterr().out.splitlines() == ["stream: 2 shards", "0\tin use\t0 waiting", "1\tin use\t0 waiting"]
    assert main(["stream", "shards", "4"]) == 0
    valkey.xadd(shards.STREAM.format(shard=3), {"h": b"", "b": b""})
    assert main(["stream", "shards", "1"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[-5:] == [
        "stream: 1 shards (were 4)",
        "0\tin use\t0 waiting",
        "1\tretired\t0 waiting",
        "2\tretired\t0 waiting",
        "3\tdraining\t1 waiting",
    ]
    open_database(own_db, role="worker", secret_key=SECRET_KEY)
    assert load_shards() == shards.count() == 1


def test_there_are_no_65_shards(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stream", "shards", "65"]) == 2
    assert "64" in capsys.readouterr().err

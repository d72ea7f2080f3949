"""What people do to dead letters of ingest: send them through again after the cause was mended, or throw them away."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.actions.audit import record
from app.auth.permissions import require
from app.domain.tenancy import ADMIN, TenantId, Viewer
from app.errors import InvalidInput
from app.tsdb import dead_letters
from models.session import tenant_session

MOST_AT_ONCE = 1_000


def replay(viewer: Viewer, letter_ids: Sequence[str]) -> int:
    """Send these entries through the stream again; answers how many. Raises NotFound at the first that is not there."""
    return _each(viewer, letter_ids, "replay", dead_letters.replay)


def discard(viewer: Viewer, letter_ids: Sequence[str]) -> int:
    """Throw these entries away for good; answers how many. Raises NotFound at the first that is not there."""
    return _each(viewer, letter_ids, "discard", dead_letters.discard)


def _each(viewer: Viewer, letter_ids: Sequence[str], verb: str, act: Callable[[TenantId, str], None]) -> int:
    require(viewer, ADMIN, "ingest")
    if len(letter_ids) > MOST_AT_ONCE:
        raise InvalidInput("ids", f"must be at most {MOST_AT_ONCE}")
    for letter_id in letter_ids:
        act(viewer.tenant, letter_id)
        with tenant_session(viewer.tenant) as session:
            record(session, viewer, action=verb, noun="dead letters", object_id=letter_id)
    return len(letter_ids)

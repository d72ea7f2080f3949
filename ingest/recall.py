"""What each tenant's remote write requests were like, for this process; see ingest/protocols/remote_write_recall.py."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Final

from app.domain.tenancy import TenantId
from ingest.protocols.remote_write_recall import Recall

# Each may take 32 MiB and some more; those of tenants who sent nothing for longest are dropped.
MOST_TENANTS: Final = 8

_recalls: OrderedDict[TenantId, Recall] = OrderedDict()
_lock = Lock()


def recall_of(tenant: TenantId) -> Recall:
    """What the tenant's earlier requests to this process were like."""
    with _lock:
        recall = _recalls.get(tenant)
        if recall is None:
            recall = _recalls[tenant] = Recall()
        _recalls.move_to_end(tenant)
        while len(_recalls) > MOST_TENANTS:
            _recalls.popitem(last=False)
        return recall

"""Every kind of notifier, one line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.errors import InvalidInput
from app.notify.base import Notifier
from app.notify.email import Email
from app.notify.webhook import Webhook

NOTIFIERS: Final[Mapping[str, Notifier]] = {
    "email": Email(),
    "webhook": Webhook(),
}


def notifier_for(kind: str) -> Notifier:
    """The notifier of a kind; raises InvalidInput that names those there are."""
    notifier = NOTIFIERS.get(kind)
    if notifier is None:
        raise InvalidInput("kind", f"must be one of {', '.join(NOTIFIERS)}")
    return notifier

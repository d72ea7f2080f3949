"""A signed webhook: JSON in Alertmanager's form to an address of the tenant's choice.

Receivers check X-Watchfloor-Signature = hex HMAC-SHA256 of "<timestamp>.<body>" under the channel's secret, refuse
old timestamps, and drop an Idempotency-Key that they have seen.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import msgspec

from app.clock import utc_now
from app.errors import DeliveryError, InvalidInput
from app.notify.base import Message, Outbound
from app.notify.http import checked_addresses, parse_target, post
from app.notify.render import one_line, webhook_body

ANSWER_SHOWN = 200


class Webhook:
    """Config: {"url"}."""

    kind = "webhook"
    needs_secret = True

    def check(self, config: Mapping[str, Any], outbound: Outbound) -> dict[str, Any]:
        """The URL alone; refuses one that leads to us. A name that does not resolve now is left to send()."""
        url = config.get("url")
        if not isinstance(url, str) or set(config) != {"url"}:
            raise InvalidInput("config", "a webhook has a url and nothing else")
        target = parse_target(url)
        try:
            checked_addresses(target.host, target.port, outbound)
        except DeliveryError as error:
            if error.permanent:
                raise InvalidInput("config.url", error.reason) from None
        return {"url": url}

    def send(self, message: Message, config: Mapping[str, Any], secret: str, outbound: Outbound) -> str:
        """POST once; answers the status and the beginning of what the receiver said."""
        body = msgspec.json.encode(webhook_body(message))
        timestamp = str(int(utc_now().timestamp()))
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": message.key,
            "X-Watchfloor-Timestamp": timestamp,
            "X-Watchfloor-Signature": signature(secret, timestamp, body),
        }
        answer = post(config["url"], body, headers=headers, outbound=outbound)
        return f"{answer.status} {one_line(answer.text)[:ANSWER_SHOWN]}".strip()


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Hex HMAC-SHA256 over timestamp, a dot and the body."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()

"""Brakes on guessing passwords: per account and per address, counted in Valkey for all processes.

Over the limit one try a second is let through, so nobody can lock a person out; a browser that has signed in to the
account before has a count of its own.
"""

from __future__ import annotations

import hashlib
import hmac

from app.errors import Overloaded
from app.valkey import valkey

WINDOW_S = 15 * 60
TRIES_PER_ACCOUNT = 10
TRIES_PER_ADDRESS = 50


def take_try(email: str, address: str, *, is_known_device: bool) -> None:
    """Count a try to sign in; raises Overloaded when it comes too soon."""
    kind = "known" if is_known_device else "new"
    _take(_account_key(email, kind), TRIES_PER_ACCOUNT)
    if not is_known_device:
        _take(_address_key(address), TRIES_PER_ADDRESS)


def give_back(email: str, address: str, *, is_known_device: bool) -> None:
    """The try was a success: it does not count."""
    kind = "known" if is_known_device else "new"
    valkey().delete(_account_key(email, kind))
    if not is_known_device:
        valkey().decr(_address_key(address))


def device_mark(email: str, secret_key: str) -> str:
    """What a browser keeps after signing in, so that others' guessing does not slow this person down."""
    return hmac.new(secret_key.encode(), f"device {email.lower()}".encode(), hashlib.sha256).hexdigest()


def is_known_device(mark: str, email: str, secret_key: str) -> bool:
    """Whether `mark` is what device_mark() gave to a browser of this account."""
    return hmac.compare_digest(mark.encode(), device_mark(email, secret_key).encode())


def _take(key: str, most: int) -> None:
    with valkey().pipeline() as pipe:
        pipe.incr(key)
        pipe.expire(key, WINDOW_S, nx=True)
        count = pipe.execute()[0]
    if count > most and not valkey().set(key + ":slot", 1, nx=True, px=1000):
        raise Overloaded("Too many tries to sign in. Wait a second and try again.", retry_after_s=1)


def _account_key(email: str, kind: str) -> str:
    return f"signin:{kind}:{hashlib.sha256(email.lower().encode()).hexdigest()}"


def _address_key(address: str) -> str:
    return f"signin:address:{address}"

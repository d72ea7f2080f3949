"""Passwords: Argon2id, at most two at work at a time so that a flood of sign-ins cannot starve the rest."""

from __future__ import annotations

from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import InvalidInput, Overloaded

# OWASP's second choice: 19 MiB, two passes, one lane; 94 ms on a busy core.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
FEWEST_CHARACTERS = 10
MOST_CHARACTERS = 256
WAIT_S = 10.0

_at_work = BoundedSemaphore(2)
# Verified when there is no such account, so that the answer takes as long.
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$lufqIuHDZ01ltUvr3kSQdA$w/dnIMODyV3kD1RbJ1ZdlIvIBME9ziR1BtIj9SUzhm4"


def hash_password(password: str) -> str:
    """The Argon2id hash to store; raises InvalidInput for a password that is too short or too long."""
    check_password(password)
    with _slot():
        return HASHER.hash(password)


def check_password(password: str) -> None:
    """Raise InvalidInput unless `password` may be chosen."""
    if not FEWEST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        raise InvalidInput("password", f"must have {FEWEST_CHARACTERS} to {MOST_CHARACTERS} characters")
    if len(set(password)) < 4:
        raise InvalidInput("password", "must have at least four different characters")


def is_password(password: str, password_hash: str | None) -> bool:
    """Whether `password` is the one that was hashed; takes as long when there is no hash."""
    with _slot():
        try:
            HASHER.verify(password_hash or _NOBODY, password[: MOST_CHARACTERS + 1])
        except (VerificationError, InvalidHashError):
            return False
    return password_hash is not None


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return HASHER.check_needs_rehash(password_hash)


class _slot:  # noqa: N801  used as a word in a with statement
    """One of the places for work on a password; raises Overloaded when none comes free in time."""

    def __enter__(self) -> None:
        if not _at_work.acquire(timeout=WAIT_S):
            raise Overloaded("Too many people are signing in at the moment. Try again shortly.", retry_after_s=5)

    def __exit__(self, *_: object) -> None:
        _at_work.release()

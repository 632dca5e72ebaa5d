"""The one home of randomness for names and secrets."""

import secrets

from uuid_utils import uuid7

ALPHABET = (
    "23456789abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"  # no 0 O 1 l I: people read ids aloud
)


def public_id(length: int = 11) -> str:
    """Return an id for addresses, unguessable (5.8 bits a character) and safe in any URL."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def trace_id() -> str:
    """Return an id for a request, in the form of W3C Trace Context; it sorts by time as well."""
    return uuid7().hex


def span_id() -> str:
    """Return an id for a part of a trace, in the same form."""
    return secrets.token_hex(8)


def secret_token() -> str:
    """Return 256 bits for a session, a key or a one-time link."""
    return secrets.token_urlsafe(32)


def ordered_id() -> str:
    """Return an id that sorts by time of making (RFC 9562 UUIDv7); for rows nobody addresses."""
    return str(uuid7())


def number() -> int:
    """Return 64 bits that tell one thing from another."""
    return secrets.randbits(64)


def secret_bytes() -> bytes:
    """Return 256 bits for signing."""
    return secrets.token_bytes(32)

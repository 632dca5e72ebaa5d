"""The ids of traces, in the form of W3C Trace Context: derived, sampled, read."""

import hashlib
from functools import lru_cache

READS = 100  # of requests that only read, one in so many is kept: players send most of all requests
DIGITS = frozenset("0123456789abcdef")


@lru_cache(maxsize=1024)
def _hashed(video: str) -> str:
    return hashlib.sha256(f"headwater video {video}".encode()).hexdigest()


def trace_of(video: str) -> str:
    """Return the id of the trace that tells the life of *video*: 32 hexadecimal digits."""
    return _hashed(video)[:32]


def root_of(video: str) -> str:
    """Return the id of the span that opens that trace: 16 hexadecimal digits."""
    return _hashed(video)[32:48]


def is_sampled(trace: str) -> bool:
    """Choose one in READS by the id itself, so that every process chooses the same."""
    return int(trace[-8:], 16) % READS == 0


def read_parent(header: str) -> tuple[str, str, bool] | None:
    """Return (trace, span, sampled) of a `traceparent`, None if it is none.

    Source: W3C Trace Context §3.2 and §4.1: versions above 00 may say more and begin the same.
    """
    parts = header.strip().split("-")
    if [len(part) for part in parts[:4]] != [2, 32, 16, 2]:
        return None
    version, trace, span, flags = parts[:4]
    if set(version + trace + span + flags) - DIGITS or version == "ff":
        return None
    if (version == "00" and len(parts) > 4) or not int(trace, 16) or not int(span, 16):
        return None
    return trace, span, bool(int(flags, 16) & 1)

"""Secrets of sessions, keys and links: shown once, kept only as SHA-256.

A token has 256 random bits, so a plain hash is enough and a lookup by hash leaks nothing by its
time.
"""

import hashlib

from headwater.engines.entropy import secret_token

KEY_PREFIX = "hw_"  # lets people and secret scanners recognise a leaked key


def new_session_token() -> str:
    return secret_token()


def new_key_token() -> str:
    return KEY_PREFIX + secret_token()


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

"""Matroska and WebM, read and written (RFC 9559, RFC 8794)."""

from headwater.containers.matroska.index import read_index

__all__ = ["read_index"]

"""Matroska and WebM, read and written (RFC 9559, RFC 8794)."""

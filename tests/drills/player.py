"""A player that keeps its manifest for ever and holds every byte against what it once got."""

import hashlib
import re
import time
from urllib.parse import urljoin

import httpx
from xxhash import xxh3_128

from tests.support.server import Door

PATIENCE_S = 60.0
POLL_S = 0.1
AGAIN = (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE)


class Player:
    """Reads one video over HLS as the server's owner."""

    def __init__(self, server: Door, video: str) -> None:
        self._server = server
        self._known: dict[str, str] = {}
        self.pieces: list[str] = []
        master = f"/streams/{video}/master.m3u8"
        with server.client() as client:
            playlists = _addresses(master, client.get(master).raise_for_status().text)
            for playlist in dict.fromkeys(playlists):
                text = client.get(playlist).raise_for_status().text
                self.pieces += _addresses(playlist, text)
        assert self.pieces

    def fetch(self, piece: str, client: httpx.Client) -> bytes:
        """Get *piece*, asking again as told; it is what it was before, and what its ETag says."""
        deadline = time.monotonic() + PATIENCE_S
        while (answer := client.get(piece)).status_code in AGAIN:
            assert time.monotonic() < deadline, (piece, answer.text)
            time.sleep(POLL_S)
        answer.raise_for_status()
        etag = answer.headers["etag"].strip('"')
        hashes = _hashes(answer.content)
        assert etag in hashes
        # Not by the ETag: what was in a folder may be in a bucket by now.
        assert self._known.setdefault(piece, hashes[0]) == hashes[0], f"{piece} has changed"
        return answer.content

    def watch(self) -> None:
        """Fetch everything."""
        with self._server.client() as client:
            for piece in self.pieces:
                self.fetch(piece, client)


def _hashes(content: bytes) -> tuple[str, str]:
    """Return what a folder and what a bucket call *content*."""
    return (
        xxh3_128(content).hexdigest(),
        f"md5:{hashlib.md5(content, usedforsecurity=False).hexdigest()}",
    )


def _addresses(base: str, playlist: str) -> list[str]:
    """Return what a playlist names, in URI attributes and in lines."""
    tagged = re.findall(r'URI="([^"]+)"', playlist)
    plain = [line for line in playlist.splitlines() if line and not line.startswith("#")]
    return [urljoin(base, address) for address in [*tagged, *plain]]

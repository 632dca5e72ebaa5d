"""What a data folder holds, read from outside: blobs, rows, drafts, and whether they agree.

Read with plain sqlite3 and plain files on purpose: what is under test may not vouch for itself.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from headwater.engines.blobs.draft import FOOTER_BYTES
from headwater.model.upload import Extent

MARK_BYTES = 8
NAME = "store/name"  # what tells this store from others: of no video, there for good


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob's file: made anew it would have another *inode*, made otherwise another *etag*."""

    inode: int
    etag: str
    size: int


class Books:
    """The data folder of one server, running or not."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._blobs = data / "blobs" / "blobs"

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        where = f"file:{self._data / 'headwater.sqlite3'}?mode=ro"
        with closing(sqlite3.connect(where, uri=True, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, values)]

    def blobs(self, prefix: str = "") -> dict[str, Blob]:
        """Return every blob by its key, but the name of the store."""
        found = {}
        for key, path in self._files():
            if key.startswith(prefix):
                with suppress(FileNotFoundError):
                    found[key] = _blob(path)
        return found

    def content(self, key: str) -> bytes:
        return (self._blobs / key).read_bytes()[:-FOOTER_BYTES]

    def source(self, video: str) -> bytes:
        """Return what was uploaded as *video*, put together from its extents."""
        [row] = self.rows("select extents from sources where video = ?", video)
        return b"".join(self.content(extent.key) for extent in _extents(row["extents"]))

    def drafts(self) -> list[Path]:
        """Return half-written blobs."""
        return list(_files_below(self._data / "blobs" / "drafts"))

    def draft_folders(self) -> list[Path]:
        """Return one folder for each process that has the store open, or died with it open."""
        return list((self._data / "blobs" / "drafts").iterdir())

    def strays(self) -> list[str]:
        """Return blobs that no row knows of: nobody would ever remove them."""
        known = {row["key"] for row in self.rows("select key from upload_extents")}
        for row in self.rows("select extents, remuxed from sources"):
            known |= {extent.key for document in row.values() for extent in _extents(document)}
        made = tuple(
            f"{row['video']}/{row['id']}/" for row in self.rows("select id, video from generations")
        )
        return [key for key, _ in self._files() if key not in known and not key.startswith(made)]

    def miscounted(self) -> list[str]:
        """Return the tracks whose rows do not say what the store holds."""
        wrong = []
        for row in self.rows(
            "select video, generation, track, present, stored_bytes, segments from tracks"
            " join generations on generations.id = generation"
        ):
            prefix = f"{row['video']}/{row['generation']}/{row['track']}/"
            stored = {k: b.size for k, b in self.blobs(prefix).items() if not k.endswith("/init")}
            bits = int.from_bytes(row["present"], "little")
            marked = {f"{prefix}{i}" for i in range(row["segments"]) if bits >> i & 1}
            if marked != set(stored) or row["stored_bytes"] != sum(stored.values()):
                wrong.append(f"{prefix}: {len(marked)} marked, {len(stored)} stored, {row}")
        return wrong

    def unfinished(self) -> list[dict[str, Any]]:
        """Return what somebody holds or waits for: live and dead jobs, leases, demands."""
        return [
            *self.rows("select * from jobs where state not in ('done', 'cancelled')"),
            *self.rows("select * from leases"),
            *self.rows("select * from demands"),
        ]

    def holders(self) -> set[str]:
        """Return the names of the processes that hold jobs and segments."""
        jobs = self.rows("select leased_by as name from jobs where state = 'leased'")
        return {row["name"] for row in [*jobs, *self.rows("select holder as name from leases")]}

    def _files(self) -> Iterator[tuple[str, Path]]:
        for path in _files_below(self._blobs):
            if (key := str(path.relative_to(self._blobs))) != NAME:
                yield key, path


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield every file; unlike rglob, folders that vanish meanwhile are no error."""
    for found, _, names in os.walk(folder):
        yield from (Path(found) / name for name in names)


def _blob(path: Path) -> Blob:
    with path.open("rb") as file:
        size = file.seek(0, 2) - FOOTER_BYTES
        file.seek(size + MARK_BYTES)
        return Blob(path.stat().st_ino, file.read().hex(), size)


def _extents(document: bytes | None) -> list[Extent]:
    return msgspec.msgpack.decode(document, type=list[Extent]) if document else []

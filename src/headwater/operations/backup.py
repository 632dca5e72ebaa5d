"""Backup: a live, consistent, verified copy of everything, and the way back.

The rows are copied first, then the blobs they name. A blob is stored before its row, so all that
the copied rows name was there at that moment; if one is gone when its turn comes (its video was
swept meanwhile), the rows are copied anew. What was deleted is kept, rows and blobs, while that can
be taken back, and neither afterwards. Segments that can be made again are copied only if asked for,
pictures always: they are small, and a page of videos shows many at once. The rows of a restored
store say truly what it holds.
"""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from headwater.access import preferences_repository
from headwater.access.secrets import PART_SIGNING
from headwater.engines.blobs.copying import copy, some_at_once
from headwater.engines.blobs.port import BlobKey, Blobs
from headwater.engines.clock import Clock
from headwater.engines.database.port import Database
from headwater.engines.reach import Reach
from headwater.model.errors import BlobNotFound, Conflict, InvalidInput
from headwater.operations import backup_repository

FORMAT = 1
NOTE = "backup.json"  # written last: a folder without it is no backup
ROWS = "database"
ROUNDS = 5  # copies of the rows before giving up on a server that deletes faster than we copy

OpenDatabase = Callable[[Path], Database]
Told = Callable[[int, int], None]  # blobs done, blobs in all


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds; the content of its note."""

    format: int = FORMAT
    made_at: float
    segments: bool
    videos: int
    blobs: int
    blob_bytes: int


async def back_up(
    folder: Path,
    *,
    database: Database,
    blobs: Blobs,
    kept: Blobs,
    open_database: OpenDatabase,
    segments: bool,
    undo_s: float,
    clock: Clock,
    told: Told,
) -> Backup:
    """Copy rows into *folder* and blobs into *kept*, while the server goes on.

    Doing it again into the same folder copies only what is new.

    Raises:
        InvalidInput: *folder* holds the backup of another installation.
        Conflict: blobs kept vanishing while they were copied; try again at a quieter time.
        BlobNotFound: rows name a blob that is lost.
        ChecksumMismatch: a blob is not what was once stored, here or in the copy.
        StorageFull: the folder's disk takes no more.
    """
    await _refuse_foreign(folder, database, open_database)
    (folder / NOTE).unlink(missing_ok=True)
    lost = ""
    for _ in range(ROUNDS):
        now = clock.now()
        await database.backup_to(str(folder / ROWS))
        async with opened(folder / ROWS, open_database) as rows, rows.writer() as session:
            await backup_repository.drop_doomed(session, now=now, undo_s=undo_s)
            named = await backup_repository.named(session)
        copying = Copying(source=blobs, target=kept, told=told)
        try:
            await copying.bring(named.needed())
        except BlobNotFound as error:
            if str(error) == lost:  # newer rows name it too: no deletion explains that
                raise
            lost = str(error)
            continue
        await copying.bring_found(named.perhaps())
        await copying.bring_below(
            [made.prefix if segments else made.pictures_prefix for made in named.made]
        )
        note = Backup(
            made_at=now,
            segments=segments,
            videos=named.videos,
            blobs=len(copying.sizes),
            blob_bytes=sum(copying.sizes.values()),
        )
        (folder / NOTE).write_bytes(msgspec.json.encode(note))
        return note
    raise Conflict("Videos are being deleted faster than they can be copied; try again later.")


async def restore(
    folder: Path,
    *,
    rows: Database,
    draft: Path,
    blobs: Blobs,
    kept: Blobs,
    open_database: OpenDatabase,
    told: Told,
) -> Backup:
    """Bring the backup in *folder* to *blobs* and, last of all, its rows to *rows*.

    *draft* is where the rows are made true before.

    Raises:
        InvalidInput: the folder holds no finished backup, or one of a newer kind.
        ChecksumMismatch, BlobNotFound: the backup is damaged; nothing is started from it.
        Conflict: *rows* is in use already; whatever uses them is left as it is.
    """
    note = read_note(folder)
    await _refuse_rows_in_use(rows)
    await asyncio.to_thread(shutil.copyfile, folder / ROWS, draft)
    async with opened(draft, open_database) as database:
        await database.migrate()
        async with database.reader() as session:
            named = await backup_repository.named(session)
        copying = Copying(source=kept, target=blobs, told=told)
        await copying.bring(named.needed())
        await copying.bring_found(named.perhaps())
        await copying.bring_below([made.prefix for made in named.made])
        async with database.writer() as session:
            await backup_repository.set_present(session, named.made, copying.sizes)
            await backup_repository.release_all(session)
    await rows.restore_from(str(draft))
    await asyncio.to_thread(draft.unlink)
    return note


async def _refuse_foreign(folder: Path, database: Database, open_database: OpenDatabase) -> None:
    """Raise InvalidInput if *folder* holds rows of an installation that is not *database*'s."""
    if not (folder / ROWS).is_file():
        return
    async with opened(folder / ROWS, open_database) as kept:
        theirs = await _identity(kept)
    if theirs != await _identity(database):
        raise InvalidInput(
            f"{folder} holds the backup of another installation; name another folder, "
            "or remove that one first."
        )


async def _refuse_rows_in_use(rows: Database) -> None:
    """Raise Conflict if others have rows there, before a blob is brought to a store of theirs.

    Those of one host lie in a folder that was looked at, and are made with what they are given.
    """
    if rows.reach is not Reach.FLEET:
        return
    await rows.migrate()
    if await _identity(rows) is not None:
        raise Conflict("There are rows already; restore into a new database.")


async def _identity(database: Database) -> bytes | None:
    """Return what every copy of an installation shares, and no other has."""
    async with database.reader() as session:
        return await preferences_repository.find(session, PART_SIGNING)


def refuse_used(folder: Path, *, but: str) -> None:
    """Raise InvalidInput if *folder* holds more than *but*: a restore never mixes two stores."""
    if folder.exists() and any(path.name != but for path in folder.iterdir()):
        raise InvalidInput(f"{folder} is not empty; restore into a new folder.")


def read_note(folder: Path) -> Backup:
    """Return what the backup in *folder* says of itself. Raises InvalidInput if it is none."""
    try:
        note = msgspec.json.decode((folder / NOTE).read_bytes(), type=Backup)
    except (OSError, msgspec.DecodeError):
        raise InvalidInput(f"{folder} holds no finished backup.") from None
    if note.format > FORMAT:
        raise InvalidInput(f"{folder} was written by a newer Headwater; restore it with that one.")
    return note


class Copying:
    """Blobs on their way, several at once, each held against its hash; *sizes*: of those there."""

    def __init__(self, *, source: Blobs, target: Blobs, told: Told) -> None:
        self.sizes: dict[BlobKey, int] = {}
        self._source, self._target, self._told = source, target, told
        self._wanted = 0

    async def bring(self, keys: Iterable[BlobKey]) -> None:
        """Copy all of *keys*. Raises BlobNotFound: one of them is not there."""
        await self._each(keys, self._bring)

    async def bring_found(self, keys: Iterable[BlobKey]) -> None:
        """Copy those of *keys* that are there: what is evicted meanwhile can be made again."""
        await self._each(keys, self._bring_found)

    async def bring_below(self, prefixes: Iterable[str]) -> None:
        """Copy what there is below *prefixes*."""
        for prefix in prefixes:
            await self.bring_found([key async for key, _ in self._source.list(prefix)])

    async def _each(
        self, keys: Iterable[BlobKey], work: Callable[[BlobKey], Awaitable[None]]
    ) -> None:
        wanted = set(keys) - self.sizes.keys()
        self._wanted += len(wanted)
        await some_at_once(wanted, work)

    async def _bring(self, key: BlobKey) -> None:
        self.sizes[key] = (await copy(key, source=self._source, target=self._target)).size
        self._told(len(self.sizes), self._wanted)

    async def _bring_found(self, key: BlobKey) -> None:
        with contextlib.suppress(BlobNotFound):
            await self._bring(key)


@asynccontextmanager
async def opened(path: Path, open_database: OpenDatabase) -> AsyncIterator[Database]:
    database = open_database(path)
    try:
        yield database
    finally:
        await database.close()

"""Rows of uploads, their extents and the sources they become."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, case, delete, func, insert, or_, select, update

from headwater.engines.database.port import Row, Session
from headwater.engines.database.schema import sources, upload_extents, uploads
from headwater.model.ids import AccountId, UploadId, VideoId
from headwater.model.upload import Extent, Upload

COLUMNS = [uploads.c[name] for name in Upload.__struct_fields__]
SIZE = func.coalesce(uploads.c.length, uploads.c.offset)  # of a deferred length: what is there
# A partial upload holds its bytes until a concatenation takes them into a video.
RESERVING = or_(
    uploads.c.completed_at.is_(None), and_(uploads.c.partial, uploads.c.video.is_(None))
)


class Held(msgspec.Struct, frozen=True):
    """An upload and who writes to it: *until* is when the lock lapses by itself."""

    upload: Upload
    holder: str | None
    until: float | None


def from_row(row: Row) -> Upload:
    fields = {name: row[name] for name in Upload.__struct_fields__}
    fields["metadata"] = msgspec.json.decode(row["metadata"], type=dict[str, str])
    fields["partial"] = bool(row["partial"])
    return Upload(**fields)


async def find(session: Session, upload_id: UploadId) -> Upload | None:
    row = await session.row(select(*COLUMNS).where(uploads.c.id == upload_id))
    return from_row(row) if row else None


async def find_held(session: Session, upload_id: UploadId) -> Held | None:
    row = await session.row(select(uploads).where(uploads.c.id == upload_id))
    return Held(from_row(row), row["locked_by"], row["locked_until"]) if row else None


async def find_many(session: Session, ids: Sequence[UploadId]) -> dict[UploadId, Upload]:
    rows = await session.rows(select(*COLUMNS).where(uploads.c.id.in_(ids)))
    return {UploadId(row["id"]): from_row(row) for row in rows}


async def add(session: Session, upload: Upload) -> None:
    fields = {name: getattr(upload, name) for name in Upload.__struct_fields__}
    fields["metadata"] = msgspec.json.encode(upload.metadata).decode()
    await session.execute(insert(uploads).values(**fields))


async def update_fields(session: Session, upload_id: UploadId, values: Mapping[str, Any]) -> bool:
    """Set columns by name; False if the row is gone."""
    done = await session.execute(
        update(uploads).where(uploads.c.id == upload_id).values(**dict(values))
    )
    return done > 0


async def lock(
    session: Session, upload_id: UploadId, *, holder: str, now: float, until: float
) -> bool:
    """Give the upload to *holder* unless another's lock is still good."""
    free = or_(
        uploads.c.locked_by.is_(None),
        uploads.c.locked_by == holder,
        uploads.c.locked_until <= now,
    )
    done = await session.execute(
        update(uploads)
        .where(uploads.c.id == upload_id, free)
        .values(locked_by=holder, locked_until=until)
    )
    return done > 0


async def unlock(session: Session, upload_id: UploadId, *, holder: str) -> None:
    await session.execute(
        update(uploads)
        .where(uploads.c.id == upload_id, uploads.c.locked_by == holder)
        .values(locked_by=None, locked_until=None)
    )


async def renew_lock(session: Session, upload_id: UploadId, *, holder: str, until: float) -> bool:
    """False: somebody else has it, or the upload is gone."""
    done = await session.execute(
        update(uploads)
        .where(uploads.c.id == upload_id, uploads.c.locked_by == holder)
        .values(locked_until=until)
    )
    return done > 0


async def add_extents(
    session: Session, upload_id: UploadId, extents: Sequence[tuple[int, Extent]]
) -> None:
    """Add (start, extent) pairs. Raises IntegrityViolated if a start is taken."""
    await session.execute(
        insert(upload_extents).values(
            [
                {"upload": upload_id, "start": start, "size": extent.size, "key": extent.key}
                for start, extent in extents
            ]
        )
    )


async def extents_from(
    session: Session, upload_id: UploadId, start: int = 0
) -> list[tuple[int, Extent]]:
    """Return (start, extent) of every extent that begins at *start* or later, in order."""
    table = upload_extents
    rows = await session.rows(
        select(table)
        .where(table.c.upload == upload_id, table.c.start >= start)
        .order_by(table.c.start)
    )
    return [(row["start"], Extent(key=row["key"], size=row["size"])) for row in rows]


async def has_extents_beyond(session: Session, upload_id: UploadId, offset: int) -> bool:
    table = upload_extents
    row = await session.row(
        select(table.c.start).where(table.c.upload == upload_id, table.c.start >= offset).limit(1)
    )
    return row is not None


async def add_source(
    session: Session, video: VideoId, *, filename: str, size: int, extents: Sequence[Extent]
) -> None:
    await session.execute(
        insert(sources).values(
            video=video, filename=filename, size=size, extents=msgspec.msgpack.encode(extents)
        )
    )


async def source_extents(session: Session, video: VideoId) -> list[Extent]:
    """Return what *video* is made from, in order; nothing if it is not there (any more)."""
    row = await session.row(select(sources.c.extents).where(sources.c.video == video))
    return msgspec.msgpack.decode(row["extents"], type=list[Extent]) if row else []


async def reserved_bytes(session: Session, owner: AccountId) -> int:
    """Return what *owner*'s uploads hold beside the videos that are counted already."""
    return await _sum(session, SIZE, uploads.c.owner == owner, RESERVING)


async def expected_bytes(session: Session) -> int:
    """Return how many bytes all unfinished uploads have still to send."""
    missing = case((uploads.c.length > uploads.c.offset, uploads.c.length - uploads.c.offset))
    return await _sum(session, func.coalesce(missing, 0), uploads.c.completed_at.is_(None))


async def due(session: Session, *, now: float, limit: int) -> list[UploadId]:
    """Return uploads past their time that nobody writes to."""
    idle = or_(uploads.c.locked_until.is_(None), uploads.c.locked_until <= now)
    rows = await session.rows(
        select(uploads.c.id)
        .where(uploads.c.expires_at <= now, idle)
        .order_by(uploads.c.expires_at)
        .limit(limit)
    )
    return [UploadId(row["id"]) for row in rows]


async def remove(session: Session, upload_id: UploadId) -> None:
    await session.execute(delete(upload_extents).where(upload_extents.c.upload == upload_id))
    await session.execute(delete(uploads).where(uploads.c.id == upload_id))


async def _sum(session: Session, value: Any, *conditions: ColumnElement[bool]) -> int:
    row = await session.row(
        select(func.coalesce(func.sum(value), 0).label("bytes")).where(*conditions)
    )
    return int(row["bytes"]) if row else 0

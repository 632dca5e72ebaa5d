"""Rows of uploads, their extents and the sources they become."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from headwater.engines.database.port import Row, Session
from headwater.engines.database.schema import (
    placed_parts,
    sources,
    upload_extents,
    uploads,
    videos,
)
from headwater.model.ids import AccountId, UploadId, VideoId
from headwater.model.upload import Extent, Upload

COLUMNS = [uploads.c[name] for name in Upload.__struct_fields__]
_beyond = upload_extents.c.upload == uploads.c.id, upload_extents.c.start >= uploads.c.offset
_placed = placed_parts.c.upload == uploads.c.id
HELD = (  # what the store has of it: in order, behind a hole, and put there but not committed
    uploads.c.offset
    + select(func.coalesce(func.sum(upload_extents.c.size), 0)).where(*_beyond).scalar_subquery()
    + select(func.coalesce(func.sum(placed_parts.c.size), 0)).where(_placed).scalar_subquery()
)
SIZE = case((uploads.c.length > HELD, uploads.c.length), else_=HELD)
# A partial upload holds its bytes until a concatenation takes them into a video.
RESERVING = or_(
    uploads.c.completed_at.is_(None), and_(uploads.c.partial, uploads.c.video.is_(None))
)


# What each part of an upload asks is built once, as building costs more than asking.
OF_ONE = uploads.c.id == bindparam("of")
FIND = select(*COLUMNS).where(OF_ONE)
BEYOND = exists().where(*_beyond)
VIDEO_LIVES = exists().where(videos.c.id == uploads.c.video, videos.c.deleted_at.is_(None))
FIND_CONTINUED = select(
    *COLUMNS, BEYOND.label("has_beyond"), VIDEO_LIVES.label("video_lives")
).where(OF_ONE)
LOCK = (
    update(uploads)
    .where(
        OF_ONE,
        or_(
            uploads.c.locked_by.is_(None),
            uploads.c.locked_by == bindparam("holder"),
            uploads.c.locked_until <= bindparam("now"),
        ),
    )
    .values(
        locked_by=bindparam("holder"),
        locked_until=bindparam("until"),
        expires_at=bindparam("expires_at"),
    )
)
UNLOCK = (
    update(uploads)
    .where(OF_ONE, uploads.c.locked_by == bindparam("holder"))
    .values(locked_by=None, locked_until=None)
)
RENEW = (
    update(uploads)
    .where(OF_ONE, uploads.c.locked_by == bindparam("holder"))
    .values(locked_until=bindparam("until"))
)
ADVANCE = (
    update(uploads)
    .where(
        OF_ONE,
        uploads.c.locked_by == bindparam("holder"),
        uploads.c.offset == bindparam("start"),
        uploads.c.expires_at > bindparam("now"),
        uploads.c.completed_at.is_(None),
        ~BEYOND,
    )
    .values(
        offset=bindparam("end"),
        expires_at=bindparam("expires_at"),
        locked_by=bindparam("next_holder"),
        locked_until=bindparam("until"),
    )
)
ADD_EXTENT = insert(upload_extents)


class Continued(msgspec.Struct, frozen=True):
    """An upload as its next bytes find it; *has_beyond*: of parts that lie behind a hole."""

    upload: Upload
    has_beyond: bool
    video_lives: bool


MOST_LISTED = 1000


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
    row = await session.row(FIND, {"of": upload_id})
    return from_row(row) if row else None


async def find_continued(session: Session, upload_id: UploadId) -> Continued | None:
    row = await session.row(FIND_CONTINUED, {"of": upload_id})
    if row is None:
        return None
    return Continued(from_row(row), bool(row["has_beyond"]), bool(row["video_lives"]))


async def find_held(session: Session, upload_id: UploadId) -> Held | None:
    row = await session.row(select(uploads).where(uploads.c.id == upload_id))
    return Held(from_row(row), row["locked_by"], row["locked_until"]) if row else None


async def unfinished(session: Session, owner: AccountId) -> list[Upload]:
    """Return *owner*'s uploads that have a video and lack bytes, newest first."""
    rows = await session.rows(
        select(*COLUMNS)
        .where(
            uploads.c.owner == owner,
            uploads.c.completed_at.is_(None),
            uploads.c.video.is_not(None),
        )
        .order_by(uploads.c.created_at.desc(), uploads.c.id.desc())
        .limit(MOST_LISTED)
    )
    return [from_row(row) for row in rows]


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
    session: Session,
    upload_id: UploadId,
    *,
    holder: str,
    now: float,
    until: float,
    expires_at: float,
) -> bool:
    """Give the upload, which then lives on, to *holder* unless another's lock is still good."""
    values = {"of": upload_id, "holder": holder, "now": now, "until": until}
    return await session.execute(LOCK, {**values, "expires_at": expires_at}) > 0


async def unlock(session: Session, upload_id: UploadId, *, holder: str) -> None:
    await session.execute(UNLOCK, {"of": upload_id, "holder": holder})


async def renew_lock(session: Session, upload_id: UploadId, *, holder: str, until: float) -> bool:
    """False: somebody else has it, or the upload is gone."""
    return await session.execute(RENEW, {"of": upload_id, "holder": holder, "until": until}) > 0


async def advance(
    session: Session,
    upload_id: UploadId,
    placed: tuple[int, Extent],
    *,
    holder: str,
    now: float,
    expires_at: float,
    until: float | None,
) -> bool:
    """Add the extent that begins where the upload ends, if *holder* has it and it lives.

    The lock is then good *until*; None ends it. False: nothing was done, and whoever asks finds out
    why.
    """
    start, extent = placed
    done = await session.execute(
        ADVANCE,
        {
            "of": upload_id,
            "holder": holder,
            "start": start,
            "end": start + extent.size,
            "now": now,
            "expires_at": expires_at,
            "next_holder": None if until is None else holder,
            "until": until,
        },
    )
    if done:
        values = {"upload": upload_id, "start": start, "size": extent.size, "key": extent.key}
        await session.execute(ADD_EXTENT, values)
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


async def has_part(session: Session, upload_id: UploadId, key: str) -> bool:
    """Say whether the part *key* is counted, committed or not."""
    for table in (placed_parts, upload_extents):
        found = select(table.c.key).where(table.c.upload == upload_id, table.c.key == key)
        if await session.row(found) is not None:
            return True
    return False


async def hold_part(session: Session, upload_id: UploadId, part: Extent) -> bool:
    """Count *part* from now on; False if it is counted already."""
    if await has_part(session, upload_id, part.key):
        return False
    values = {"upload": upload_id, "key": part.key, "size": part.size}
    await session.execute(insert(placed_parts).values(**values))
    return True


async def forget_parts(session: Session, upload_id: UploadId, keys: Sequence[str]) -> None:
    """Count these no longer as put: they were committed, or are not in the store."""
    table = placed_parts
    await session.execute(
        delete(table).where(table.c.upload == upload_id, table.c.key.in_(list(keys)))
    )


async def placed_bytes(session: Session, upload_id: UploadId) -> int:
    """Return what was put into the store for *upload_id* and is not committed."""
    return await _sum(session, placed_parts.c.size, placed_parts.c.upload == upload_id)


async def reserved_bytes(
    session: Session, owner: AccountId, *, besides: UploadId | None = None
) -> int:
    """Return what *owner*'s uploads hold, or will, beside the videos that are counted already."""
    others = [uploads.c.id != besides] if besides else []
    return await _sum(session, SIZE, uploads.c.owner == owner, RESERVING, *others)


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

"""Rows of the videos table."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, and_, insert, or_, select, update

from headwater.engines.database.port import Row, Session
from headwater.engines.database.schema import videos
from headwater.model.errors import VideoNotFound
from headwater.model.ids import AccountId, GenerationId, TrackId, VideoId
from headwater.model.video import Failure, Video, VideoState, Visibility

Position = tuple[float, str]  # (created_at, id) of the last video of a page
_speeds = msgspec.json.Decoder(dict[TrackId, float])
SHOWN = (VideoState.PLAYABLE, VideoState.READY)  # what lists for everybody contain


def from_row(row: Row) -> Video:
    failure = Failure(row["failure_code"], row["failure_reason"]) if row["failure_code"] else None
    return Video(
        id=VideoId(row["id"]),
        owner=AccountId(row["owner"]),
        title=row["title"],
        description=row["description"],
        visibility=Visibility(row["visibility"]),
        state=VideoState(row["state"]),
        failure=failure,
        damage=row["damage"],
        generation=GenerationId(row["generation"]) if row["generation"] else None,
        stream=row["stream"],
        duration_s=row["duration_s"],
        width_px=row["width_px"],
        height_px=row["height_px"],
        source_bytes=row["source_bytes"],
        stored_bytes=row["stored_bytes"],
        progress=row["progress"],
        created_at=row["created_at"],
        playable_at=row["playable_at"],
        ready_at=row["ready_at"],
        deleted_at=row["deleted_at"],
        version=row["version"],
        ready_in_s=row["ready_in_s"],
        speeds=_speeds.decode(row["speeds"]),
    )


def columns_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn fields of Video into columns: a failure is two of them, enums are their values."""
    columns = dict(values)
    if "speeds" in columns:
        columns["speeds"] = msgspec.json.encode(columns["speeds"]).decode()
    if "failure" in columns:
        failure: Failure | None = columns.pop("failure")
        columns["failure_code"] = failure.code if failure else None
        columns["failure_reason"] = failure.reason if failure else None
    return {
        name: value.value if isinstance(value, VideoState | Visibility) else value
        for name, value in columns.items()
    }


async def find(session: Session, video_id: VideoId) -> Video | None:
    row = await session.row(select(videos).where(videos.c.id == video_id))
    return from_row(row) if row else None


async def get(session: Session, video_id: VideoId) -> Video:
    """Return the video, deleted or not. Raises VideoNotFound."""
    video = await find(session, video_id)
    if video is None:
        raise VideoNotFound("There is no such video, or it is not shared with you.")
    return video


async def add(session: Session, video: Video) -> None:
    fields = {name: getattr(video, name) for name in video.__struct_fields__}
    await session.execute(insert(videos).values(**columns_of(fields)))


async def update_fields(session: Session, video_id: VideoId, values: Mapping[str, Any]) -> bool:
    """Set fields of Video by name; False if the row is gone."""
    done = await session.execute(
        update(videos).where(videos.c.id == video_id).values(**columns_of(values))
    )
    return done > 0


async def list_public(session: Session, *, before: Position | None, limit: int) -> list[Video]:
    """Return what everybody may find, newest first, after *before*."""
    statement = select(videos).where(
        videos.c.visibility == Visibility.PUBLIC.value,
        videos.c.state.in_([state.value for state in SHOWN]),
        videos.c.deleted_at.is_(None),
    )
    return await _page(session, statement, before, limit)


async def list_owned(
    session: Session,
    owner: AccountId,
    *,
    state: VideoState | None,
    deleted: bool,
    before: Position | None,
    limit: int,
) -> list[Video]:
    """Return *owner*'s videos, newest first; *deleted* ones or the others."""
    statement = select(videos).where(
        videos.c.owner == owner,
        videos.c.deleted_at.is_not(None) if deleted else videos.c.deleted_at.is_(None),
    )
    if state is not None:
        statement = statement.where(videos.c.state == state.value)
    return await _page(session, statement, before, limit)


async def _page(
    session: Session, statement: Select[Any], before: Position | None, limit: int
) -> list[Video]:
    if before is not None:
        statement = statement.where(_after(before))
    newest_first = statement.order_by(videos.c.created_at.desc(), videos.c.id.desc())
    return _videos(await session.rows(newest_first.limit(limit)))


def _after(position: Position) -> ColumnElement[bool]:
    created_at, video_id = position
    return or_(
        videos.c.created_at < created_at,
        and_(videos.c.created_at == created_at, videos.c.id < video_id),
    )


def _videos(rows: Sequence[Row]) -> list[Video]:
    return [from_row(row) for row in rows]

"""What templates show of a video: values ready to print, made from the model in one place."""

from dataclasses import dataclass

from headwater.faces.web import words
from headwater.faces.web.texts import Texts
from headwater.model.job import Job
from headwater.model.upload import Upload
from headwater.model.video import Video, VideoState

BUSY = (VideoState.UPLOADING, VideoState.PROCESSING, VideoState.PLAYABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A poster with its words, in a grid or a list."""

    href: str
    title: str
    channel: str
    poster: str | None
    storyboard: str | None
    length: str | None
    age: str
    added: str
    added_exact: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row(Card):
    """A line of the studio's table.

    While *is_busy*, *percent* is None and *left* is "" where nobody can know. *may_pass* says of a
    failure whether trying again can help.
    """

    id: str
    description: str
    state: str
    state_words: str
    percent: int | None
    left: str
    is_busy: bool
    may_pass: bool
    visibility: str
    added_s: float
    space: str
    space_exact: str
    space_bytes: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedRow(Card):
    """A line of what can be brought back until *goes*."""

    id: str
    deleted: str
    goes: str
    goes_exact: str
    space: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    id: str
    kind: str
    video: str
    state: str
    attempts: int
    error: str | None
    age: str
    changed: str
    changed_exact: str


def picture_of(video: Video, name: str) -> str | None:
    """Return the address of *name* among the video's pictures, None while there can be none."""
    if not video.stream or not video.width_px or not video.state.can_play:
        return None
    return f"/streams/{video.id}/{video.stream}/{name}"


def _card_fields(texts: Texts, video: Video, channel: str, now: float) -> dict[str, str | None]:
    length = words.clock(video.duration_s) if video.duration_s is not None else None
    return {
        "href": f"/watch/{video.id}",
        "title": video.title,
        "channel": channel,
        "poster": picture_of(video, "poster.jpg"),
        "storyboard": picture_of(video, "storyboard.vtt"),
        "length": length,
        "age": words.age(texts, video.created_at, now),
        "added": words.machine_time(video.created_at),
        "added_exact": words.exact_time(video.created_at),
    }


def card(texts: Texts, video: Video, *, channel: str = "", now: float) -> Card:
    return Card(**_card_fields(texts, video, channel, now))  # type: ignore[arg-type]


def percent_of(video: Video, upload: Upload | None) -> int | None:
    """Return how much of what is under way is done, None where nothing is or nobody can know."""
    match video.state:
        case VideoState.UPLOADING if upload and upload.length:
            return 100 * upload.offset // upload.length
        case VideoState.PLAYABLE:
            return int(video.progress * 100)
        case _:
            return None


def row(texts: Texts, video: Video, *, upload: Upload | None = None, now: float) -> Row:
    """Return the line of *video*; *upload* is what still arrives of it."""
    percent = percent_of(video, upload)
    return Row(
        **_card_fields(texts, video, "", now),  # type: ignore[arg-type]
        id=video.id,
        description=video.description,
        state=video.state.value,
        state_words=words.state(texts, video, percent),
        percent=percent,
        left=words.left(texts, video.ready_in_s),
        is_busy=video.state in BUSY,
        may_pass=video.failure is not None and video.failure.may_pass,
        visibility=video.visibility.value,
        added_s=video.created_at,
        space=words.size(video.source_bytes + video.stored_bytes),
        space_exact=texts(
            "studio.space_exact",
            source=words.size(video.source_bytes),
            stored=words.size(video.stored_bytes),
        ),
        space_bytes=video.source_bytes + video.stored_bytes,
        version=video.version,
    )


def deleted_row(texts: Texts, video: Video, *, now: float, undo_s: float) -> DeletedRow:
    """Return the line of the deleted *video*, without pictures: they are not served any more."""
    assert video.deleted_at is not None
    goes_at = video.deleted_at + undo_s
    fields = _card_fields(texts, video, "", now) | {"poster": None, "storyboard": None}
    return DeletedRow(
        **fields,  # type: ignore[arg-type]
        id=video.id,
        deleted=words.age(texts, video.deleted_at, now),
        goes=words.machine_time(goes_at),
        goes_exact=words.exact_time(goes_at),
        space=words.size(video.source_bytes + video.stored_bytes),
    )


def job_row(texts: Texts, job: Job, *, now: float) -> JobRow:
    return JobRow(
        id=job.id,
        kind=job.kind.value,
        video=job.video,
        state=job.state.value,
        attempts=job.attempts,
        error=job.error,
        age=words.age(texts, job.updated_at, now),
        changed=words.machine_time(job.updated_at),
        changed_exact=words.exact_time(job.updated_at),
    )

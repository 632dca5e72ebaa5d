"""A video: what people see of it, and which state its making is in."""

from enum import StrEnum

import msgspec

from headwater.model.ids import AccountId, GenerationId, TrackId, VideoId


class VideoState(StrEnum):
    """uploading → processing → playable → ready, or failed (only before playable)."""

    UPLOADING = "uploading"
    PROCESSING = "processing"
    PLAYABLE = "playable"
    READY = "ready"
    FAILED = "failed"

    @property
    def can_play(self) -> bool:
        return self in (VideoState.PLAYABLE, VideoState.READY)


class Visibility(StrEnum):
    PUBLIC = "public"
    UNLISTED = "unlisted"
    PRIVATE = "private"


ENGINE = "engine"  # the code of a failure that is ours; every other one is the file's


class Failure(msgspec.Struct, frozen=True):
    """Why a video failed: *code* for machines, *reason* one sentence a person understands."""

    code: str
    reason: str

    @property
    def may_pass(self) -> bool:
        """Say whether the same file may be made when it is tried again."""
        return self.code == ENGINE


class Video(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the videos table; times are Unix seconds, durations seconds.

    *generation* is None until the plan exists; *stream* is the name it is served under in
    addresses, renewed when the visibility changes. *progress* is the share of the warm-up done, 0
    to 1, *ready_in_s* how long the rest of it may take. *speeds* are how many seconds of a rung
    this server makes in one second, by track: 1 is real time; what needs no making is not in it,
    and nothing is while nothing is known. *deleted_at* is set while the undo window of a deletion
    runs. *version* grows with each edit and is the ETag of the resource.
    """

    id: VideoId
    owner: AccountId
    title: str
    description: str
    visibility: Visibility
    state: VideoState
    failure: Failure | None
    damage: str | None
    generation: GenerationId | None
    stream: str | None
    duration_s: float | None
    width_px: int | None
    height_px: int | None
    source_bytes: int
    stored_bytes: int
    progress: float
    created_at: float
    playable_at: float | None
    ready_at: float | None
    deleted_at: float | None
    version: int
    ready_in_s: float | None = None
    speeds: dict[TrackId, float] = {}

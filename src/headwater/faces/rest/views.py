"""What the API answers: one struct per shape, from which the OpenAPI document is made too.

Times are Unix seconds, lengths seconds, sizes bytes, everywhere. Null means not known (yet) or not
shown to this caller.
"""

import msgspec

from headwater.model.account import Account, Key, NewKey, Principal, Usage
from headwater.model.actor import ActorKind, Role
from headwater.model.ids import AccountId, JobId, KeyId, TrackId, VideoId
from headwater.model.job import Job, JobKind, JobState
from headwater.model.video import Failure, Video, VideoState, Visibility


class VideoView(msgspec.Struct, frozen=True, kw_only=True):
    """A video. Its addresses never change; they answer from `playable` on. Sizes: for its owner.

    *speeds*: how many seconds of a rung (by its track) the server makes in one second. Rungs that
    need no making are not in it; it is empty while nothing is known. *ready_in_s* is an estimate.
    """

    id: VideoId
    title: str
    description: str
    visibility: Visibility
    state: VideoState
    failure: Failure | None
    damage: str | None
    progress: float
    ready_in_s: float | None
    speeds: dict[TrackId, float]
    duration_s: float | None
    width_px: int | None
    height_px: int | None
    created_at: float
    playable_at: float | None
    ready_at: float | None
    deleted_at: float | None
    version: int
    watch_url: str
    hls_url: str
    dash_url: str
    poster_url: str | None
    source_bytes: int | None
    stored_bytes: int | None


class VideoPage(msgspec.Struct, frozen=True, kw_only=True):
    """*next* is the cursor of the page after this one, null on the last."""

    videos: list[VideoView]
    next: str | None


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    id: AccountId
    email: str
    name: str
    role: Role


class WhoView(msgspec.Struct, frozen=True, kw_only=True):
    """Who this request is from: *account* is null for nobody."""

    kind: ActorKind
    account: AccountView | None


class UsageView(msgspec.Struct, frozen=True, kw_only=True):
    """The caller's account and what it keeps; *quota_bytes* null: no limit."""

    account: AccountView
    used_bytes: int
    quota_bytes: int | None


class KeyView(msgspec.Struct, frozen=True, kw_only=True):
    id: KeyId
    name: str
    created_at: float
    last_used_at: float | None


class KeyList(msgspec.Struct, frozen=True, kw_only=True):
    keys: list[KeyView]


class NewKeyView(msgspec.Struct, frozen=True, kw_only=True):
    """*token* is shown this once; null when this answers a repeat of the request."""

    key: KeyView
    token: str | None


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    id: JobId
    kind: JobKind
    video: VideoId
    state: JobState
    attempts: int
    error: str | None
    run_at: float
    created_at: float
    updated_at: float


class JobList(msgspec.Struct, frozen=True, kw_only=True):
    jobs: list[JobView]


def video_view(video: Video, *, base: str, is_own: bool) -> VideoView:
    """Show *video* with addresses below *base* (scheme://host)."""
    streams = f"{base}/streams/{video.id}"
    has_poster = video.state.can_play and video.stream is not None and video.width_px is not None
    return VideoView(
        id=video.id,
        title=video.title,
        description=video.description,
        visibility=video.visibility,
        state=video.state,
        failure=video.failure,
        damage=video.damage,
        progress=video.progress,
        ready_in_s=video.ready_in_s,
        speeds=video.speeds,
        duration_s=video.duration_s,
        width_px=video.width_px,
        height_px=video.height_px,
        created_at=video.created_at,
        playable_at=video.playable_at,
        ready_at=video.ready_at,
        deleted_at=video.deleted_at,
        version=video.version,
        watch_url=f"{base}/watch/{video.id}",
        hls_url=f"{streams}/master.m3u8",
        dash_url=f"{streams}/manifest.mpd",
        poster_url=f"{streams}/{video.stream}/poster.jpg" if has_poster else None,
        source_bytes=video.source_bytes if is_own else None,
        stored_bytes=video.stored_bytes if is_own else None,
    )


def account_view(account: Account) -> AccountView:
    return AccountView(id=account.id, email=account.email, name=account.name, role=account.role)


def who_view(principal: Principal | None) -> WhoView:
    if principal is None:
        return WhoView(kind=ActorKind.ANONYMOUS, account=None)
    return WhoView(kind=principal.kind, account=principal_view(principal))


def principal_view(principal: Principal) -> AccountView:
    return AccountView(
        id=principal.account, email=principal.email, name=principal.name, role=principal.role
    )


def usage_view(principal: Principal, usage: Usage) -> UsageView:
    return UsageView(
        account=principal_view(principal),
        used_bytes=usage.used_bytes,
        quota_bytes=usage.quota_bytes,
    )


def key_view(key: Key) -> KeyView:
    return KeyView(
        id=key.id, name=key.name, created_at=key.created_at, last_used_at=key.last_used_at
    )


def new_key_view(new: NewKey) -> NewKeyView:
    return NewKeyView(key=key_view(new.key), token=new.token)


def job_view(job: Job) -> JobView:
    return JobView(
        id=job.id,
        kind=job.kind,
        video=job.video,
        state=job.state,
        attempts=job.attempts,
        error=job.error,
        run_at=job.run_at,
        created_at=job.created_at,
        updated_at=job.updated_at,
    )

"""The table: everything the system can be asked, decided one by one.

A new operation is one more row at the end of its section. `headwater operations` prints the table
and docs/operations.md is made of it; tests hold every route to a row.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from headwater.access import accounts, keys, log_in, secrets
from headwater.access.decide import Action
from headwater.delivery import streams
from headwater.library import delete_video, edit_video, get_video, list_videos
from headwater.operations import readiness
from headwater.operations.operation import (
    NEVER,
    UNLIMITED,
    Access,
    CacheFor,
    Idempotency,
    Limit,
    Operation,
    OwnWrites,
    Permission,
    Primary,
    Stale,
)
from headwater.pipeline import advance, compact, evict, space, sweep

ACCESS = (
    Operation(
        name="accounts.issue_setup_link",
        does=accounts.issue_setup_link,
        consistency=Primary(),
        cache=NEVER,
        permission=Permission(Action.ACCOUNT_SET_UP, Access.SYSTEM),
        limit=UNLIMITED,
        idempotency=Idempotency.NATURAL,
        because="Whoever reads the server's own output owns it; a newer link ends the older one.",
    ),
    Operation(
        name="accounts.needs_setup",
        does=accounts.needs_setup,
        consistency=Primary(),
        cache=NEVER,
        permission=Permission(Action.ACCOUNT_SET_UP, Access.ANYONE),
        limit=Limit("address", times=120, per_s=60),
        idempotency=Idempotency.READ,
        because="A used link must stop working at once, so no copy may answer.",
    ),
    Operation(
        name="accounts.set_up",
        does=accounts.set_up,
        consistency=Primary(),
        cache=NEVER,
        permission=Permission(Action.ACCOUNT_SET_UP, Access.ANYONE),
        limit=Limit("address", times=20, per_s=60),
        idempotency=Idempotency.NATURAL,
        because="Two owners from one link would be a takeover: one transaction decides.",
    ),
    Operation(
        name="accounts.make_owner",
        does=accounts.make_owner,
        consistency=Primary(),
        cache=NEVER,
        permission=Permission(Action.ACCOUNT_SET_UP, Access.SYSTEM),
        limit=UNLIMITED,
        idempotency=Idempotency.NATURAL,
        because="Unattended starts repeat; only the first may make an owner.",
    ),
    Operation(
        name="accounts.usage",
        does=accounts.usage,
        consistency=OwnWrites(),
        cache=NEVER,
        permission=Permission(Action.ACCOUNT_SEE, Access.SIGNED_IN),
        limit=Limit("actor", times=600, per_s=60),
        idempotency=Idempotency.READ,
        because="People look at it right after an upload and expect to see it counted.",
    ),
    Operation(
        name="sessions.log_in",
        does=log_in.log_in,
        consistency=Primary(),
        cache=NEVER,
        permission=Permission(Action.SESSION_OPEN, Access.ANYONE),
        limit=Limit("address", times=60, per_s=60),
        idempotency=Idempotency.NATURAL,
        because="Each hash costs 0.1 s of a core, so tries are paced per account and address.",
    ),
    Operation(
        name="sessions.log_out",
        does=log_in.log_out,
        consistency=Primary(),
        cache=NEVER,
        permission=Permission(Action.SESSION_CLOSE, Access.ANYONE),
        limit=Limit("address", times=120, per_s=60),
        idempotency=Idempotency.NATURAL,
        because="A session that was ended must not work anywhere: its copies are purged.",
    ),
    Operation(
        name="sessions.recognise",
        does=log_in.recognise,
        consistency=Stale(within_s=10, beyond="refuse"),
        cache=CacheFor(fresh_s=10, stale_s=0, tags=("proof:{proof}",), shared=True),
        permission=Permission(Action.SESSION_OPEN, Access.SYSTEM),
        limit=UNLIMITED,
        idempotency=Idempotency.READ,
        because="Every request asks it; a revoked proof may work 10 s longer on another host.",
    ),
    Operation(
        name="keys.create",
        does=keys.create_key,
        consistency=Primary(),
        cache=NEVER,
        permission=Permission(Action.KEY_CREATE, Access.SIGNED_IN),
        limit=Limit("actor", times=30, per_s=60),
        idempotency=Idempotency.KEY,
        because="A repeat must not leave a second key that nobody knows of.",
    ),
    Operation(
        name="keys.list",
        does=keys.list_keys,
        consistency=OwnWrites(),
        cache=NEVER,
        permission=Permission(Action.KEY_SEE, Access.SIGNED_IN),
        limit=Limit("actor", times=600, per_s=60),
        idempotency=Idempotency.READ,
        because="A key just revoked must be gone from its owner's list.",
    ),
    Operation(
        name="keys.revoke",
        does=keys.revoke_key,
        consistency=Primary(),
        cache=NEVER,
        permission=Permission(Action.KEY_REVOKE, Access.SIGNED_IN),
        limit=Limit("actor", times=120, per_s=60),
        idempotency=Idempotency.NATURAL,
        because="Revoking answers a leak: it is written before it is confirmed.",
    ),
    Operation(
        name="keys.touch",
        does=keys.touch_key,
        consistency=Primary(),
        cache=NEVER,
        permission=Permission(Action.KEY_SEE, Access.SYSTEM),
        limit=UNLIMITED,
        idempotency=Idempotency.NATURAL,
        because="An hour's precision tells an unused key; a write per request would cost a flush.",
    ),
    Operation(
        name="system.secret",
        does=secrets.shared_secret,
        consistency=Primary(),
        cache=NEVER,
        permission=Permission(Action.SYSTEM_SEE, Access.SYSTEM),
        limit=UNLIMITED,
        idempotency=Idempotency.NATURAL,
        because="Every process must sign with the same secret: the first to write it decides.",
    ),
    Operation(
        name="system.readiness",
        does=readiness.readiness,
        consistency=Primary(),
        cache=CacheFor(fresh_s=1, stale_s=0, tags=(), shared=True),
        permission=Permission(Action.SYSTEM_SEE, Access.SYSTEM),
        limit=UNLIMITED,
        idempotency=Idempotency.READ,
        because="A balancer must hear the truth, and probing must not be a way to load the disk.",
    ),
)

LIBRARY = (
    Operation(
        name="videos.list",
        does=list_videos.list_videos,
        consistency=Stale(within_s=10, beyond="answer"),
        cache=CacheFor(fresh_s=5, stale_s=30, tags=("videos",), shared=True),
        permission=Permission(Action.VIDEO_SEE, Access.ANYONE),
        limit=Limit("address", times=1200, per_s=60),
        idempotency=Idempotency.READ,
        because="The front page is the same for everybody and may be seconds old.",
    ),
    Operation(
        name="videos.mine",
        does=list_videos.my_videos,
        consistency=OwnWrites(),
        cache=NEVER,
        permission=Permission(Action.VIDEO_SEE, Access.SIGNED_IN),
        limit=Limit("actor", times=600, per_s=60),
        idempotency=Idempotency.READ,
        because="A studio that misses the edit just made looks broken.",
    ),
    Operation(
        name="videos.get",
        does=get_video.get_video,
        consistency=OwnWrites(),
        cache=CacheFor(fresh_s=5, stale_s=0, tags=("video:{video_id}",), shared=False),
        permission=Permission(Action.VIDEO_SEE, Access.ANYONE),
        limit=UNLIMITED,
        idempotency=Idempotency.READ,
        because="The hottest read; every change of the row purges its copies.",
    ),
    Operation(
        name="videos.progress",
        does=get_video.progress,
        consistency=OwnWrites(),
        cache=NEVER,
        permission=Permission(Action.VIDEO_SEE, Access.ANYONE),
        limit=Limit("actor", times=600, per_s=60),
        idempotency=Idempotency.READ,
        because="It opens a stream of news and must not be older than the first of them.",
    ),
    Operation(
        name="videos.edit",
        does=edit_video.edit_video,
        consistency=Primary(),
        cache=NEVER,
        permission=Permission(Action.VIDEO_EDIT, Access.SIGNED_IN),
        limit=Limit("actor", times=300, per_s=60),
        idempotency=Idempotency.NATURAL,
        because="Two editors must not overwrite each other unseen: the version decides.",
    ),
    Operation(
        name="videos.delete",
        does=delete_video.delete_video,
        consistency=Primary(),
        cache=NEVER,
        permission=Permission(Action.VIDEO_DELETE, Access.SIGNED_IN),
        limit=Limit("actor", times=300, per_s=60),
        idempotency=Idempotency.NATURAL,
        because="What is deleted is hidden when the answer arrives, and can be taken back a while.",
    ),
    Operation(
        name="videos.restore",
        does=delete_video.restore_video,
        consistency=Primary(),
        cache=NEVER,
        permission=Permission(Action.VIDEO_RESTORE, Access.SIGNED_IN),
        limit=Limit("actor", times=300, per_s=60),
        idempotency=Idempotency.NATURAL,
        because="Undo races with the sweep: the row's tombstone decides.",
    ),
)

UPLOADS: tuple[Operation, ...] = ()

STREAMS = (
    Operation(
        name="streams.master",
        does=streams.hls_master,
        consistency=OwnWrites(),
        cache=NEVER,
        permission=Permission(Action.VIDEO_WATCH, Access.ANYONE),
        limit=UNLIMITED,
        idempotency=Idempotency.READ,
        because="It must exist the moment the page says playable, and name the newest stream.",
    ),
    Operation(
        name="streams.manifest",
        does=streams.dash_manifest,
        consistency=OwnWrites(),
        cache=NEVER,
        permission=Permission(Action.VIDEO_WATCH, Access.ANYONE),
        limit=UNLIMITED,
        idempotency=Idempotency.READ,
        because="It must exist the moment the page says playable, and name the newest stream.",
    ),
    Operation(
        name="streams.playlist",
        does=streams.hls_playlist,
        consistency=Stale(within_s=2, beyond="refuse"),
        cache=NEVER,
        permission=Permission(Action.VIDEO_WATCH, Access.ANYONE),
        limit=UNLIMITED,
        idempotency=Idempotency.READ,
        because="Its address names a stream whose plan never changes; only who may read it can.",
    ),
    Operation(
        name="streams.segment",
        does=streams.open_segment,
        consistency=Stale(within_s=2, beyond="refuse"),
        cache=NEVER,
        permission=Permission(Action.VIDEO_WATCH, Access.ANYONE),
        limit=UNLIMITED,
        idempotency=Idempotency.READ,
        because="Reads dwarf writes here most of all; leave to read is remembered two seconds.",
    ),
    Operation(
        name="streams.picture",
        does=streams.open_picture,
        consistency=Stale(within_s=2, beyond="refuse"),
        cache=NEVER,
        permission=Permission(Action.VIDEO_WATCH, Access.ANYONE),
        limit=UNLIMITED,
        idempotency=Idempotency.READ,
        because="A poster is asked for with every list and is as private as its video.",
    ),
    Operation(
        name="streams.storyboard",
        does=streams.storyboard,
        consistency=Stale(within_s=2, beyond="refuse"),
        cache=NEVER,
        permission=Permission(Action.VIDEO_WATCH, Access.ANYONE),
        limit=UNLIMITED,
        idempotency=Idempotency.READ,
        because="Its address names a stream whose plan never changes; only who may read it can.",
    ),
)


def _step(
    name: str, does: Callable[..., Awaitable[Any]], *, reads: bool, because: str
) -> Operation:
    """Write the row of one step of a job: the system's own, against the latest rows, unlimited."""
    return Operation(
        name=name,
        does=does,
        consistency=Primary(),
        cache=NEVER,
        permission=Permission(Action.JOB_RUN, Access.SYSTEM),
        limit=UNLIMITED,
        idempotency=Idempotency.READ if reads else Idempotency.NATURAL,
        because=because,
    )


PIPELINE = (
    _step(
        "pipeline.lease_job",
        advance.lease_job,
        reads=False,
        because="Two workers on one job would do it twice: the row decides, fair between owners.",
    ),
    _step(
        "pipeline.keep_leases",
        advance.keep_leases,
        reads=False,
        because="A worker that died stops renewing, and what it held comes back by itself.",
    ),
    _step(
        "pipeline.get_source",
        advance.get_source,
        reads=True,
        because="Bytes never meet metadata: a source is a list of extents in a row.",
    ),
    _step(
        "pipeline.record_plan",
        advance.record_plan,
        reads=False,
        because="Playable is said once the plan and its first segments are kept together.",
    ),
    _step(
        "pipeline.refuse",
        advance.refuse,
        reads=False,
        because="What can never play must say so at once, in words, and not be tried again.",
    ),
    _step(
        "pipeline.fail_job",
        advance.fail_job,
        reads=False,
        because="A failure that may pass is tried again later, not at once, and not for ever.",
    ),
    _step(
        "pipeline.finish_job",
        advance.finish_job,
        reads=False,
        because="A job whose video is gone has nothing left to do.",
    ),
    _step(
        "pipeline.open_generation",
        advance.open_generation,
        reads=True,
        because="A segment is a function of source, plan, track and index: here are the first two.",
    ),
    _step(
        "pipeline.current_generation",
        advance.current_generation,
        reads=True,
        because="Warming an older generation would make what nobody asks for.",
    ),
    _step(
        "pipeline.take_leases",
        advance.take_leases,
        reads=False,
        because="Many miss at once: one makes the segment, the rest wait for it.",
    ),
    _step(
        "pipeline.release_leases",
        advance.release_leases,
        reads=False,
        because="What could not be made is free for the next who asks, before the lease ends.",
    ),
    _step(
        "pipeline.record_segments",
        advance.record_segments,
        reads=False,
        because="The bitmap follows the store; whoever waits hears of it with the commit.",
    ),
    _step(
        "pipeline.record_warm",
        advance.record_warm,
        reads=False,
        because="A warm-up gives its turn back, so that no owner waits for another's hundred.",
    ),
    _step(
        "pipeline.list_demands",
        advance.list_demands,
        reads=True,
        because="Viewers overtake warming: what somebody waits for is looked at first.",
    ),
    _step(
        "pipeline.forget_demands",
        advance.forget_demands,
        reads=False,
        because="What nobody waits for any more must not keep an encoder busy.",
    ),
    _step(
        "pipeline.forget_generation",
        advance.forget_generation,
        reads=False,
        because="A deleted video is not made, whoever still asks.",
    ),
    _step(
        "pipeline.touch_tracks",
        advance.touch_tracks,
        reads=False,
        because="One write a minute tells what is watched; one per segment would be a hot row.",
    ),
    _step(
        "pipeline.schedule_sweep",
        sweep.schedule_sweep,
        reads=False,
        because="A deletion can be taken back for a while, so its work is queued for later.",
    ),
    _step(
        "pipeline.sweep",
        sweep.sweep,
        reads=False,
        because="Blobs go before rows, so that a crash between leaves nothing that is not named.",
    ),
    _step(
        "pipeline.compact",
        compact.compact,
        reads=False,
        because="A source of a thousand small extents is slow to read; nobody waits for the copy.",
    ),
    _step(
        "pipeline.evict",
        evict.evict,
        reads=False,
        because="A full store refuses uploads; what can be made again is the cheapest to give up.",
    ),
)

JOBS: tuple[Operation, ...] = ()

SPACE = (
    Operation(
        name="space.report",
        does=space.report_space,
        consistency=Stale(within_s=60, beyond="answer"),
        cache=CacheFor(fresh_s=10, stale_s=60, tags=(), shared=True),
        permission=Permission(Action.SPACE_SEE, Access.OWNER),
        limit=Limit("actor", times=60, per_s=60),
        idempotency=Idempotency.READ,
        because="It adds up every video's row; nobody decides by the last second of it.",
    ),
)

CATALOGUE: tuple[Operation, ...] = (
    *ACCESS,
    *LIBRARY,
    *UPLOADS,
    *STREAMS,
    *PIPELINE,
    *JOBS,
    *SPACE,
)

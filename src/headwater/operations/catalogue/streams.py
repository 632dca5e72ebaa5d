"""Bytes out."""

from headwater.access.decide import Action
from headwater.delivery import streams
from headwater.model.freshness import OwnWrites, Stale
from headwater.operations.operation import (
    NEVER,
    UNLIMITED,
    Access,
    Idempotency,
    Operation,
    Permission,
)

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
        consistency=Stale(within_s=2, beyond="answer"),
        cache=NEVER,
        permission=Permission(Action.VIDEO_WATCH, Access.ANYONE),
        limit=UNLIMITED,
        idempotency=Idempotency.READ,
        because="A plan never changes; who may read it is old news only while no primary answers.",
    ),
    Operation(
        name="streams.segment",
        does=streams.open_segment,
        consistency=Stale(within_s=2, beyond="answer"),
        cache=NEVER,
        permission=Permission(Action.VIDEO_WATCH, Access.ANYONE),
        limit=UNLIMITED,
        idempotency=Idempotency.READ,
        because="Reads dwarf writes here most; what exists plays on while no primary answers.",
    ),
    Operation(
        name="streams.picture",
        does=streams.open_picture,
        consistency=Stale(within_s=2, beyond="answer"),
        cache=NEVER,
        permission=Permission(Action.VIDEO_WATCH, Access.ANYONE),
        limit=UNLIMITED,
        idempotency=Idempotency.READ,
        because="A poster is asked for with every list and is as private as its video.",
    ),
    Operation(
        name="streams.storyboard",
        does=streams.storyboard_cues,
        consistency=Stale(within_s=2, beyond="answer"),
        cache=NEVER,
        permission=Permission(Action.VIDEO_WATCH, Access.ANYONE),
        limit=UNLIMITED,
        idempotency=Idempotency.READ,
        because="A plan never changes; who may read it is old news only while no primary answers.",
    ),
)

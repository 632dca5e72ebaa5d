"""The use cases of watching: manifests, playlists, segments and pictures of a video."""

import msgspec

from headwater.access.decide import Action, require
from headwater.delivery.demand import Demands
from headwater.delivery.manifests import dash, hls
from headwater.delivery.storyboard import storyboard_vtt
from headwater.delivery.tickets import Tickets
from headwater.engines.blobs.port import Blobs, OpenBlob
from headwater.engines.work import Work
from headwater.library import videos_repository
from headwater.model.actor import Actor
from headwater.model.errors import BlobNotFound, NotFound
from headwater.model.ids import TrackId, VideoId
from headwater.model.plan import Plan
from headwater.model.video import Video, Visibility
from headwater.pipeline.keys import INIT, PICTURES, blob_key
from headwater.planning.pictures import Storyboard, storyboard


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A text for players; *shared* when it is the same for everybody and may be kept a moment."""

    text: str
    shared: bool


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """An immutable blob to send and then to close; *shared* when any cache may keep it for ever."""

    blob: OpenBlob
    shared: bool


async def _watchable(work: Work, video_id: VideoId) -> tuple[Video, str]:
    video = await videos_repository.get(work.session, video_id)
    require(work.actor, Action.VIDEO_WATCH, video)
    if video.generation is None or video.stream is None:
        raise NotFound("This video cannot be played yet.")
    return video, video.stream


async def hls_master(*, work: Work, tickets: Tickets, video_id: VideoId) -> Manifest:
    """Return the HLS multivariant playlist, complete as soon as the plan exists."""
    video, stream = await _watchable(work, video_id)
    assert video.generation is not None
    plan = await tickets.plan(video.generation)
    return Manifest(
        text=hls.master(plan, stream=stream), shared=video.visibility is Visibility.PUBLIC
    )


async def dash_manifest(*, work: Work, tickets: Tickets, video_id: VideoId) -> Manifest:
    """Return the DASH manifest over the same segments."""
    video, stream = await _watchable(work, video_id)
    assert video.generation is not None
    plan = await tickets.plan(video.generation)
    return Manifest(
        text=dash.mpd(plan, stream=stream), shared=video.visibility is Visibility.PUBLIC
    )


async def hls_playlist(
    *, actor: Actor, tickets: Tickets, video_id: VideoId, stream: str, track: TrackId
) -> Manifest:
    """Return the HLS media playlist of one track: every segment's address and exact duration."""
    ticket = await tickets.check(actor, video_id, stream)
    plan = await tickets.plan(ticket.generation)
    if plan.segments_of(track) is None:
        raise NotFound("This video has no such track.")
    return Manifest(text=hls.media_playlist(plan, track), shared=ticket.shared)


async def open_segment(
    *,
    actor: Actor,
    tickets: Tickets,
    demands: Demands,
    blobs: Blobs,
    video_id: VideoId,
    stream: str,
    track: TrackId,
    index: int,
) -> Piece:
    """Return segment *index* of *track* (INIT for its init), making it now if it is not there.

    Raises:
        NotFound: the plan has no such segment.
        RateLimited, BeingMade, Unavailable: see Demands.until_there.
    """
    ticket = await tickets.check(actor, video_id, stream)
    segments = (await tickets.plan(ticket.generation)).segments_of(track)
    if segments is None or not INIT <= index < segments:
        raise NotFound("This video has no such segment.")
    tickets.saw(ticket.generation, track)
    key = blob_key(video_id, ticket.generation, track, index)
    try:
        blob = await blobs.open(key)
    except BlobNotFound:
        await demands.until_there(
            video_id, ticket.generation, track, index, segments=segments, client=actor.limit_key
        )
        blob = await blobs.open(key)
    return Piece(blob=blob, shared=ticket.shared)


async def open_picture(
    *,
    actor: Actor,
    tickets: Tickets,
    demands: Demands,
    blobs: Blobs,
    video_id: VideoId,
    stream: str,
    index: int,
) -> Piece:
    """Return picture *index* as JPEG: 0 the poster, n the n-th storyboard sheet."""
    ticket = await tickets.check(actor, video_id, stream)
    board = _board(await tickets.plan(ticket.generation))
    if board is None or not 0 <= index <= board.sheets:
        raise NotFound("This video has no such picture.")
    key = blob_key(video_id, ticket.generation, PICTURES, index)
    try:
        blob = await blobs.open(key)
    except BlobNotFound:
        await demands.until_there(
            video_id, ticket.generation, PICTURES, index, segments=0, client=actor.limit_key
        )
        blob = await blobs.open(key)
    return Piece(blob=blob, shared=ticket.shared)


def _board(plan: Plan) -> Storyboard | None:
    return storyboard(plan.video) if plan.video else None


async def storyboard_cues(
    *, actor: Actor, tickets: Tickets, video_id: VideoId, stream: str
) -> Manifest:
    """Return WebVTT cues that name, for each moment, a tile of a storyboard sheet."""
    ticket = await tickets.check(actor, video_id, stream)
    board = _board(await tickets.plan(ticket.generation))
    if board is None:
        raise NotFound("This video has no pictures.")
    return Manifest(text=storyboard_vtt(board), shared=ticket.shared)

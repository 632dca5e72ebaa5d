"""The names of a generation's blobs: `{video}/{generation}/{track}/{init|index}`."""

from headwater.engines.blobs.port import BlobKey
from headwater.model.ids import GenerationId, TrackId, VideoId

INIT = -1  # the index under which a track's init is leased and asked for
FIRST_RUN = -2  # a run is leased under this index less its first segment's
PICTURES = TrackId("pictures")  # a track of pictures: index 0 is the poster, n the n-th storyboard


def segment_key(video: VideoId, generation: GenerationId, track: TrackId, index: int) -> BlobKey:
    return BlobKey(f"{video}/{generation}/{track}/{index}")


def init_key(video: VideoId, generation: GenerationId, track: TrackId) -> BlobKey:
    return BlobKey(f"{video}/{generation}/{track}/init")


def picture_key(video: VideoId, generation: GenerationId, name: str) -> BlobKey:
    return BlobKey(f"{video}/{generation}/pictures/{name}")


def blob_key(video: VideoId, generation: GenerationId, track: TrackId, index: int) -> BlobKey:
    """Name the blob of a (track, index): a segment, an init, or a picture."""
    if track == PICTURES:
        return picture_key(video, generation, "poster" if index == 0 else f"storyboard-{index}")
    if index == INIT:
        return init_key(video, generation, track)
    return segment_key(video, generation, track, index)


def sample_index_key(video: VideoId, generation: GenerationId, source_track: int) -> BlobKey:
    return BlobKey(f"{video}/{generation}/index/{source_track}")


def remux_prefix(video: VideoId) -> str:
    """Name where indexed copies of a source without an index lie: `…remux-{attempt}/{n}`."""
    return f"{video}/remux-"


def generation_prefix(video: VideoId, generation: GenerationId) -> str:
    return f"{video}/{generation}/"


def segment_topic(generation: GenerationId, track: TrackId, index: int | str) -> str:
    """Name the notice that says "this segment (or picture) is there"."""
    return f"segment:{generation}/{track}/{index}"

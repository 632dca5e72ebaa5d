"""A video planned and made whole without a server: what every test of joins starts from."""

from dataclasses import dataclass
from pathlib import Path

import anyio

from headwater.engines.blobs.filesystem import FileBlobs
from headwater.engines.blobs.port import BlobKey, Blobs
from headwater.engines.media.port import Media
from headwater.model.ids import TrackId, VideoId
from headwater.model.upload import Extent
from headwater.pipeline.make_segment import make_init, make_segments
from headwater.pipeline.material import Material
from headwater.pipeline.plan_video import plan_video
from headwater.pipeline.planned import Planned
from headwater.planning.plan import PlanSettings

VIDEO = VideoId("testvideo01")
EXTENT_BYTES = 100_000  # several extents, so that samples lie across their borders


@dataclass(frozen=True, slots=True)
class Making:
    """A planned video and what makes its segments."""

    planned: Planned
    material: Material
    media: Media

    @property
    def tracks(self) -> list[TrackId]:
        return self.planned.plan.track_ids()

    async def write_track(self, track: TrackId, path: Path) -> Path:
        """Make init and every segment of *track*, one after the other, into one file."""
        body = [await make_init(self.material, track, media=self.media)]
        for index in range(self.planned.plan.segments_of(track) or 0):
            made = await make_segments(self.material, [track], index, media=self.media, urgent=True)
            body.append(made[track].body)
        await anyio.Path(path).write_bytes(b"".join(body))
        return path


def blobs_in(folder: Path) -> Blobs:
    return FileBlobs(folder / "blobs", secret=b"s" * 32)


async def start_making(path: Path, *, blobs: Blobs, media: Media) -> Making:
    """Store *path* as a source of several extents and plan it."""
    body = await anyio.Path(path).read_bytes()
    extents = []
    for at in range(0, len(body), EXTENT_BYTES):
        key = BlobKey(f"uploads/{path.stem}/{at}")
        stored = await blobs.put_absent(key, body[at : at + EXTENT_BYTES])
        extents.append(Extent(key, stored.size))
    planned = await plan_video(
        VIDEO,
        extents,
        None,
        blobs=blobs,
        media=media,
        settings=PlanSettings(),
        secret=b"secret",
        attempt="1",
    )
    material = Material(
        video=VIDEO,
        generation=planned.generation,
        plan=planned.plan,
        extents=planned.remuxed or extents,
        index_sizes=planned.index_sizes,
        blobs=blobs,
    )
    return Making(planned, material, media)

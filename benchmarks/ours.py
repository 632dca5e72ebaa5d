"""Our real pipeline without a server: a file planned, and its segments made as the worker does."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from benchmarks.clips import FFMPEG, QUIET
from headwater.engines.blobs.filesystem import FileBlobs
from headwater.engines.blobs.port import BlobKey, Blobs
from headwater.engines.media import arguments
from headwater.engines.media.ffmpeg import FfmpegMedia
from headwater.model.ids import TrackId, VideoId
from headwater.model.plan import Rung, VideoPlan
from headwater.model.upload import Extent
from headwater.pipeline.make_segment import make_init, make_segments
from headwater.pipeline.material import Material
from headwater.pipeline.plan_video import plan_video
from headwater.pipeline.planned import Planned
from headwater.planning.settings import PlanSettings

VIDEO = VideoId("benchvideo1")


@dataclass(frozen=True, slots=True)
class Ours:
    """A planned source and what makes its segments."""

    planned: Planned
    extents: list[Extent]
    blobs: Blobs
    media: FfmpegMedia

    @property
    def video(self) -> VideoPlan:
        assert self.planned.plan.video
        return self.planned.plan.video

    def rungs(self, heights: Sequence[int]) -> list[Rung]:
        return [rung for rung in self.video.rungs if not rung.copy and rung.height in heights]

    async def make(self, heights: Sequence[int]) -> dict[int, bytes]:
        """Make init and segments of the encoded rungs, and the sound, index by index, as files.

        As for a waiting viewer: the warm-up's runs differ by idle priority and a decoder's thread.
        """
        material = self._material()
        heights_of = {rung.id: rung.height for rung in self.rungs(heights)}
        sounds = [r.id for audio in self.planned.plan.audio for r in audio.renditions]
        made: dict[TrackId, list[bytes]] = {
            track: [await make_init(material, track, media=self.media)] for track in heights_of
        }
        for index in range(len(self.video.cuts) - 1):
            wanted = [*heights_of, *sounds]
            bodies = await make_segments(material, wanted, index, media=self.media, urgent=True)
            for track in heights_of:
                made[track].append(bodies[track].body)
        return {heights_of[track]: b"".join(parts) for track, parts in made.items()}

    async def make_index(self, heights: Sequence[int], index: int) -> list[bytes]:
        """Make segment *index* of the encoded rungs and of the sound, in one run."""
        sounds = [r.id for audio in self.planned.plan.audio for r in audio.renditions]
        wanted = [*(rung.id for rung in self.rungs(heights)), *sounds]
        bodies = await make_segments(self._material(), wanted, index, media=self.media, urgent=True)
        return [made.body for made in bodies.values()]

    def at_rate(self, step: float) -> "Ours":
        """Return the same with all CRFs raised by *step* and the caps lowered with them."""
        share = 2 ** (-step / 6)
        rungs = [
            msgspec.structs.replace(
                rung,
                crf=rung.crf + step,
                maxrate_bps=int(rung.maxrate_bps * share),
                bufsize_bits=int(rung.bufsize_bits * share),
            )
            for rung in self.video.rungs
        ]
        plan = msgspec.structs.replace(
            self.planned.plan, video=msgspec.structs.replace(self.video, rungs=rungs)
        )
        return replace(self, planned=replace(self.planned, plan=plan))

    def monolithic(self, source: Path, folder: Path, heights: Sequence[int]) -> list[str | Path]:
        """Return the command that makes the same rungs with the same settings in one run."""
        video, rungs = self.video, self.rungs(heights)
        top = arguments.encoded_rungs(video)[0]
        graph = ",".join(arguments.first_scale(video, top.width, top.height, video.encoded_colour))
        graph += arguments.chain(arguments.encoded_rungs(video), rungs)
        times = ",".join(f"{(cut - video.cuts[0]) / video.timescale:.6f}" for cut in video.cuts)
        command: list[str | Path] = [*QUIET, "-threads", "1", "-i", source]
        command += ["-filter_complex_threads", "1", "-filter_complex", f"[0:v:0]{graph}"]
        for number, rung in enumerate(rungs):
            command += ["-map", f"[out{number}]", *arguments.video_encoder(rung, video.timescale)]
            command += ["-force_key_frames", times, folder / f"monolithic-{rung.height}.mp4"]
        return [*command, "-map", "0:a", "-c", "copy", folder / "monolithic-sound.mp4"]

    def _material(self) -> Material:
        return Material(
            video=VIDEO,
            generation=self.planned.generation,
            plan=self.planned.plan,
            extents=self.extents,
            index_sizes=self.planned.index_sizes,
            blobs=self.blobs,
        )


async def plan_ours(body: bytes, folder: Path, *, copy_top: bool = True) -> Ours:
    """Store *body* below *folder* and plan it; without *copy_top* every rung is encoded."""
    media = await FfmpegMedia.open(FFMPEG)
    blobs = FileBlobs(folder / "blobs", secret=b"s" * 32)
    settings = PlanSettings() if copy_top else PlanSettings(copy_peak_bps=0)
    stored = await blobs.put_absent(BlobKey("uploads/scene"), body)
    extents = [Extent(BlobKey("uploads/scene"), stored.size)]
    planned = await plan_video(
        VIDEO,
        extents,
        None,
        blobs=blobs,
        media=media,
        settings=settings,
        secret=b"secret",
        attempt="1",
    )
    return Ours(planned, extents, blobs, media)

"""ladder: CPU, rate and quality of the whole ladder by our real pipeline, against the peers.

Ours: every segment of every encoded rung by make_segments, one decode per segment, each in its
own codec process. Theirs: one command line per rung, sound and all. "top copied": the source's
pictures are taken as they are (MediaCMS, which never does, is spared its top rung); "top encoded":
by nobody.
CPU seconds of all processes, for ours this one included; rounds alternate, medians are shown.
"""

import asyncio
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
import msgspec

from benchmarks import peers
from benchmarks.clips import FFMPEG, QUIET, Clips
from benchmarks.measure import cpu_s, run
from benchmarks.quality import Point, bd_rate, video_bits, vmaf
from benchmarks.report import Row
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

ABOUT = (
    "1080p30 natural footage; CPU seconds, and BD-rate (bits at equal VMAF, four rates per rung; "
    "below 0 fewer than theirs); VMAF at 1920×1080, every rung scaled up in the same way."
)
ROUNDS = 3
LOWER = (720, 480, 360, 240)
EVERY_RUNG = (1080, *LOWER)
STEPS = (-3.0, 0.0, 3.0, 6.0)  # added to CRF; the caps follow, 6 being half the rate
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
        graph = ",".join(arguments.first_scale(video, top.width, top.height))
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


def measure(clips: Clips, folder: Path) -> list[Row]:
    source = clips.scene()
    return asyncio.run(_measure(source, source.read_bytes(), folder))


async def _measure(source: Path, body: bytes, folder: Path) -> list[Row]:
    media = await FfmpegMedia.open(FFMPEG)
    blobs = FileBlobs(folder / "blobs", secret=b"s" * 32)
    copied = await _plan(body, blobs, media, PlanSettings())
    encoded = await _plan(body, blobs, media, PlanSettings(copy_peak_bps=0))
    rows = await _cpu("top copied", copied, source, folder, LOWER)
    rows += await _cpu("top encoded", encoded, source, folder, EVERY_RUNG)
    return rows + await _curves(encoded, source, folder)


async def _plan(body: bytes, blobs: Blobs, media: FfmpegMedia, settings: PlanSettings) -> Ours:
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


async def _cpu(
    case: str, ours: Ours, source: Path, folder: Path, heights: Sequence[int]
) -> list[Row]:
    top = [] if 1080 in heights else peers.peertube_copy(source, folder)
    peertube_source = folder / "peertube-opt.mp4" if top else source
    peertube = [*top, *(peers.peertube_rung(peertube_source, folder, h) for h in heights)]
    mediacms = [peers.mediacms_rung(source, folder, height) for height in heights]
    taken: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        began = cpu_s(os.getpid())
        await ours.make(heights)
        taken.setdefault("ours", []).append(cpu_s(os.getpid()) - began)
        for name, commands in (
            ("peertube", peertube),
            ("mediacms", mediacms),
            ("one run", [ours.monolithic(source, folder, heights)]),
        ):
            taken.setdefault(name, []).append(sum(run(command)[0] for command in commands))
    here = statistics.median(taken["ours"])
    return [
        Row(
            what=f"{case}: {len(heights)} rungs",
            figure=here,
            unit="CPU s",
            baseline=statistics.median(taken[name]),
            against=against,
            target=target,
        )
        for name, against, target in (
            ("peertube", "PeerTube", 0.5),
            ("mediacms", "MediaCMS", 0.4),
            ("one run", "one run, same settings", 1.1),
        )
    ]


async def _curves(ours: Ours, source: Path, folder: Path) -> list[Row]:
    """Encode every rung at every rate on all sides, and compare the curves."""
    curves: dict[tuple[str, int], list[Point]] = {}
    for step in STEPS:
        made = await ours.at_rate(step).make(EVERY_RUNG)
        for height in EVERY_RUNG:
            own = folder / f"ours-{height}.mp4"
            await anyio.Path(own).write_bytes(made[height])
            tuned = {"crf": peers.THEIR_CRF + step, "scale": 2 ** (-step / 6)}
            run(peers.peertube_rung(source, folder, height, **tuned))
            run(peers.mediacms_rung(source, folder, height, **tuned))
            for side, path in (
                ("ours", own),
                ("PeerTube", peers.peertube_output(folder, height)),
                ("MediaCMS", peers.mediacms_output(folder, height)),
            ):
                curves.setdefault((side, height), []).append(
                    (float(video_bits(path)), vmaf(path, source))
                )
    seconds = (ours.video.cuts[-1] - ours.video.cuts[0]) / ours.video.timescale
    return [
        _bd_row(curves, side, height, seconds)
        for side in ("PeerTube", "MediaCMS")
        for height in EVERY_RUNG
    ]


def _bd_row(
    curves: dict[tuple[str, int], list[Point]], side: str, height: int, seconds: float
) -> Row:
    here, there = curves["ours", height], curves[side, height]
    shown = STEPS.index(0.0)

    def told(curve: Sequence[Point]) -> str:
        bits, quality = curve[shown]
        return f"{bits / seconds / 1000:.0f} kbit/s VMAF {quality:.1f}"

    return Row(
        what=f"{height}p: bits at equal VMAF, {side}",
        figure=100 * bd_rate(here, there),
        unit="%",
        target=0,
        note=f"{told(here)} against {told(there)}",
    )

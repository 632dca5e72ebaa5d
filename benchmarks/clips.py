"""Inputs: made once with the product's own ffmpeg and kept in a folder between runs.

Natural pictures where `--clips` names a folder with the footage of the design notes, else drawn
ones; noise on both, so that the encoder has work to do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from imageio_ffmpeg import get_ffmpeg_exe

from benchmarks.measure import run

Subjects = tuple[tuple[str, float, str], ...]  # name, seconds, rate

FFMPEG: str = get_ffmpeg_exe()
QUIET = (FFMPEG, "-v", "error", "-nostdin", "-y")
NATURAL = (("crystal.mp4", 8.0, "30"), ("bigbuckbunny.mp4", 4.8, "25"))
GLIMPSE = (("crystal.mp4", 4.0, "30"), ("bigbuckbunny.mp4", 4.8, "25"))
FILM = (("crystal.mp4", 11.9, "30"), ("bigbuckbunny.mp4", 5.3, "25"), ("rabbit.webm", 7.7, "30"))
FILL = "scale=1920:1080:force_original_aspect_ratio=increase:flags=lanczos,crop=1920:1080"
NOISE = "noise=alls=4:allf=t+u"
KEYFRAMES = ("-g", "120", "-keyint_min", "120", "-sc_threshold", "0")  # 4 s of 30 fps


@dataclass(frozen=True, slots=True, kw_only=True)
class Clips:
    """*footage* None: drawn pictures. Methods return the path of a file that is made if missing."""

    folder: Path
    footage: Path | None

    def scene(self) -> Path:
        """Return 12 s of 1080p30 H.264 within 9 Mbit/s, stereo AAC, keyframes at 4 s."""
        name = "natural" if self.footage else "drawn"
        return self._once(f"scene-{name}.mp4", self._film_scene)

    def glimpse(self) -> Path:
        """Return 8 s of the same kind: two subjects, two segments."""
        name = "natural" if self.footage else "drawn"
        return self._once(f"glimpse-{name}.mp4", lambda path: self._film_scene(path, GLIMPSE, 8))

    def film(self) -> Path:
        """Return 24 s of the same kind: three subjects, six segments; drawn ones all the same."""
        name = "natural" if self.footage else "drawn"
        return self._once(f"film-{name}.mp4", lambda path: self._film_scene(path, FILM, 24))

    def minute(self, codec: str = "h264") -> Path:
        """Return a minute of 1080p30 in *codec* (h264, hevc, vp9), looped from the scene."""
        suffix = "webm" if codec == "vp9" else "mp4"
        return self._once(f"minute-{codec}.{suffix}", lambda path: self._loop_minute(path, codec))

    def long_film(self, seconds: int) -> Path:
        """Return so many seconds of 1080p30, looped from the film: every part costs its encode."""
        return self._once(
            f"film-{seconds}.mp4",
            lambda path: run(
                [
                    *(*QUIET, "-stream_loop", "-1", "-t", str(seconds), "-i", self.film()),
                    *("-c", "copy", "-movflags", "+faststart", path),
                ]
            ),
        )

    def two_hours(self) -> Path:
        """Return two hours of 1080p30 H.264/AAC at 1.5 Mbit/s, keyframes at 4 s: a copied loop."""
        return self._once("two-hours.mp4", self._loop_hours)

    def megabytes(self) -> Path:
        """Return 16 s whose every 4 s segment is about 1 MB: 2 Mbit/s, keyframes at 4 s."""
        return self._once("megabytes.mp4", self._fill_segments)

    def _once(self, name: str, make: Callable[[Path], None]) -> Path:
        path = self.folder / name
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            draft = path.with_stem(f"draft-{path.stem}")
            make(draft)
            draft.rename(path)
        return path

    def _film_scene(self, path: Path, subjects: Subjects = NATURAL, drawn_s: int = 12) -> None:
        inputs, parts, count = self._pictures(subjects, drawn_s)
        names = "".join(f"[p{number}]" for number in range(count))
        graph = f"{';'.join(parts)};{names}concat=n={count},{NOISE},format=yuv420p[v]"
        sound = "anoisesrc=r=48000:c=pink:a=0.1,aformat=channel_layouts=stereo"
        run(
            [
                *(*QUIET, *inputs, "-f", "lavfi", "-i", sound),
                *("-filter_complex", graph, "-map", "[v]", "-map", f"{count}:a", "-shortest"),
                *("-c:v", "libx264", "-preset", "veryfast", "-crf", "18", *KEYFRAMES),
                *("-maxrate", "9M", "-bufsize", "9M", "-c:a", "aac", "-b:a", "128k"),
                *("-movflags", "+faststart", path),
            ]
        )

    def _pictures(self, subjects: Subjects, drawn_s: int) -> tuple[list[str], list[str], int]:
        if self.footage is None:
            drawn = f"testsrc2=s=1920x1080:r=30:d={drawn_s}"
            return ["-f", "lavfi", "-i", drawn], ["[0:v]setsar=1[p0]"], 1
        inputs: list[str] = []
        parts = []
        for number, (name, seconds, rate) in enumerate(subjects):
            inputs += ["-t", str(seconds), "-i", str(self.footage / name)]
            parts.append(
                f"[{number}:v]setpts=(PTS-STARTPTS)*{rate}/30,fps=30,{FILL},setsar=1,"
                f"format=yuv420p[p{number}]"
            )
        return inputs, parts, len(subjects)

    def _loop_minute(self, path: Path, codec: str) -> None:
        name = f"scene-{codec}{path.suffix}"
        scene = self.scene() if codec == "h264" else self._once(name, self._recode_scene)
        run([*QUIET, "-stream_loop", "-1", "-t", "60", "-i", scene, "-c", "copy", path])

    def _recode_scene(self, path: Path) -> None:
        if path.suffix == ".mp4":
            coded = [
                *("-c:v", "libx265", "-preset", "ultrafast", "-crf", "26", "-tag:v", "hvc1"),
                *("-x265-params", "log-level=error:keyint=120", "-c:a", "copy"),
            ]
        else:
            coded = [
                *("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "5M"),
                *("-row-mt", "1", "-g", "120", "-c:a", "libopus"),
            ]
        run([*QUIET, "-i", self.scene(), *coded, path])

    def _loop_hours(self, path: Path) -> None:
        scene = self._once("scene-small.mp4", self._shrink_scene)
        looped = ("-stream_loop", "-1", "-t", "7200", "-i", scene)
        run([*QUIET, *looped, "-c", "copy", "-movflags", "+faststart", path])

    def _shrink_scene(self, path: Path) -> None:
        coded = ("-c:v", "libx264", "-preset", "veryfast", *KEYFRAMES, "-c:a", "copy")
        rate = ("-crf", "30", "-maxrate", "1500k", "-bufsize", "1500k")
        run([*QUIET, "-i", self.scene(), *coded, *rate, path])

    def _fill_segments(self, path: Path) -> None:
        run(
            [
                *(*QUIET, "-f", "lavfi", "-i", "testsrc2=s=1280x720:r=30:d=16"),
                *("-vf", "noise=alls=20:allf=t", "-pix_fmt", "yuv420p", "-c:v", "libx264"),
                *("-preset", "ultrafast", "-b:v", "2100k", "-maxrate", "2100k", "-bufsize", "2M"),
                *(*KEYFRAMES, path),
            ]
        )

"""FfmpegMedia: Media by an ffmpeg of its own process, fed and read through pipes, sandboxed."""

import re
from collections import OrderedDict
from collections.abc import AsyncIterable, AsyncIterator, Collection, Sequence
from typing import Self

import anyio

from headwater.containers.isobmff.fragments import read_encoded
from headwater.engines.media import arguments, runs, text
from headwater.engines.media.port import Encoded, EncodedSample, LongWindow, Look, Window
from headwater.engines.media.probe_sandbox import (
    LAYERS,
    NEEDED,
    Layer,
    sandbox_layers,
    sandboxed,
)
from headwater.engines.media.process import Codec, Finished, Limits, run, stream
from headwater.engines.reach import Reach
from headwater.model.errors import CodecFailed, Unavailable, UnreadableMedia
from headwater.model.plan import SAMPLES_PER_AAC_FRAME, Rendition, Rung, VideoPlan

LOOK = Limits(wall_s=60, cpu_s=30, output_bytes=16 << 20)
ENCODE = Limits(wall_s=900, cpu_s=600, output_bytes=512 << 20)
REMUX = Limits(wall_s=6 * 3600, cpu_s=3600, output_bytes=1 << 40)
HEAD_BYTES = 5 << 20  # what ffmpeg itself looks at for streams
SILENCES = 256  # outputs of some kilobytes; the lengths of a video's segments are few
BLANKS = 256  # configs of rungs that are kept; an init is asked for with every segment


class FfmpegMedia:
    """See engines/media/port.py. Open with *open*."""

    reach = Reach.HOST

    def __init__(self, codec: Codec, *, build: str, layers: list[Layer]) -> None:
        self._codec = codec
        self._layers = layers
        self._build = build
        self._blanks: OrderedDict[tuple[str, ...], Encoded] = OrderedDict()
        self._silences: OrderedDict[tuple[str, ...], bytes] = OrderedDict()

    @classmethod
    async def open(cls, program: str, *, waive: Collection[str] = ()) -> Self:
        """Open the ffmpeg at *program*, trying its sandbox once.

        Every layer that works now must work in each run.

        Raises:
            Unavailable: it does not run, has no libx264, or its sandbox does not hold off the
                "network" or foreign "files", and *waive* does not name that.
        """
        layers = await sandbox_layers(program)
        works = {layer.name: layer.works for layer in layers}
        lacking = [need for need, promise in NEEDED.items() if not works[promise]]
        if refused := [need for need in lacking if need not in waive]:
            raise Unavailable(
                f"The codec sandbox cannot hold off {' and '.join(refused)} on this machine; "
                "HEADWATER_SANDBOX can waive that by name."
            )
        required = tuple(layer for layer in LAYERS if works[layer])
        codec = await anyio.to_thread.run_sync(sandboxed, program, required)
        return cls(codec, build=await read_build(codec), layers=layers)

    @property
    def build(self) -> str:
        return self._build

    @property
    def layers(self) -> list[Layer]:
        """The layers of the sandbox as they were found at the start."""
        return self._layers

    async def look(self, window: Window, *, kind: str) -> Look:
        finished = await run(
            self._codec,
            arguments.look_arguments(window, kind=kind),
            body=window.body,
            outputs=0,
            limits=LOOK,
        )
        read = text.read_video_look if kind == "video" else text.read_audio_look
        look = read(finished.errors)
        if look is None:
            if text.OUT_OF_MEMORY in finished.errors:
                raise text.failed(finished.status, finished.errors)
            raise UnreadableMedia(f"Nothing of its {kind} can be decoded.")
        return look

    async def encode_video(
        self,
        window: Window,
        *,
        video: VideoPlan,
        start: int,
        stop: int,
        rungs: Sequence[Rung],
        urgent: bool,
    ) -> dict[str, Encoded]:
        finished = await run(
            self._codec,
            arguments.video_arguments(
                window,
                video=video,
                start=start,
                stop=stop,
                rungs=rungs,
                threads=2 if urgent else 1,
            ),
            body=window.body,
            outputs=len(rungs),
            limits=ENCODE,
            background=not urgent,
        )
        text.check(finished.status, finished.errors)
        errors = text.damage(finished.errors)
        earlier = start - arguments.lead_ticks(start, stop, window.timescale)
        return {
            rung.id: _encoded(output, errors, earlier=earlier)
            for rung, output in zip(rungs, finished.outputs, strict=True)
        }

    def encode_run(
        self,
        window: LongWindow,
        *,
        video: VideoPlan,
        cuts: Sequence[int],
        rungs: Sequence[Rung],
        urgent: bool,
    ) -> AsyncIterator[tuple[str, int, Encoded]]:
        return runs.encode_run(
            self._codec, window, video=video, cuts=cuts, rungs=rungs, urgent=urgent
        )

    async def encode_audio(
        self,
        window: Window,
        *,
        rendition: Rendition,
        at: int,
        start: int,
        stop: int,
        urgent: bool,
    ) -> Encoded:
        errors: list[str] = []
        for whole in (False, True) if window.body else ():  # its samples as whole numbers
            command = arguments.audio_arguments(
                window, rendition=rendition, at=at, start=start, stop=stop, whole_numbers=whole
            )
            finished = await run(
                self._codec,
                command,
                body=window.body,
                outputs=1,
                limits=ENCODE,
                background=not urgent,
            )
            errors += text.damage(finished.errors)
            if text.tells_of_no_number(finished.errors):
                continue
            text.check(finished.status, finished.errors)
            if encoded := _sound(finished.outputs[0], start, stop, errors):
                return encoded
            break
        return await self._silence(rendition, start, stop, errors)

    async def _silence(
        self, rendition: Rendition, start: int, stop: int, errors: list[str]
    ) -> Encoded:
        """Encode as much silence once, whatever its place."""
        command = arguments.audio_arguments(
            None, rendition=rendition, at=0, start=0, stop=stop - start
        )
        key = tuple(command)
        if key not in self._silences:
            finished = await run(self._codec, command, body=b"", outputs=1, limits=LOOK)
            if not _sound(finished.outputs[0], 0, stop - start, []):
                raise text.failed(finished.status, finished.errors)
            self._silences[key] = finished.outputs[0]
            if len(self._silences) > SILENCES:
                self._silences.popitem(last=False)
        self._silences.move_to_end(key)
        silence = _sound(self._silences[key], start, stop, errors)
        assert silence is not None
        return silence

    async def blank_video(self, *, video: VideoPlan, rung: Rung) -> Encoded:
        command = arguments.blank_arguments(
            rung=rung, timescale=video.timescale, colour=video.encoded_colour
        )
        key = tuple(command)
        if key in self._blanks:
            self._blanks.move_to_end(key)
            return self._blanks[key]
        finished = await run(self._codec, command, body=b"", outputs=1, limits=LOOK)
        encoded = _encoded(finished.outputs[0], [], earlier=-video.timescale)
        if not encoded.samples:
            raise text.failed(finished.status, finished.errors)
        self._blanks[key] = encoded
        if len(self._blanks) > BLANKS:
            self._blanks.popitem(last=False)
        return encoded

    async def pictures(
        self,
        windows: Sequence[Window],
        *,
        video: VideoPlan,
        width: int,
        height: int,
        columns: int,
        rows: int,
    ) -> bytes:
        """Run once per picture, one after another: a sheet is made in the background, once."""
        black = b"\x10" * (width * height) + b"\x80" * (width * height // 2)
        drawn: list[bytes] = []
        for window in windows:
            command = arguments.picture_arguments(window, video=video, width=width, height=height)
            finished = await run(
                self._codec, command, body=window.body, outputs=1, limits=LOOK, background=True
            )
            text.check(finished.status, finished.errors)
            picture = finished.outputs[0]
            drawn.append(picture if len(picture) == len(black) else black)
        command = arguments.sheet_arguments(width=width, height=height, columns=columns, rows=rows)
        finished = await run(self._codec, command, body=b"".join(drawn), outputs=1, limits=LOOK)
        if not finished.outputs[0]:
            raise text.failed(finished.status, finished.errors)
        return finished.outputs[0]

    async def decode(self, window: Window, *, urgent: bool) -> list[str]:
        command = [
            *(*arguments.ALWAYS, "-loglevel", "level+error", *arguments.input_arguments(window)),
            *("-map", "0:v:0", "-fps_mode", "passthrough", "-f", "null", "-"),
        ]
        finished = await run(
            self._codec, command, body=window.body, outputs=0, limits=ENCODE, background=not urgent
        )
        text.check(finished.status, finished.errors)
        return text.damage(finished.errors)

    async def remux(
        self, body: AsyncIterable[bytes], *, demuxer: str, family: str = "mov"
    ) -> AsyncIterator[bytes]:
        """Look at the head for its streams first: some need rewriting, some are left out."""
        source = aiter(body)
        head: list[bytes] = []
        while sum(map(len, head)) < HEAD_BYTES and (chunk := await anext(source, b"")):
            head.append(chunk)
        listed = await run(
            self._codec,
            arguments.streams_arguments(demuxer),
            body=b"".join(head),
            outputs=0,
            limits=LOOK,
        )
        streams = text.read_streams(listed.errors)
        if not streams:
            raise UnreadableMedia("There is no picture and no sound in this file that we can read.")

        async def whole() -> AsyncIterator[bytes]:
            while head:
                yield head.pop(0)
            async for chunk in source:
                yield chunk

        command = arguments.remux_arguments(demuxer, streams, family=family)
        ended: list[Finished] = []
        async for chunk in stream(self._codec, command, body=whole(), limits=REMUX, finished=ended):
            yield chunk


async def read_build(codec: Codec) -> str:
    """Name the program's version, its x264 and our arguments.

    Raises:
        Unavailable: it does not run or cannot encode H.264.
    """
    command = [
        *(*arguments.ALWAYS, "-loglevel", "info", "-filter_complex", "color=s=16x16[a]"),
        *("-map", "[a]", "-frames:v", "1", "-c:v", "libx264", "-f", "h264", "pipe:3"),
    ]
    try:
        version = await run(codec, ["-version"], body=b"", outputs=0, limits=LOOK)
        picture = await run(codec, command, body=b"", outputs=1, limits=LOOK)
    except CodecFailed as error:
        raise Unavailable(f"ffmpeg does not run: {error}") from None
    ffmpeg = re.search(rb"ffmpeg version (\S+)", version.errors)
    x264 = re.search(rb"x264 - core (\d+(?: r\w+)?)", picture.outputs[0])
    if not ffmpeg or not x264:
        said = text.damage(picture.errors) or ["it is no ffmpeg with libx264"]
        raise Unavailable(f"ffmpeg cannot encode H.264: {said[-1]}.")
    return f"ffmpeg {ffmpeg[1].decode()}, x264 {x264[1].decode()}, format {arguments.FORMAT}"


def _sound(output: bytes, start: int, stop: int, errors: list[str]) -> Encoded | None:
    """Read the frames of grid samples [*start*, *stop*), None if they are not all there."""
    encoded = _encoded(output, errors, earlier=0)
    first = arguments.PRIMING + arguments.PRE_ROLL
    places = range(start, stop, SAMPLES_PER_AAC_FRAME)
    frames = encoded.samples[first : first + len(places)]
    if len(frames) < len(places):
        return None
    samples = [
        EncodedSample(at, True, frame.data) for at, frame in zip(places, frames, strict=True)
    ]
    return Encoded(encoded.config, samples, errors)


def _encoded(output: bytes, errors: list[str], *, earlier: int) -> Encoded:
    """Read a fragmented MP4; *earlier* is added to its times. Nothing in it is no error here."""
    try:
        config, _, rows = read_encoded(output)
    except UnreadableMedia:
        return Encoded(b"", [], errors)
    samples = [EncodedSample(pts + earlier, sync, data) for pts, sync, data in rows]
    return Encoded(config, samples, errors)

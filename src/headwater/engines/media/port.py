"""Media: the codec process, fed and read through pipes.

Flow      pipeline hands a window (a small file we made) → codec process → encoded samples.
Adapters  ffmpeg.FfmpegMedia, the one place that starts a codec process, sandboxed.
Promises  tests/contracts/test_media.py.
"""

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from headwater.engines.reach import Reach
from headwater.model.look import Look
from headwater.model.plan import Rendition, Rung, VideoPlan

__all__ = ["Encoded", "EncodedSample", "LongWindow", "Look", "Media", "Window"]


class EncodedSample(msgspec.Struct, frozen=True, array_like=True):
    """One coded picture or audio frame, in decode order; *pts* in ticks of the track."""

    pts: int
    sync: bool
    data: bytes


class Encoded(msgspec.Struct, frozen=True):
    """What one output of a run gave: *config* is avcC for video, AudioSpecificConfig for audio.

    *errors* are the decoder's own lines about damage (paths and addresses removed), empty when
    clean.
    """

    config: bytes
    samples: list[EncodedSample]
    errors: list[str]


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A few samples of one track as a file of our own making, for the codec's standard input.

    *demuxer* is "mov" or "matroska"; *base* is the presentation tick that the file's time 0 stands
    for.
    """

    demuxer: str
    body: bytes
    base: int
    timescale: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LongWindow:
    """As Window, for more samples than memory should hold: *body* comes piece by piece."""

    demuxer: str
    body: AsyncIterable[bytes]
    base: int
    timescale: int


class Media(Protocol):
    @property
    def reach(self) -> Reach: ...

    @property
    def build(self) -> str:
        """Name the encoder build exactly; two builds of the same name give the same bytes."""
        ...

    async def look(self, window: Window, *, kind: str) -> Look:
        """Decode the first picture ("video") or frame ("audio") and say what it is.

        Raises:
            UnreadableMedia: nothing in the window decodes.
        """
        ...

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
        """Encode the frames presented in [*start*, *stop*) once per asked rung, decoding once.

        The whole scale chain of *video* runs whatever is asked, so the bytes of a rung do not
        depend on which others are made with it. Frames keep their exact presentation ticks. Each
        result is one closed GOP starting with an IDR picture. Keys are rung ids.

        Raises:
            CodecFailed: the process died, timed out, or broke a limit; nothing may be remembered.
        """
        ...

    def encode_run(
        self,
        window: LongWindow,
        *,
        video: VideoPlan,
        cuts: Sequence[int],
        rungs: Sequence[Rung],
        urgent: bool,
    ) -> AsyncIterator[tuple[str, int, Encoded]]:
        """Encode segment after segment in one pass, where keyframes lie too far apart for windows.

        Segment i is [*cuts*[i], *cuts*[i+1]). Yields (rung id, i, what encode_video would give) as
        each is done, in order for each rung. A rung's rate control goes on from segment to segment.

        Raises:
            CodecFailed: as encode_video; what was yielded before stays good.
        """
        ...

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
        """Encode grid samples [*start*, *stop*) (multiples of 1024) as AAC-LC, seamlessly.

        *at* is where on the grid the window's first decoded sample lies, whatever its clock says.
        A pre-roll before *start* is encoded and thrown away; holes and everything outside the
        source are silence; exactly (stop-start)/1024 samples come back.
        """
        ...

    async def blank_video(self, *, video: VideoPlan, rung: Rung) -> Encoded:
        """Encode one synthetic picture as *rung* would: its config is the init's."""
        ...

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
        """Decode the first picture of each window and return them as one JPEG sheet, row by row."""
        ...

    async def decode(self, window: Window, *, urgent: bool) -> list[str]:
        """Decode every picture of *window* and return the decoder's complaints: damage.

        Raises:
            CodecFailed: the process died, timed out, or broke a limit.
        """
        ...

    def remux(
        self, body: AsyncIterable[bytes], *, demuxer: str, family: str = "mov"
    ) -> AsyncIterator[bytes]:
        """Copy pictures and sound of an index-less container into one we index, in one pass.

        *family* is "mov" (fragmented) or "matroska", for the few codecs that MOV does not hold.
        Offsets between the tracks stay as they are.

        Raises:
            UnreadableMedia: the demuxer finds nothing in it.
            CodecFailed: the process died, timed out, or broke a limit.
        """
        ...

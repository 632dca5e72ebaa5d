"""What a container says, in one shape for all of them: a table of samples per track.

Everything downstream (planning, windows for the codec process, copies) reads this and never a box
or an EBML element. Arrays are numpy, one entry per sample in decode order, length n.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from headwater.containers.reader import RangeReader as RangeReader  # noqa: PLC0414  its readers

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Family = Literal["isobmff", "matroska"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One entry of an edit list (ISO/IEC 14496-12 §8.6.6), already in the track's ticks.

    *media_time* is None for an empty edit; *duration* None where it runs to the end of the media.
    """

    media_time: int | None
    duration: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackTable:
    """Every sample of one track.

    *offsets*, *sizes* in bytes of the source; *pts*, *dts*, *durations* in ticks of *timescale*,
    media time (before edits). Matroska knows no decode time: its *dts* are the sorted *pts*. *sync*
    marks samples that decode alone. *description* is the codec description verbatim: the sample
    entry boxes (isobmff) or the TrackEntry element (matroska), so that a window file can repeat it.
    *config* is the decoder configuration inside it (avcC, hvcC, AudioSpecificConfig …), b"" if
    none. *width*/*height* are coded pixels, *rotation* clockwise degrees to apply for display (0,
    90, 180, 270). *descriptions* counts sample entries: more than one means the codec setup changes
    on the way, and *entries* says which of them (from 0) each sample uses; None where all use the
    first. *prefix* stands before every sample but is not stored with it (Matroska header
    stripping): windows know; who takes samples out of the source to keep them puts it back.
    """

    number: int
    kind: Literal["video", "audio", "other"]
    family: Family
    codec: str
    timescale: int
    offsets: Int64s
    sizes: Int64s
    pts: Int64s
    dts: Int64s
    durations: Int64s
    sync: Bools
    description: bytes
    config: bytes
    descriptions: int = 1
    entries: Int64s | None = None
    prefix: bytes = b""
    language: str = "und"
    name: str = ""
    edits: tuple[Edit, ...] = ()
    width: int = 0
    height: int = 0
    sample_aspect: tuple[int, int] = (1, 1)
    rotation: int = 0
    channels: int = 0
    sample_rate: int = 0
    default: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceIndex:
    """All tracks of a source. *truncated_at_s* is where the bytes end before the index does."""

    family: Family
    tracks: tuple[TrackTable, ...]
    truncated_at_s: float | None = None
    notes: tuple[str, ...] = field(default=())

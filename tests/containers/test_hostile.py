"""Files made to break a reader: each ends in an index or one sentence, soon, in little memory."""

import struct
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from headwater.containers import index_blob, isobmff, matroska
from headwater.containers.isobmff.boxes import box, full_box, packed
from headwater.containers.isobmff.write import mvhd
from headwater.containers.matroska import ids
from headwater.containers.matroska.ebml import element
from headwater.containers.table import SourceIndex
from headwater.containers.window import window
from headwater.model.errors import HeadwaterError, UnreadableMedia
from tests.containers.boxes import ENTRIES, FTYP, movie, track, u32
from tests.containers.elements import block, cluster, track_entry
from tests.containers.elements import matroska as matroska_file
from tests.containers.material import CLIPS, ISOBMFF, MemoryReader, payload

Clip = Callable[[str], Path]
WORDS = (b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff")
LONG_S = 20  # far above what any of these takes, far below for ever


def use(data: bytes, module: object, *, size: int | None = None) -> SourceIndex | str:
    """Read *data* and use what it gives; return the index or the sentence."""
    reader = MemoryReader(data, size)
    try:
        index: SourceIndex = module.read_index(reader)  # type: ignore[attr-defined]
        for table in index.tracks:
            blob = MemoryReader(index_blob.pack(table))
            part = index_blob.read_slice(blob, 0, min(40, len(table.sizes)))
            if len(part.sizes) and int(part.sizes.sum()) <= len(data):
                window(part, payload(reader, part))
    except HeadwaterError as error:
        return str(error)
    for table in index.tracks:
        assert ((table.offsets >= 0) & (table.offsets + table.sizes <= reader.size)).all()
    return index


def broken(whole: bytes, seed: int) -> bytes:
    """Break a few bytes, mostly where the index lies."""
    dice, data = np.random.default_rng(seed), bytearray(whole)
    at = max(whole.rfind(b"moov") - 4, 0)
    lo, hi = (at, min(len(data), at + 8000)) if dice.random() < 0.7 else (0, len(data))
    for _ in range(dice.choice([1, 3, 10, 40])):
        place = dice.integers(lo, min(hi, len(data)))
        kind = dice.integers(5)
        if kind == 0:
            data[place] ^= 1 << dice.integers(8)
        elif kind == 1:
            data[place : place + 4] = WORDS[dice.integers(len(WORDS))]
        elif kind == 2:
            other = dice.integers(lo, min(hi, len(data)))
            data[place : place + 8] = data[other : other + 8]
        elif kind == 3:
            del data[place : place + dice.integers(1, 9)]
        else:
            data[place:place] = dice.bytes(int(dice.integers(1, 9)))
    return bytes(data if dice.random() < 0.9 else data[: dice.integers(len(data))])


@pytest.mark.parametrize("name", CLIPS)
def test_hundreds_of_broken_files(clip: Clip, name: str) -> None:
    """Thirty of each kind; none takes long, none surprises."""
    whole = clip(name).read_bytes()
    began = time.process_time()
    for seed in range(30):
        use(broken(whole, seed), isobmff if name in ISOBMFF else matroska)
    assert time.process_time() - began < LONG_S


def absurd_movie(*tables: bytes, tracks: int = 1, kind: str = "video", entry: bytes = b"") -> bytes:
    body = track(kind, 1000, *tables, entry=entry) * tracks
    return FTYP + box(b"moov", mvhd(1000), body)


STSC = full_box(b"stsc", 0, 0, u32(1, 1, 1 << 30, 1))
STCO = full_box(b"stco", 0, 0, u32(1, 8))
STTS = full_box(b"stts", 0, 0, u32(1, 0xFFFFFFFF, 0xFFFFFFFF))
FAR = full_box(b"co64", 0, 0, u32(1), packed(">u8", [(1 << 63) - 1]))
LOOPED = full_box(b"esds", 0, 0, b"\x03\x80\x80\x80\x00" * 200)
RUNS = full_box(b"trun", 0, 0, u32(0xFFFFFFFF))
MOOF = box(b"moof", box(b"traf", full_box(b"tfhd", 0, 0, u32(1)), RUNS))
EMPTY_RUNS = full_box(b"trun", 0, 0, u32(4_000_000))
EMPTY_MOOF = box(b"moof", box(b"traf", full_box(b"tfhd", 0, 0, u32(1)), EMPTY_RUNS))
MVEX = box(b"mvex", full_box(b"trex", 0, 0, u32(1, 1, 0xFFFFFFFF, 1, 0)))
ABSURD = {
    "four thousand million samples": absurd_movie(
        STTS, STSC, STCO, full_box(b"stsz", 0, 0, u32(1, 0xFFFFFFFF))
    ),
    "a table longer than its box": absurd_movie(
        STTS, STSC, STCO, full_box(b"stsz", 0, 0, u32(0, 4_000_000))
    ),
    "chunks of nothing": absurd_movie(
        STTS,
        full_box(b"stsc", 0, 0, u32(1, 1, 0, 1)),
        STCO,
        full_box(b"stsz", 0, 0, u32(1, 4_000_000)),
    ),
    "chunks out of order": absurd_movie(
        STTS,
        full_box(b"stsc", 0, 0, u32(2, 5, 1, 1, 2, 1, 1)),
        STCO,
        full_box(b"stsz", 0, 0, u32(1, 4)),
    ),
    "offsets at the end of numbers": absurd_movie(
        STTS, STSC, FAR, full_box(b"stsz", 0, 0, u32(0xFFFFFFFF, 4))
    ),
    "sound of nothing but sizes": absurd_movie(
        full_box(b"stts", 0, 0, u32(1, 0xFFFFFFFF, 1)),
        full_box(b"stsc", 0, 0, u32(1, 1, 0xFFFFFFFF, 1)),
        STCO,
        full_box(b"stsz", 0, 0, u32(1, 0xFFFFFFFF)),
        kind="audio",
    ),
    "a thousand tracks": absurd_movie(STTS, STSC, STCO, tracks=1000),
    "boxes in boxes": FTYP
    + box(
        b"moov",
        b"".join(struct.pack(">I4s", 8 * (5000 - n), b"moov") for n in range(5000)),
    ),
    "descriptors without end": absurd_movie(
        STTS, STSC, STCO, kind="audio", entry=box(b"mp4a", bytes(28), LOOPED)
    ),
    "a fragment of endless samples": FTYP
    + box(b"moov", mvhd(1), track("video", 1), MVEX)
    + MOOF * 40,
    "a fragment of samples said once": FTYP
    + box(b"moov", mvhd(1), track("video", 1), MVEX)
    + EMPTY_MOOF * 2,
    "pictures of one size": absurd_movie(
        STTS, STSC, STCO, full_box(b"stsz", 0, 0, u32(1, 4_000_000))
    ),
    "no media at all": absurd_movie(),
    "an entry too short": absurd_movie(STTS, STSC, STCO, entry=box(b"avc1", bytes(9))),
    "no entry": FTYP + box(b"moov", mvhd(1), track("video", 1, entry=b"\0")),
}


@pytest.mark.parametrize("name", ABSURD)
def test_absurd_movies(name: str) -> None:
    """The memory used stays in proportion to the bytes sent."""
    tracemalloc.start()
    began = time.process_time()
    try:
        result = use(ABSURD[name], isobmff)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(result, SourceIndex) or result.endswith(".")
    assert time.process_time() - began < LONG_S
    assert peak < 64 << 20


def test_a_giant_index_is_not_read() -> None:
    data = FTYP + struct.pack(">I4sQ", 1, b"moov", 1 << 40)
    assert "larger than" in str(use(data, isobmff, size=1 << 41))


def test_a_storm_of_boxes_ends() -> None:
    began = time.process_time()
    with pytest.raises(UnreadableMedia):
        isobmff.read_index(MemoryReader(FTYP + box(b"free") * 1_100_000))
    assert time.process_time() - began < LONG_S


def test_a_movie_of_other_things_is_refused() -> None:
    data = movie().replace(b"vide", b"text")
    assert "no picture and no sound" in str(use(data, isobmff))


SEGMENT_START = (
    element(ids.EBML, element(ids.DOC_TYPE, b"webm")) + b"\x18\x53\x80\x67" + b"\x01" + b"\xff" * 7
)
ENTRY = element(ids.TRACKS, track_entry(1))
NO_LACES = [
    element(ids.SIMPLE_BLOCK, bytes([0x81, 0, 0, lacing << 1]), b"\xff" * 2) for lacing in (1, 2, 3)
]
ABSURD_MATROSKA = {
    "endless void": SEGMENT_START + ENTRY + b"\xec\x80" * 500_000,
    "an element of all sizes": SEGMENT_START + ENTRY + b"\xec\x01" + b"\xfe" * 7 + bytes(100),
    "a thousand tracks": matroska_file([track_entry(n % 100 + 1) for n in range(1000)], []),
    "blocks of nothing": matroska_file([track_entry(1)], [cluster(0, *[b"\xa3\x80"] * 1000)]),
    "laces of nothing": matroska_file([track_entry(1)], [cluster(0, *NO_LACES)]),
    "clusters in clusters": SEGMENT_START + ENTRY + b"\x1f\x43\xb6\x75\xff" * 100_000,
    "a time at the end of numbers": matroska_file(
        [track_entry(1)], [cluster((1 << 56) - 1, block(1, 32767, b"x"), block(1, -32768, b"y"))]
    ),
    "a scale of nothing": matroska_file([track_entry(1)], [cluster(9, block(1, 0, b"x"))], scale=0),
    "a scale of ages": matroska_file(
        [track_entry(1)], [cluster(1 << 40, block(1, 0, b"x"))], scale=(1 << 60) + 1
    ),
}


@pytest.mark.parametrize("name", ABSURD_MATROSKA)
def test_absurd_matroska(name: str) -> None:
    began = time.process_time()
    result = use(ABSURD_MATROSKA[name], matroska)
    assert isinstance(result, SourceIndex) or result.endswith(".")
    assert time.process_time() - began < LONG_S


def test_entries_are_what_the_module_under_test_expects() -> None:
    """The plain movie these are made from is itself read without complaint."""
    index = use(movie(), isobmff)
    assert isinstance(index, SourceIndex)
    assert not index.notes
    assert index.tracks[0].description == ENTRIES["video"]

"""Indexes that lie: each is told in a sentence or plays what is sound, soon, in little memory."""

import os
import resource
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from headwater.containers.isobmff.boxes import box, full_box
from headwater.engines.media.port import Media
from tests.containers.boxes import FTYP, u32
from tests.hostile.movies import (
    MOST,
    STBL,
    claims_size,
    edit,
    one_track,
    patched,
    picture_entry,
    replaced,
    sound_entry,
    table,
    with_edits,
)
from tests.hostile.outcome import check_decodes, process
from tests.hostile.sources import make_source

pytestmark = pytest.mark.anyio

Lie = Callable[[bytes], bytes]
LONG_S = 30  # a hundred times what any takes on an idle machine
CHILD_MIB = 1024
GIANT = 16_384
DRILLS = "HEADWATER_DRILLS" in os.environ  # noqa: TID251


def timescale(value: int) -> Lie:
    return lambda movie: edit(movie, "moov/trak/mdia/mdhd", patched(12, u32(value)))


def entry_of_sound(entry: bytes) -> Lie:
    """Put *entry* in place of the one for sound."""

    def lie(movie: bytes) -> bytes:
        return edit(
            movie,
            f"moov/trak/{STBL}/stsd",
            lambda body: u32(0, 1) + entry if body[12:16] == b"mp4a" else body,
        )

    return lie


def spread(count: int, value: int) -> bytes:
    return u32(0, 1, count, value)


def giant_parameters(movie: bytes) -> bytes:
    """Let the H.264 parameters claim 16k × 16k: exp-Golomb codes in place of the true ones."""
    bits = "01100100" + "0" * 8 + "00110011" + "1" + "010" + "1" + "1" * 4
    bits += golomb(0) * 2 + golomb(0) + golomb(4) + "0"
    bits += golomb(GIANT // 16 - 1) * 2 + "1" + "1" + "0" + "0" + "1"
    bits += "0" * (-len(bits) % 8)
    sps = b"\x67" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    avcc = b"\x01\x64\x00\x33\xff\xe1" + struct.pack(">H", len(sps)) + sps
    avcc += b"\x01\x00\x04\x68\xee\x3c\x80"
    entry = picture_entry(b"avc1", GIANT, GIANT, box(b"avcC", avcc))
    stsd = f"moov/trak/{STBL}/stsd"
    return edit(movie, stsd, lambda body: u32(0, 1) + entry if body[12:16] == b"avc1" else body)


def golomb(value: int) -> str:
    told = f"{value + 1:b}"
    return "0" * (len(told) - 1) + told


def png(width: int, height: int) -> bytes:
    """A picture of nothing, a thousand times smaller than what it decodes to."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + u32(zlib.crc32(kind + body))

    rows = zlib.compressobj(9)
    row = bytes(1 + width * 4)
    data = b"".join(rows.compress(row) for _ in range(height)) + rows.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def png_bomb(width: int, height: int) -> Lie:
    entry = picture_entry(b"png ", width, height)
    return lambda _: one_track(entry, [png(width, height)] * 2, duration=100)


def endless_sound(movie: bytes) -> bytes:
    """Twenty packets of FLAC of eight channels at the highest rate there is."""
    del movie
    return one_track(
        sound_entry(b"fLaC", channels=8, rate=655_350.0),
        [np.random.default_rng(1).bytes(64)],
        kind="audio",
        repeat=20,
    )


def tracks(count: int) -> Lie:
    def lie(movie: bytes) -> bytes:
        return edit(movie, "moov", lambda body: body + body[body.index(b"trak") - 4 :] * count)

    return lie


def nested(depth: int) -> Lie:
    boxes = b"".join(struct.pack(">I4s", 8 * (depth - n), b"trak") for n in range(depth))
    return lambda movie: edit(movie, "moov", lambda body: body + boxes)


LIES: dict[str, Lie] = {
    # sizes of pictures
    "header of giants": lambda m: claims_size(m, 65_535, 65_535),
    "header of nothing": lambda m: claims_size(m, 0, 0),
    "parameters of giants": giant_parameters,
    "png bomb": png_bomb(2_000, 2_000),
    "png bomb of giants": png_bomb(8_000, 8_000),
    # counts
    "4 thousand million samples": lambda m: table(m, "stsz", 0, MOST),
    "4 thousand million equal samples": lambda m: table(m, "stsz", 1, MOST),
    "5 million equal samples": lambda m: table(m, "stsz", 1, 5_000_000),
    "4 thousand million times": lambda m: table(m, "stts", 1, MOST, 1),
    "many runs of nothing": lambda m: table(m, "stts", 100_000, *([0, 1] * 100_000)),
    "chunks of 4 thousand million": lambda m: table(m, "stsc", 1, 1, MOST, 1),
    "10 000 tracks": tracks(5_000),
    "boxes in boxes": nested(20_000),
    "a huge index": lambda m: (
        m[: m.index(b"moov") - 4] + struct.pack(">I4sQ", 1, b"moov", 1 << 40) + bytes(1 << 20)
    ),
    "a compressed index": lambda m: edit(
        m, "moov", lambda body: box(b"cmov", zlib.compress(body + bytes(50 << 20)))
    ),
    # times
    "no time at all": timescale(0),
    "4 thousand million ticks": timescale(MOST),
    "2 thousand million ticks": timescale(MOST >> 1),
    "one tick a second": timescale(1),
    "negative durations": lambda m: table(m, "stts", 1, MOST, MOST),
    "durations of nothing": lambda m: table(m, "stts", 1, MOST, 0),
    "durations of years": lambda m: table(m, "stts", 1, MOST, MOST >> 1),
    "times far ahead": lambda m: table(m, "ctts", 1, MOST, MOST >> 1),
    "times far behind": lambda m: table(m, "ctts", 1, MOST, 1 << 31, header=1 << 24),
    "no movie time": lambda m: edit(m, "moov/mvhd", patched(12, u32(0))),
    "no keyframe": lambda m: table(m, "stss", 0),
    "keyframes elsewhere": lambda m: table(m, "stss", 3, 0, MOST, 7),
    "keyframes everywhere": lambda m: table(m, "stss", 90, *range(1, 91)),
    # places
    "samples on each other": lambda m: table(m, "stco", 6, *[48] * 6),
    "samples behind the end": lambda m: table(m, "stco", 6, *[MOST - 9] * 6),
    "samples of nothing": lambda m: table(m, "stsz", 0, 90, *[0] * 90),
    "samples of two gigabytes": lambda m: table(m, "stsz", 0, 90, *[1 << 31] * 90),
    "no places": lambda m: table(m, "stco", 0),
    "entries that are not there": lambda m: table(m, "stsc", 1, 1, 20, 250),
    # edits
    "edits that repeat": lambda m: with_edits(m, *[(500, 0)] * 4_000),
    "edits in a circle": lambda m: with_edits(m, *[(100, 30_720), (100, 0)] * 1_000),
    "edits of ages": lambda m: with_edits(m, ((1 << 64) - 1, -1), ((1 << 63), 0)),
    "edits elsewhere": lambda m: with_edits(m, (5_000, (1 << 63) - 1)),
    "edits of nothing": lambda m: with_edits(m, *[(0, 0)] * 100),
    "a million edits": lambda m: with_edits(m, *[(1, 0)] * 100_000),
    # sound
    "a thousand million channels": entry_of_sound(
        sound_entry(b"sowt", channels=10**9, rate=48_000.0)
    ),
    "one sample a second": entry_of_sound(sound_entry(b"sowt", channels=2, rate=1.0)),
    "ten million samples a second": entry_of_sound(sound_entry(b"sowt", channels=2, rate=1e7)),
    "no rate": entry_of_sound(sound_entry(b"sowt", channels=2, rate=float("nan"))),
    "a rate of nothing": entry_of_sound(sound_entry(b"in24", channels=2, rate=-1e300)),
    "65 535 channels": entry_of_sound(
        box(b"twos", struct.pack(">6xH8xHHI", 1, 65_535, 16, 0), u32(MOST))
    ),
    "endless sound": endless_sound,
    # shapes
    "an index alone": lambda m: m[m.index(b"moov") - 4 :],
    "media alone": lambda m: m[: m.index(b"moov") - 4],
    "a header alone": lambda _: FTYP,
    "an index of nothing": lambda m: replaced(m, "moov", b""),
    "no codec": lambda m: replaced(m, f"moov/trak/{STBL}/stsd", u32(0, 0)),
    "codec setups without end": lambda m: replaced(
        m, f"moov/trak/{STBL}/stsd", u32(0, 5_000) + picture_entry(b"avc1", 64, 64) * 5_000
    ),
    "fragments without end": lambda m: (
        edit(
            m, "moov", lambda body: body + box(b"mvex", full_box(b"trex", 0, 0, u32(1, 1, 1, 1, 0)))
        )
        + box(
            b"moof",
            box(
                b"traf",
                full_box(b"tfhd", 0, 0, u32(1)),
                full_box(b"trun", 0, 0, u32(4_000_000)),
            ),
        )
        * 2
    ),
}


@pytest.mark.parametrize("name", LIES)
async def test_a_lying_index(name: str, clips: Path, tmp_path: Path, media: Media) -> None:
    movie = make_source("h264.mp4" if DRILLS else "small.mp4", clips)

    outcome = await process(LIES[name](movie), tmp_path, media=media)

    if outcome.played:
        check_decodes(outcome)
    assert outcome.took_s < LONG_S
    largest_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert largest_kib >> 10 < CHILD_MIB

"""MP4 files that lie: a sound movie with one thing of its index replaced.

The movie's index stands behind its media, so that nothing moves when the index changes.
"""

import struct
from collections.abc import Callable

from headwater.containers.isobmff.boxes import box, children, full_box
from headwater.containers.isobmff.write import dinf, handler, mdhd, mvhd, tkhd
from tests.containers.boxes import u32

Change = Callable[[bytes], bytes]
STBL = "mdia/minf/stbl"
PARENTS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf"}
MOST = 0xFFFFFFFF


def edit(movie: bytes, path: str, change: Change) -> bytes:
    """Return *movie* with the body of every box at *path* ("moov/trak/mdia") changed."""
    kind, _, rest = path.partition("/")
    parts = []
    for child in children(memoryview(movie)):
        if child.kind != kind.encode():
            parts.append(bytes(child.raw))
        else:
            body = bytes(child.body)
            parts.append(box(child.kind, edit(body, rest, change) if rest else change(body)))
    return b"".join(parts)


def replaced(movie: bytes, path: str, body: bytes) -> bytes:
    return edit(movie, path, lambda _: body)


def table(movie: bytes, name: str, *numbers: int, header: int = 0) -> bytes:
    """Return *movie* with table *name* of every track saying *numbers* after version and flags."""
    return replaced(movie, f"moov/trak/{STBL}/{name}", u32(header, *numbers))


def patched(at: int, value: bytes) -> Change:
    return lambda body: body[:at] + value + body[at + len(value) :]


def with_edits(movie: bytes, *rows: tuple[int, int]) -> bytes:
    """Give every track the edit list *rows* of (duration, media time), 64 bits each."""
    told = b"".join(struct.pack(">Qqi", duration, time, 1 << 16) for duration, time in rows)
    edits = box(b"edts", full_box(b"elst", 1, 0, u32(len(rows)), told))
    return edit(movie, "moov/trak", lambda body: body.replace(b"edts", b"free", 1) + edits)


def with_data_reference(movie: bytes, reference: bytes) -> bytes:
    """Say of every track that its media lies elsewhere."""
    return replaced(movie, "moov/trak/mdia/minf/dinf/dref", u32(0, 1) + reference)


def alias(path: str) -> bytes:
    """A Macintosh alias record that names *path* (tag 2: absolute path; tag 18: POSIX path)."""
    fixed = struct.pack(">IHH", 0, 150, 2) + bytes(142)
    tags = b"".join(
        struct.pack(">HH", tag, len(path)) + path.encode() + b"\0" * (len(path) % 2)
        for tag in (2, 18)
    )
    return full_box(b"alis", 0, 0, fixed, tags, struct.pack(">HH", 0xFFFF, 0))


def url(address: str) -> bytes:
    return full_box(b"url ", 0, 0, address.encode() + b"\0")


def urn(address: str) -> bytes:
    return full_box(b"urn ", 0, 0, b"urn:x\0", address.encode() + b"\0")


def claims_size(movie: bytes, width: int, height: int) -> bytes:
    """Let header and sample entry of the pictures claim a size of their own."""
    shown = struct.pack(">II", width << 16 & MOST, height << 16 & MOST)
    movie = edit(movie, "moov/trak/tkhd", lambda body: body[:76] + shown)
    return edit(
        movie,
        f"moov/trak/{STBL}/stsd",
        lambda body: (
            body[:40] + struct.pack(">HH", width & 0xFFFF, height & 0xFFFF) + body[44:]
            if body[12:16] == b"avc1"
            else body
        ),
    )


def sound_entry(kind: bytes, *, channels: int, rate: float, bits: int = 16) -> bytes:
    """A version 2 sound entry of QuickTime: any number of channels, any rate."""
    return box(
        kind,
        struct.pack(">6xHHHIHHHHI", 1, 2, 0, 0, 3, 16, 0xFFFE, 0, 0x10000),
        struct.pack(">IdIIIIII", 72, rate, channels, 0x7F000000, bits, 0, 4, 1),
    )


def one_track(
    entry: bytes,
    samples: list[bytes],
    *,
    kind: str = "video",
    timescale: int = 1000,
    duration: int = 40,
    repeat: int = 1,
    size: tuple[int, int] = (64, 64),
) -> bytes:
    """A movie of one track; *repeat* shows each sample's bytes that many times over."""

    ftyp = box(b"ftyp", b"qt  ", bytes(4))
    mdat = box(b"mdat", *samples)
    offsets, at = [], len(ftyp) + 8
    for sample in samples:
        offsets += [at] * repeat
        at += len(sample)
    sizes = [len(sample) for sample in samples for _ in range(repeat)]
    count = len(sizes)
    hdlr, header = handler(kind)
    stbl = box(
        b"stbl",
        full_box(b"stsd", 0, 0, u32(1), entry),
        full_box(b"stts", 0, 0, u32(1, count, duration)),
        full_box(b"stsc", 0, 0, u32(1, 1, 1, 1)),
        full_box(b"stsz", 0, 0, u32(0, count, *sizes)),
        full_box(b"stco", 0, 0, u32(count, *offsets)),
    )
    mdia = box(b"mdia", mdhd(timescale, "und"), hdlr, box(b"minf", header, dinf(), stbl))
    shown = (size[0] << 16, size[1] << 16)
    moov = box(b"moov", mvhd(1000), box(b"trak", tkhd(shown=shown, volume=0), mdia))
    return ftyp + mdat + moov


def picture_entry(kind: bytes, width: int, height: int, *inside: bytes) -> bytes:
    fixed = struct.pack(">6xH16xHHIIIH32xHh", 1, width, height, 0x480000, 0x480000, 0, 1, 24, -1)
    return box(kind, fixed, *inside)

"""Matroska files written element by element, for what no muxer at hand writes."""

import struct
from itertools import pairwise

from headwater.containers.matroska import ids
from headwater.containers.matroska.ebml import element, unsigned


def matroska(entries: list[bytes], clusters: list[bytes], *, scale: int = 1_000_000) -> bytes:
    info = element(ids.INFO, unsigned(ids.TIMESTAMP_SCALE, scale))
    segment = element(ids.SEGMENT, info, element(ids.TRACKS, *entries), *clusters)
    return element(ids.EBML, element(ids.DOC_TYPE, b"matroska")) + segment


def track_entry(
    number: int, *, kind: int = 1, codec: bytes = b"V_VP8", extra: bytes = b""
) -> bytes:
    return element(
        ids.TRACK_ENTRY,
        unsigned(ids.TRACK_NUMBER, number),
        unsigned(ids.TRACK_TYPE, kind),
        element(ids.CODEC_ID, codec),
        extra,
    )


def cluster(time: int, *blocks: bytes) -> bytes:
    return element(ids.CLUSTER, unsigned(ids.CLUSTER_TIMESTAMP, time), *blocks)


def block(track: int, time: int, *frames: bytes, lacing: int = 0) -> bytes:
    head = bytes([0x80 | track]) + struct.pack(">hB", time, 0x80 | lacing << 1)
    return element(ids.SIMPLE_BLOCK, head, _laced(frames, lacing), *frames)


def group(
    track: int, time: int, frame: bytes, *, reference: int | None = None, duration: int = 0
) -> bytes:
    head = bytes([0x80 | track]) + struct.pack(">hB", time, 0)
    parts = [element(ids.BLOCK, head, frame)]
    if duration:
        parts.append(unsigned(ids.BLOCK_DURATION, duration))
    if reference is not None:
        parts.append(element(ids.REFERENCE_BLOCK, struct.pack(">h", reference)))
    return element(ids.BLOCK_GROUP, *parts)


def _laced(frames: tuple[bytes, ...], lacing: int) -> bytes:
    if not lacing:
        return b""
    count = bytes([len(frames) - 1])
    sizes = [len(frame) for frame in frames[:-1]]
    if lacing == 1:
        return count + b"".join(b"\xff" * (size // 255) + bytes([size % 255]) for size in sizes)
    if lacing == 2:
        return count
    first = (1 << 14 | sizes[0]).to_bytes(2, "big")
    steps = (after - now for now, after in pairwise(sizes))
    return count + first + b"".join((1 << 14 | step + 8191).to_bytes(2, "big") for step in steps)

"""A few samples as a small complete Matroska file for the codec's standard input."""

import struct
from collections.abc import Iterable, Iterator, Sequence

from headwater.containers.limits import slice_rows
from headwater.containers.matroska import ids
from headwater.containers.matroska.ebml import by_id, children, element, unsigned
from headwater.containers.matroska.ticks import delay_ticks
from headwater.containers.table import TrackTable

CLUSTER_TICKS = 30_000  # a block's time is a signed 16-bit offset from its cluster's
SYNC = 0x80
UNKNOWN_SIZE = b"\x01" + b"\xff" * 7  # a Segment that ends where the stream does (RFC 8794 §6.2)
LEFT_OUT = (ids.PROJECTION,)  # pictures come out as they are coded; the plan turns them


def write_window(table: TrackTable, payload: Sequence[bytes]) -> tuple[bytes, int]:
    """Return the file and the tick of *table*'s media time that its time 0 stands for.

    *payload* holds the bytes of every sample of *table*, n ≥ 1. The codec delay stays in the
    track's description, so block times are later than presentation times by it, as ever.
    """
    base = int(table.pts.min())
    header, info, tracks = _head(table)
    return header + element(ids.SEGMENT, info, tracks, *_blocks(table, payload, base)), base


def stream_window(
    table: TrackTable, batches: Iterable[Sequence[bytes]]
) -> tuple[Iterator[bytes], int]:
    """As write_window, in pieces: *batches* hold the bytes of *table*'s samples in turn."""
    base = int(table.pts.min())

    def pieces() -> Iterator[bytes]:
        header, info, tracks = _head(table)
        yield b"".join((header, ids.SEGMENT.to_bytes(4, "big"), UNKNOWN_SIZE, info, tracks))
        at = 0
        for batch in batches:
            part = slice_rows(table, at, at + len(batch))
            yield b"".join(_blocks(part, batch, base))
            at += len(batch)

    return pieces(), base


def _head(table: TrackTable) -> tuple[bytes, bytes, bytes]:
    """Return the EBML header, and the Info and Tracks of the one track."""
    header = element(
        ids.EBML,
        unsigned(ids.EBML_VERSION, 1),
        unsigned(ids.EBML_READ_VERSION, 1),
        unsigned(ids.EBML_MAX_ID_LENGTH, 4),
        unsigned(ids.EBML_MAX_SIZE_LENGTH, 8),
        element(ids.DOC_TYPE, b"matroska"),
        unsigned(ids.DOC_TYPE_VERSION, 4),
        unsigned(ids.DOC_TYPE_READ_VERSION, 2),
    )
    info = element(
        ids.INFO,
        unsigned(ids.TIMESTAMP_SCALE, 1_000_000_000 // table.timescale),
        element(ids.MUXING_APP, b"headwater"),
        element(ids.WRITING_APP, b"headwater"),
    )
    tracks = element(ids.TRACKS, _entry(table.description))
    return header, info, tracks


def _blocks(table: TrackTable, payload: Sequence[bytes], base: int) -> list[bytes]:
    times = (table.pts - base + delay_ticks(table)).tolist()
    return _clusters(times, table.sync.tolist(), payload, _track_number(table))


def _track_number(table: TrackTable) -> int:
    for child in children(memoryview(table.description)):
        return int.from_bytes(by_id(child.body).get(ids.TRACK_NUMBER, b"\1"), "big") or 1
    return 1


def _entry(description: bytes) -> bytes:
    """Return the TrackEntry without what would make ffmpeg turn the picture."""
    outer = next(children(memoryview(description)))
    parts = []
    for child in children(outer.body):
        if child.id == ids.VIDEO:
            kept = (bytes(c.raw) for c in children(child.body) if c.id not in LEFT_OUT)
            parts.append(element(ids.VIDEO, *kept))
        else:
            parts.append(bytes(child.raw))
    return element(ids.TRACK_ENTRY, *parts)


def _clusters(
    times: list[int], sync: list[bool], payload: Sequence[bytes], number: int
) -> list[bytes]:
    clusters: list[bytes] = []
    blocks: list[bytes] = []
    start = 0
    track = (1 << 28 | number).to_bytes(4, "big")
    for time, key, data in zip(times, sync, payload, strict=True):
        if not blocks or abs(time - start) > CLUSTER_TICKS:
            if blocks:
                clusters.append(_cluster(start, blocks))
            start, blocks = time, []
        head = track + struct.pack(">hB", time - start, SYNC if key else 0)
        blocks.append(element(ids.SIMPLE_BLOCK, head, data))
    clusters.append(_cluster(start, blocks))
    return clusters


def _cluster(start: int, blocks: list[bytes]) -> bytes:
    return element(ids.CLUSTER, unsigned(ids.CLUSTER_TIMESTAMP, start), *blocks)

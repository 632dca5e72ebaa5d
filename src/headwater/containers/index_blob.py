"""The stored sample index: a header, then one record of 32 bytes per sample.

So a window [lo, hi) of a video of any length is one ranged read of a blob.

Layout    length of the header (u32) · header (msgpack TrackHeader) · records, all little-endian
Record    offset u64 · size u32 · flags u32 · pts i64 · dts i64
Flags     bit 0 sync, bits 8 to 15 the sample entry
"""

from typing import Literal

import msgspec
import numpy as np

from headwater.containers.limits import slice_rows
from headwater.containers.table import Edit, Family, RangeReader, TrackTable
from headwater.model.errors import UnreadableMedia

RECORD = np.dtype(
    [("offset", "<u8"), ("size", "<u4"), ("flags", "<u4"), ("pts", "<i8"), ("dts", "<i8")]
)
FIRST_READ_BYTES = 4096  # holds nearly every header
MAX_SAMPLE_BYTES = (1 << 32) - 1


class TrackHeader(msgspec.Struct, frozen=True, kw_only=True):
    """A TrackTable without its arrays: *count* samples, the last of which lasts *last_duration*."""

    count: int
    last_duration: int
    number: int
    kind: Literal["video", "audio", "other"]
    family: Family
    codec: str
    timescale: int
    description: bytes
    config: bytes
    descriptions: int
    several_entries: bool
    prefix: bytes
    language: str
    name: str
    edits: list[tuple[int | None, int | None]]
    width: int
    height: int
    sample_aspect: tuple[int, int]
    rotation: int
    channels: int
    sample_rate: int
    default: bool


_PLAIN = tuple(
    set(TrackHeader.__struct_fields__) - {"count", "last_duration", "several_entries", "edits"}
)


def pack(table: TrackTable) -> bytes:
    """Return *table* as a blob.

    Raises:
        UnreadableMedia: a sample of 4 GiB or more.
    """
    header = msgspec.msgpack.encode(_header(table))
    records = np.zeros(len(table.sizes), dtype=RECORD)
    if len(table.sizes) and int(table.sizes.max()) > MAX_SAMPLE_BYTES:
        raise UnreadableMedia("A single picture of this file is larger than 4 GiB.")
    records["offset"], records["size"] = table.offsets, table.sizes
    records["pts"], records["dts"] = table.pts, table.dts
    records["flags"] = table.sync
    if table.entries is not None:
        records["flags"] |= table.entries.astype(np.uint32) << 8
    return len(header).to_bytes(4, "little") + header + records.tobytes()


def unpack(data: bytes) -> TrackTable:
    """Return the whole table of a blob; its durations are the steps of its decode times."""
    header, at = _read_header(data)
    return _table(header, np.frombuffer(data, dtype=RECORD, offset=at, count=header.count))


def read_slice(reader: RangeReader, lo: int, hi: int) -> TrackTable:
    """Return the samples [*lo*, *hi*) of a blob; *hi* beyond the end means up to it.

    Raises:
        UnreadableMedia: the blob is not whole.
    """
    first = reader.read_at(0, FIRST_READ_BYTES)
    if len(first) >= 4 and (length := int.from_bytes(first[:4], "little") + 4) > len(first):
        first = reader.read_at(0, length)
    header, at = _read_header(first)
    hi = min(hi, header.count)
    following = min(hi + 1, header.count)  # tells how long the last sample lasts
    size = (following - lo) * RECORD.itemsize
    body = reader.read_at(at + lo * RECORD.itemsize, size) if size > 0 else b""
    if len(body) < size:
        raise UnreadableMedia("A stored index is not whole.")
    return _table(header, np.frombuffer(body, dtype=RECORD), keep=max(hi - lo, 0))


def slice_table(table: TrackTable, lo: int, hi: int) -> TrackTable:
    """Return *table* with the samples [*lo*, *hi*) alone; the arrays are views."""
    return slice_rows(table, lo, hi)


def _header(table: TrackTable) -> TrackHeader:
    return TrackHeader(
        count=len(table.sizes),
        last_duration=int(table.durations[-1]) if len(table.durations) else 0,
        several_entries=table.entries is not None,
        edits=[(edit.media_time, edit.duration) for edit in table.edits],
        **{name: getattr(table, name) for name in _PLAIN},
    )


def _read_header(data: bytes) -> tuple[TrackHeader, int]:
    stop = 4 + int.from_bytes(data[:4], "little")
    try:
        return msgspec.msgpack.decode(data[4:stop], type=TrackHeader), stop
    except msgspec.MsgspecError:
        raise UnreadableMedia("A stored index is not whole.") from None


def _table(header: TrackHeader, records: np.ndarray, keep: int | None = None) -> TrackTable:
    keep = len(records) if keep is None else keep
    dts = records["dts"].astype(np.int64)
    if keep < len(dts):
        durations = np.diff(dts)
    else:
        durations = np.concatenate([np.diff(dts), [header.last_duration][: len(dts)]])
    records = records[:keep]
    flags = records["flags"].astype(np.int64)
    return TrackTable(
        offsets=records["offset"].astype(np.int64),
        sizes=records["size"].astype(np.int64),
        pts=records["pts"].astype(np.int64),
        dts=dts[:keep],
        durations=durations[:keep].astype(np.int64),
        sync=(flags & 1).astype(np.bool_),
        entries=(flags >> 8) & 0xFF if header.several_entries else None,
        edits=tuple(Edit(media_time=start, duration=ticks) for start, ticks in header.edits),
        **{name: getattr(header, name) for name in _PLAIN},
    )

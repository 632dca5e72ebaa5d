"""A stored index gives back any window of a table from one small read."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from headwater.containers import index_blob, isobmff
from headwater.containers.table import TrackTable
from headwater.model.errors import UnreadableMedia
from tests.containers.boxes import TWO_HOURS, long_movie, movie
from tests.containers.material import FileReader, MemoryReader

Clip = Callable[[str], Path]
ARRAYS = ("offsets", "sizes", "pts", "dts", "durations", "sync")


def equal(one: TrackTable, other: TrackTable) -> bool:
    plain = set(TrackTable.__dataclass_fields__) - {*ARRAYS, "entries"}
    same = all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ARRAYS)
    entries = (one.entries is None) == (other.entries is None) and (
        one.entries is None or np.array_equal(one.entries, other.entries)
    )
    return same and entries and all(getattr(one, n) == getattr(other, n) for n in plain)


@pytest.mark.parametrize("name", ["moov_first.mp4", "fragmented.mp4", "late.mp4", "raw_sound.mov"])
def test_a_table_comes_back_whole(clip: Clip, name: str) -> None:
    for table in isobmff.read_index(FileReader(clip(name))).tracks:
        assert equal(index_blob.unpack(index_blob.pack(table)), table)


@pytest.mark.parametrize(("lo", "hi"), [(0, 1), (0, 75), (20, 45), (74, 75), (60, 1000), (30, 30)])
def test_a_slice_of_the_blob_is_the_slice_of_the_table(clip: Clip, lo: int, hi: int) -> None:
    table = isobmff.read_index(FileReader(clip("moov_first.mp4"))).tracks[0]
    blob = MemoryReader(index_blob.pack(table))
    assert equal(index_blob.read_slice(blob, lo, hi), index_blob.slice_table(table, lo, hi))


def test_sample_entries_are_kept() -> None:
    table = isobmff.read_index(MemoryReader(movie(entries=2))).tracks[0]
    assert equal(index_blob.unpack(index_blob.pack(table)), table)


def test_a_window_of_a_long_video_costs_a_few_kilobytes() -> None:
    """Two hours: 32 bytes a sample; reading 120 of them moves no more than 10 kB."""
    table = isobmff.read_index(MemoryReader(long_movie(), size=1 << 40)).tracks[0]
    blob = index_blob.pack(table)
    assert len(blob) - 32 * TWO_HOURS[0] < 1024
    read: list[int] = []

    class Counting(MemoryReader):
        def read_at(self, start: int, size: int) -> bytes:
            read.append(size)
            return super().read_at(start, size)

    part = index_blob.read_slice(Counting(blob), 100_000, 100_120)
    assert equal(part, index_blob.slice_table(table, 100_000, 100_120))
    assert sum(read) < 10_000


@pytest.mark.parametrize("keep", [0, 3, 40, 500])
def test_a_torn_blob_is_an_error(clip: Clip, keep: int) -> None:
    table = isobmff.read_index(FileReader(clip("moov_first.mp4"))).tracks[0]
    with pytest.raises(UnreadableMedia):
        index_blob.read_slice(MemoryReader(index_blob.pack(table)[:keep]), 0, 50)

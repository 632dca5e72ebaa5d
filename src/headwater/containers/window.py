"""A window: samples of a table as a small file of our own making, for the codec process."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Literal

from headwater.containers.isobmff.window import window_head
from headwater.containers.isobmff.window import write_window as write_isobmff
from headwater.containers.matroska.write import stream_window as stream_matroska
from headwater.containers.matroska.write import write_window as write_matroska
from headwater.containers.table import TrackTable

Demuxer = Literal["mov", "matroska"]


def window(table: TrackTable, payload: Sequence[bytes]) -> tuple[Demuxer, bytes, int]:
    """Return ffmpeg's demuxer for it, the file, and the media tick its time 0 stands for.

    *table* is a slice (index_blob.slice_table) of n ≥ 1 samples beginning at a sync sample,
    *payload* their bytes as stored in the source.
    """
    if table.family == "isobmff":
        return "mov", *write_isobmff(table, payload)
    return "matroska", *write_matroska(table, payload)


def stream_window(
    table: TrackTable, batches: Iterable[Sequence[bytes]]
) -> tuple[Demuxer, Iterator[bytes], int]:
    """As window, for what memory does not hold: *batches* give the samples' bytes in turn."""
    if table.family == "isobmff":
        head, base = window_head(table, table.sizes)
        pieces = chain([head], chain.from_iterable(batches))
        return "mov", pieces, base
    return "matroska", *stream_matroska(table, batches)

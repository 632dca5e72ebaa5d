"""What a codec process wrote to its pipe: a fragmented MP4 of one track, from memory."""

from headwater.containers.isobmff.index import read_index


class _Memory:
    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        return len(self._data)

    def read_at(self, start: int, size: int) -> bytes:
        return self._data[start : start + size]


def read_encoded(data: bytes) -> tuple[bytes, int, list[tuple[int, bool, bytes]]]:
    """Return the first track's config (avcC or AudioSpecificConfig), timescale and samples.

    Samples are (presentation tick, sync, bytes) in decode order; what is cut off at the end is left
    out.

    Raises:
        UnreadableMedia: there is no track in it.
    """
    table = read_index(_Memory(data)).tracks[0]
    rows = zip(
        table.pts.tolist(),
        table.sync.tolist(),
        table.offsets.tolist(),
        table.sizes.tolist(),
        strict=True,
    )
    samples = [(pts, sync, data[at : at + size]) for pts, sync, at, size in rows]
    return table.config, table.timescale, samples

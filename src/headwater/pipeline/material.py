"""Material: what a generation is made from, opened once and read window by window.

A window costs one ranged read of the stored sample index and one pass over the samples themselves,
whatever the length of the video.
"""

from headwater.containers import index_blob
from headwater.containers import window as windows
from headwater.containers.table import RangeReader, TrackTable
from headwater.engines.blobs.port import Blobs
from headwater.engines.media.port import Window
from headwater.model.errors import UnreadableMedia
from headwater.model.ids import GenerationId, VideoId
from headwater.model.plan import Plan
from headwater.model.upload import Extent
from headwater.pipeline.keys import sample_index_key

WINDOW_BYTES = 512 << 20  # 10 s at 400 Mbit/s; more is a hostile index


class Material:
    """One generation's plan, source and sample indexes. Methods block: call from a thread."""

    def __init__(
        self,
        *,
        video: VideoId,
        generation: GenerationId,
        plan: Plan,
        extents: list[Extent],
        index_sizes: dict[int, int],
        blobs: Blobs,
    ) -> None:
        self.video = video
        self.generation = generation
        self.plan = plan
        self._source = blobs.reader(extents)
        self._indexes: dict[int, RangeReader] = {
            track: blobs.reader([Extent(sample_index_key(video, generation, track), size)])
            for track, size in index_sizes.items()
        }

    def samples(self, source_track: int, lo: int, hi: int) -> TrackTable:
        """Return the rows [*lo*, *hi*) of a source track's sample table."""
        return index_blob.read_slice(self._indexes[source_track], lo, hi)

    def payload(self, table: TrackTable) -> list[bytes]:
        """Read every sample of *table*, joining neighbours into one read.

        Raises:
            UnreadableMedia: more than WINDOW_BYTES or, pointing to the same bytes again and again,
                than the source holds; or the source ends before a sample does.
        """
        return read_samples(self._source, table)

    def window(self, source_track: int, lo: int, hi: int, *, shift: int) -> Window:
        """Return samples [*lo*, *hi*) as a file for the codec, its base in presentation ticks."""
        table = self.samples(source_track, lo, hi)
        return make_window(table, self.payload(table), shift=shift)


def make_window(table: TrackTable, payload: list[bytes], *, shift: int) -> Window:
    demuxer, body, base = windows.window(table, payload)
    return Window(demuxer=demuxer, body=body, base=base - shift, timescale=table.timescale)


def read_samples(source: RangeReader, table: TrackTable) -> list[bytes]:
    """See Material.payload."""
    total = int(table.sizes.sum())
    if total > min(WINDOW_BYTES, source.size):
        raise UnreadableMedia("A few seconds of this file hold more bytes than any video has.")
    offsets, sizes = table.offsets.tolist(), table.sizes.tolist()
    samples: list[bytes] = []
    first = 0
    while first < len(offsets):
        last, end = first, offsets[first] + sizes[first]
        while last + 1 < len(offsets) and offsets[last + 1] == end:
            last += 1
            end += sizes[last]
        run = source.read_at(offsets[first], end - offsets[first])
        if len(run) < end - offsets[first]:
            raise UnreadableMedia("The file ends before its last picture does.")
        at = 0
        for size in sizes[first : last + 1]:
            samples.append(run[at : at + size])
            at += size
        first = last + 1
    return samples

"""Windows cut from clips, and the plans that go with them, for tests of the codec alone."""

from collections.abc import Collection
from pathlib import Path

from headwater.containers import isobmff, matroska
from headwater.containers.index_blob import slice_table
from headwater.containers.table import RangeReader, TrackTable
from headwater.containers.window import window
from headwater.engines.media.port import Window
from headwater.model.ids import TrackId
from headwater.model.plan import Colour, Rendition, Rung, VideoPlan


class Memory:
    """A file in memory as a source."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        return len(self._data)

    def read_at(self, start: int, size: int) -> bytes:
        return self._data[start : start + size]


class Track:
    """One track of a file, to cut windows from."""

    def __init__(self, data: bytes, kind: str) -> None:
        source = Memory(data)
        self._source: RangeReader = source
        read = matroska.read_index if data.startswith(b"\x1a\x45\xdf\xa3") else isobmff.read_index
        self.table: TrackTable = next(t for t in read(source).tracks if t.kind == kind)

    @classmethod
    def of(cls, path: Path, kind: str) -> "Track":
        return cls(path.read_bytes(), kind)

    def window(
        self, lo: int = 0, hi: int | None = None, *, spoiled: Collection[int] = ()
    ) -> Window:
        """Return samples [*lo*, *hi*); those *spoiled*, counted from *lo*, are nonsense."""
        table = slice_table(self.table, lo, len(self.table.pts) if hi is None else hi)
        places = zip(table.offsets.tolist(), table.sizes.tolist(), strict=True)
        payload = [self._source.read_at(offset, size) for offset, size in places]
        payload = [b"\xa5" * len(p) if n in spoiled else p for n, p in enumerate(payload)]
        demuxer, body, base = window(table, payload)
        return Window(demuxer=demuxer, body=body, base=base, timescale=table.timescale)

    def plan(self, *rungs: Rung, **changes: object) -> VideoPlan:
        """Return a plan of which the codec reads only what is said here."""
        values: dict[str, object] = {
            "source_track": self.table.number,
            "codec": self.table.codec,
            "timescale": self.table.timescale,
            "shift": 0,
            "width": self.table.width,
            "height": self.table.height,
            "rotation": 0,
            "interlaced": False,
            "tone_map": False,
            "colour": Colour(),
            "rungs": list(rungs),
            "sample_aspect": (1, 1),
            **{name: [] for name in ("cuts", "windows", "owns", "frames")},
            **changes,
        }
        return VideoPlan(**values)  # type: ignore[arg-type]


def rung(height: int, width: int = 0, *, step: int = 1, rate: tuple[int, int] = (30, 1)) -> Rung:
    return Rung(
        id=TrackId(f"v{height}"),
        copy=False,
        width=width or height * 4 // 3,
        height=height,
        frame_step=step,
        frame_rate=(rate[0], rate[1] * step),
        codecs="",
        level=31,
        crf=24,
        maxrate_bps=900_000,
        bufsize_bits=900_000,
        average_bps=0,
        peak_bps=0,
    )


def rendition(*, channels: int = 1, sample_rate: int = 48_000) -> Rendition:
    return Rendition(
        id=TrackId("a1"),
        copy=False,
        channels=channels,
        sample_rate=sample_rate,
        codecs="",
        bitrate_bps=64_000 * channels,
        cuts=[],
        windows=[],
    )

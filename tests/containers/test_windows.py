"""A window decodes to exactly what the source decodes to there, at the times the table says."""

from collections.abc import Callable
from pathlib import Path

import pytest

from headwater.containers import index_blob, isobmff, matroska
from headwater.containers.matroska import ids
from headwater.containers.matroska.ebml import element, unsigned
from headwater.containers.table import SourceIndex
from headwater.containers.window import window
from tests.containers.boxes import movie
from tests.containers.elements import block, cluster, track_entry
from tests.containers.elements import matroska as matroska_file
from tests.containers.material import (
    CLIPS,
    ISOBMFF,
    FileReader,
    MemoryReader,
    frames,
    groups_of_pictures,
    packets,
    payload,
)
from tests.support.clips import run

Clip = Callable[[str], Path]
SOUND_FRAMES = 30


def read(path: Path, reader: FileReader) -> SourceIndex:
    return (isobmff if path.name in ISOBMFF else matroska).read_index(reader)


@pytest.mark.parametrize("name", CLIPS)
def test_a_window_holds_the_tables_own_samples(clip: Clip, name: str) -> None:
    """ffmpeg finds the same bytes at the same times, for a group of pictures in the middle."""
    reader = FileReader(clip(name))
    index = read(clip(name), reader)
    for table in index.tracks:
        groups = groups_of_pictures(table)
        lo, hi = groups[len(groups) // 2]
        if table.kind == "audio":
            lo, hi = len(table.sizes) // 2, len(table.sizes) // 2 + SOUND_FRAMES
        part = index_blob.slice_table(table, lo, hi)
        samples = payload(reader, part)
        demuxer, body, base = window(part, samples)
        told = packets(body, "0", before=("-f", demuxer))
        assert [p.pts + base for p in told] == part.pts.tolist()
        assert [p.size for p in told] == part.sizes.tolist()
        assert [p.sync for p in told] == part.sync.tolist()


@pytest.mark.parametrize(
    "name",
    [
        "moov_first.mp4",
        "fragmented.mp4",
        "negative.mp4",
        "hevc.mp4",
        "vp9.mp4",
        "h264.mkv",
        "vp8.webm",
    ],
)
def test_windows_decode_to_the_sources_pictures(clip: Clip, name: str) -> None:
    """All windows between keyframes, one after the other, are the whole video."""
    reader = FileReader(clip(name))
    table = read(clip(name), reader).tracks[0]
    decoded: list[str] = []
    for lo, hi in groups_of_pictures(table):
        part = index_blob.slice_table(table, lo, hi)
        demuxer, body, _ = window(part, payload(reader, part))
        decoded += frames(body, "0:v:0", before=("-f", demuxer))
    before = ("-ignore_editlist", "1") if name in ISOBMFF else ()
    assert decoded == frames(clip(name), "0:v:0", before=before)


def test_a_turned_picture_comes_out_as_it_is_coded(clip: Clip, tmp_path: Path) -> None:
    """Windows carry no display matrix, so that the plan alone turns pictures."""
    for name, module in (("moov_first.mp4", isobmff), ("h264.mkv", matroska)):
        turned = tmp_path / f"turned{Path(name).suffix}"
        run("-display_rotation:v:0", "90", "-i", str(clip(name)), "-c", "copy", "-y", str(turned))
        upright, other = FileReader(clip(name)), FileReader(turned)
        shown = []
        for reader in (upright, other):
            table = index_blob.slice_table(module.read_index(reader).tracks[0], 0, 5)
            demuxer, body, _ = window(table, payload(reader, table))
            shown.append(frames(body, "0:v:0", before=("-f", demuxer)))
        assert shown[0] == shown[1]


def test_several_sample_entries_stay_apart() -> None:
    """A window over a change of codec setup repeats both and says which sample uses which."""
    reader = MemoryReader(movie(entries=2))
    table = isobmff.read_index(reader).tracks[0]
    _, body, base = window(table, payload(reader, table))
    again = isobmff.read_index(MemoryReader(body)).tracks[0]
    assert again.entries is not None
    assert again.entries.tolist() == [0, 0, 1, 1]
    assert (again.pts + base).tolist() == table.pts.tolist()
    assert payload(MemoryReader(body), again) == payload(reader, table)


def test_gaps_between_fragments_stay() -> None:
    """Decode times that leap (a live recording that lost a part) leap in the window too."""
    entry = track_entry(1)
    blocks = [
        cluster(time, block(1, 0, bytes([time // 40_000]))) for time in range(0, 200_000, 40_000)
    ]
    reader = MemoryReader(matroska_file([entry], blocks))
    table = matroska.read_index(reader).tracks[0]
    _, body, base = window(table, payload(reader, table))
    again = matroska.read_index(MemoryReader(body)).tracks[0]
    assert (again.pts + base).tolist() == table.pts.tolist() == list(range(0, 200_000, 40_000))


def test_stripped_headers_come_back_in_the_decoder(clip: Clip) -> None:
    """The window repeats the stripping rule with the stripped bytes, so ffmpeg restores them."""
    reader = FileReader(clip("ac3.mkv"))
    sound = matroska.read_index(reader).tracks[1]
    whole = payload(reader, sound)[:10]
    compression = element(
        ids.CONTENT_COMPRESSION,
        unsigned(ids.CONTENT_COMP_ALGO, 3),
        element(ids.CONTENT_COMP_SETTINGS, b"\x0b\x77"),
    )
    extra = element(ids.CONTENT_ENCODINGS, element(ids.CONTENT_ENCODING, compression))
    entry = track_entry(1, kind=2, codec=b"A_AC3", extra=extra)
    blocks = [block(1, n * 32, frame[2:]) for n, frame in enumerate(whole)]
    stripped = MemoryReader(matroska_file([entry], [cluster(0, *blocks)]))
    table = matroska.read_index(stripped).tracks[0]
    demuxer, body, _ = window(table, payload(stripped, table))
    told = packets(body, "0:a:0", before=("-f", demuxer))
    assert [p.size for p in told] == [len(frame) for frame in whole]
    assert [table.prefix + data for data in payload(stripped, table)] == whole

"""Our tables of Matroska and WebM say what ffmpeg's demuxer says."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from headwater.containers.matroska import ids, read_index, walk
from headwater.containers.matroska.cursor import Cursor
from headwater.containers.matroska.ebml import element, unsigned
from headwater.model.errors import UnreadableMedia
from tests.containers.elements import block, cluster, group, matroska, track_entry
from tests.containers.material import (
    MATROSKA,
    FileReader,
    MemoryReader,
    as_packets,
    packets,
    payload,
    track_name,
)
from tests.support.clips import run

Clip = Callable[[str], Path]
CODECS = {
    "h264.mkv": ("h264", "aac"),
    "vp8.webm": ("vp8", "vorbis"),
    "vp9.webm": ("vp9", "opus"),
    "old.mkv": ("mpeg4", "mp3"),
    "flac.mkv": ("mpeg4", "flac"),
    "raw_sound.mkv": ("mpeg4", "pcm_s24le"),
    "ac3.mkv": ("mpeg2video", "ac3"),
}


@pytest.mark.parametrize("name", MATROSKA)
def test_tables_equal_the_demuxers(clip: Clip, name: str) -> None:
    """Count, presentation times, sync marks, sizes and the very bytes of every sample."""
    reader = FileReader(clip(name))
    index = read_index(reader)

    assert not index.notes
    assert index.truncated_at_s is None
    for table in index.tracks:
        told = packets(clip(name), track_name(table, index.tracks))
        ours = as_packets(reader, table)
        assert [(p.pts, p.size, p.checksum, p.sync) for p in ours] == [
            (p.pts, p.size, p.checksum, p.sync) for p in told
        ]
        assert table.dts.tolist() == sorted(table.pts.tolist())


def sized(length: int, body: bytes) -> bytes:
    """Write a SimpleBlock whose size takes *length* bytes."""
    return b"\xa3" + (1 << 7 * length | len(body)).to_bytes(length, "big") + body


def none_is_plain(cursor: Cursor, at: int, now: int, found: walk.Walked) -> int:
    del cursor, now, found
    return at


@pytest.mark.parametrize("name", MATROSKA)
def test_the_tight_loop_says_what_the_plain_walk_says(
    clip: Clip, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = read_index(FileReader(clip(name)))
    monkeypatch.setattr(walk, "_plain_blocks", none_is_plain)
    plain = read_index(FileReader(clip(name)))

    for one, other in zip(quick.tracks, plain.tracks, strict=True):
        for column in ("offsets", "sizes", "pts", "dts", "durations", "sync"):
            assert np.array_equal(getattr(one, column), getattr(other, column)), column


def test_every_size_of_a_block_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes of one to eight bytes, times on both sides of the cluster's, blocks of no known track;
    wherever the file is cut off, both walks say the same.
    """

    blocks = [
        sized(length, bytes([0x80 | track]) + (shift & 0xFFFF).to_bytes(2, "big") + b"\x80" + data)
        for length in range(1, 9)
        for track, shift in ((1, 5), (1, -7), (9, 1))
        for data in (b"", b"x" * 90)
    ]
    data = matroska([track_entry(1)], [cluster(1000, *blocks)])

    def rows(cut: int) -> list[tuple[int, int, int]]:
        (table,) = read_index(MemoryReader(data[:cut])).tracks
        found = zip(table.offsets, table.sizes, table.pts, strict=True)
        return [(int(at), int(size), int(pts)) for at, size, pts in found]

    cuts = range(len(data) - sum(map(len, blocks[-12:])), len(data) + 1)
    quick = [rows(cut) for cut in cuts]
    monkeypatch.setattr(walk, "_plain_blocks", none_is_plain)

    assert quick == [rows(cut) for cut in cuts]
    assert len(quick[-1]) == 8 * 2 * 2


def test_large_pictures_are_leapt_over(tmp_path: Path) -> None:
    """Of 40 kB a picture, at most a tenth is read."""
    body = b"\x81\0\0\x80" + bytes(40_000)
    blocks = [sized(3, body)] * 200
    path = tmp_path / "large.mkv"
    path.write_bytes(matroska([track_entry(1)], [cluster(0, *blocks)]))
    reader = FileReader(path)

    (table,) = read_index(reader).tracks

    assert len(table.sizes) == 200
    assert sum(size for _, size in reader.reads) < reader.size * 0.11


@pytest.mark.parametrize(("name", "codecs"), CODECS.items())
def test_codecs_have_ffmpegs_names(clip: Clip, name: str, codecs: tuple[str, ...]) -> None:
    assert tuple(t.codec for t in read_index(FileReader(clip(name))).tracks) == codecs


def test_what_a_track_says_of_itself(clip: Clip) -> None:
    video, audio = read_index(FileReader(clip("h264.mkv"))).tracks
    assert (video.width, video.height, video.timescale) == (160, 120, 1000)
    assert video.config[:1] == b"\x01"  # an avcC
    assert (audio.language, audio.name, audio.sample_rate) == ("deu", "Ton", 48000)
    assert np.median(video.durations) == 40


@pytest.mark.parametrize(("counter_clockwise", "clockwise"), [(90, 270), (270, 90)])
def test_a_projection_rolls(
    clip: Clip, tmp_path: Path, counter_clockwise: int, clockwise: int
) -> None:
    turned = tmp_path / "turned.mkv"
    before = ["-display_rotation:v:0", str(counter_clockwise)]
    run(*before, "-i", str(clip("h264.mkv")), "-c", "copy", "-y", str(turned))
    assert read_index(FileReader(turned)).tracks[0].rotation == clockwise


def test_a_display_size_is_a_sample_aspect(clip: Clip, tmp_path: Path) -> None:
    wide = tmp_path / "wide.mkv"
    run("-i", str(clip("h264.mkv")), "-c", "copy", "-aspect", "2:1", "-y", str(wide))
    assert read_index(FileReader(wide)).tracks[0].sample_aspect == (3, 2)


def test_large_blocks_are_leapt_over() -> None:
    """Of blocks of 100 kB only the headers are read."""
    data = matroska(
        [track_entry(1)], [cluster(0, *(block(1, n, bytes(100_000)) for n in range(50)))]
    )
    read = []

    class Counting(MemoryReader):
        def read_at(self, start: int, size: int) -> bytes:
            part = super().read_at(start, size)
            read.append(len(part))
            return part

    index = read_index(Counting(data))
    assert len(index.tracks[0].sizes) == 50
    assert sum(read) < len(data) // 10


@pytest.mark.parametrize("lacing", [1, 2, 3])
def test_laces_become_frames_of_their_own(lacing: int) -> None:
    """Xiph, fixed-size and EBML lacing; times advance by the track's default duration."""
    sizes = [300, 300, 300] if lacing == 2 else [300, 5, 1000]
    frames = [bytes([n]) * size for n, size in enumerate(sizes)]
    entry = track_entry(
        1, kind=2, codec=b"A_MPEG/L3", extra=unsigned(ids.DEFAULT_DURATION, 24_000_000)
    )
    data = matroska([entry], [cluster(100, block(1, 0, *frames, lacing=lacing))])
    reader = MemoryReader(data)
    table = read_index(reader).tracks[0]
    assert payload(reader, table) == frames
    assert table.pts.tolist() == [100, 124, 148]


def test_laces_without_a_duration_share_the_time_to_the_next_block() -> None:
    entry = track_entry(1, kind=2, codec=b"A_MPEG/L3")
    blocks = [block(1, n * 40, b"a", b"b", lacing=2) for n in range(3)]
    table = read_index(MemoryReader(matroska([entry], [cluster(0, *blocks)]))).tracks[0]
    assert table.pts.tolist() == [0, 20, 40, 60, 80, 100]


def test_a_block_groups_references_decide_sync() -> None:
    groups = [group(1, 0, b"key", duration=40), group(1, 40, b"other", reference=-40, duration=60)]
    table = read_index(MemoryReader(matroska([track_entry(1)], [cluster(0, *groups)]))).tracks[0]
    assert table.sync.tolist() == [True, False]
    assert table.durations.tolist() == [40, 60]


def test_header_stripping_is_told() -> None:
    """The bytes every frame starts with are the table's prefix."""
    stripped = _encoding(
        element(
            ids.CONTENT_COMPRESSION,
            unsigned(ids.CONTENT_COMP_ALGO, 3),
            element(ids.CONTENT_COMP_SETTINGS, b"\x0b\x77"),
        )
    )
    entry = track_entry(1, kind=2, codec=b"A_AC3", extra=stripped)
    table = read_index(MemoryReader(matroska([entry], [cluster(0, block(1, 0, b"rest"))]))).tracks[
        0
    ]
    assert table.prefix == b"\x0b\x77"


@pytest.mark.parametrize(
    "hidden",
    [
        element(ids.CONTENT_COMPRESSION, unsigned(ids.CONTENT_COMP_ALGO, 0)),
        unsigned(ids.CONTENT_ENCODING_TYPE, 1),
    ],
)
def test_compressed_and_encrypted_tracks_are_left_out(hidden: bytes) -> None:
    entries = [track_entry(1), track_entry(2, kind=2, codec=b"A_AC3", extra=_encoding(hidden))]
    blocks = cluster(0, block(1, 0, b"seen"), block(2, 0, b"hidden"))
    index = read_index(MemoryReader(matroska(entries, [blocks])))
    assert [table.number for table in index.tracks] == [1]
    assert len(index.notes) == 1


def _encoding(inside: bytes) -> bytes:
    return element(ids.CONTENT_ENCODINGS, element(ids.CONTENT_ENCODING, inside))


def test_a_scale_that_no_second_is_made_of_becomes_milliseconds() -> None:
    data = matroska(
        [track_entry(1)], [cluster(0, block(1, 0, b"a"), block(1, 300, b"b"))], scale=333_333
    )
    table = read_index(MemoryReader(data)).tracks[0]
    assert (table.timescale, table.pts.tolist()) == (1000, [0, 100])


def test_a_file_cut_short_ends_at_its_last_whole_block(clip: Clip) -> None:
    whole = clip("h264.mkv").read_bytes()
    index = read_index(MemoryReader(whole[: len(whole) // 2]))
    assert index.truncated_at_s is not None
    assert 0.5 < index.truncated_at_s < 2.5


def test_garbage_is_passed_over(clip: Clip) -> None:
    """Zeros over a piece in the middle cost the samples there, not those after it."""
    whole = bytearray(clip("live.webm").read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 400] = bytes(400)
    index, full = read_index(MemoryReader(bytes(whole))), read_index(FileReader(clip("live.webm")))
    for torn, table in zip(index.tracks, full.tracks, strict=True):
        assert int(torn.pts.max()) == int(table.pts.max())
        assert len(table.pts) * 0.5 < len(torn.pts) <= len(table.pts)


def test_a_second_file_behind_the_first_is_not_mixed_in(clip: Clip) -> None:
    data = clip("vp8.webm").read_bytes()
    once, twice = read_index(MemoryReader(data)), read_index(MemoryReader(data + data))
    assert [len(t.sizes) for t in once.tracks] == [len(t.sizes) for t in twice.tracks]
    assert twice.notes


def test_no_tracks_is_unreadable() -> None:
    with pytest.raises(UnreadableMedia, match="no picture and no sound"):
        read_index(MemoryReader(matroska([], [])))

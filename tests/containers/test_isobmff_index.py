"""Our sample tables of MP4 and MOV say what ffmpeg's demuxer says."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from headwater.containers.isobmff import read_index
from headwater.containers.limits import cut_to_bytes
from headwater.containers.table import SourceIndex, TrackTable
from headwater.model.errors import UnreadableMedia
from tests.containers.boxes import TWO_HOURS, long_movie, movie
from tests.containers.material import (
    ISOBMFF,
    FileReader,
    MemoryReader,
    as_packets,
    packets,
    track_name,
)
from tests.support.clips import run

Clip = Callable[[str], Path]
# ffmpeg shifts a track that has negative composition offsets; only relations can be compared.
SHIFTED = ("negative.mp4", "fragmented_negative.mp4")
CODECS = {
    "moov_last.mp4": ("h264", "aac"),
    "hevc.mp4": ("hevc", "alac"),
    "vp9.mp4": ("vp9", "opus"),
    "raw_sound.mov": ("mjpeg", "pcm_s16le"),
    "deep_sound.mov": ("mpeg4", "pcm_s24be"),
    "prores.mov": ("prores", "pcm_f32le"),
    "ima.mov": ("mpeg4", "adpcm_ima_qt"),
    "ac3.mp4": ("mpeg2video", "ac3"),
    "mp3.mp4": ("mpeg4", "mp3"),
    "flac.mp4": ("mpeg4", "flac"),
    "phone.3gp": ("h263", "aac"),
    "sound.m4a": ("aac",),
}


@pytest.mark.parametrize("name", ISOBMFF)
def test_tables_equal_the_demuxers(clip: Clip, name: str) -> None:
    """Count, times, sync marks, sizes and the very bytes of every sample."""
    reader = FileReader(clip(name))
    index = read_index(reader)

    assert not index.notes
    assert index.truncated_at_s is None
    for table in index.tracks:
        track = track_name(table, index.tracks)
        told = packets(clip(name), track, before=("-ignore_editlist", "1"))
        ours = as_packets(reader, table)
        if name in SHIFTED and table.kind == "video":
            assert [(p.size, p.checksum, p.sync) for p in ours] == [
                (p.size, p.checksum, p.sync) for p in told
            ]
            assert np.all(np.diff([p.pts for p in ours][2:]) == np.diff([p.pts for p in told][2:]))
        else:
            assert ours == told


@pytest.mark.parametrize(("name", "codecs"), CODECS.items())
def test_codecs_have_ffmpegs_names(clip: Clip, name: str, codecs: tuple[str, ...]) -> None:
    tracks = read_index(FileReader(clip(name))).tracks
    assert tuple(track.codec for track in tracks) == codecs


def test_only_headers_and_the_index_are_read(clip: Clip) -> None:
    """A moov at the end costs the boxes before it one small read each, never the media."""
    reader = FileReader(clip("moov_last.mp4"))
    read_index(reader)
    assert len(reader.reads) <= 3
    assert all(size <= 16_384 for _, size in reader.reads)


def test_what_a_track_says_of_itself(clip: Clip) -> None:
    video, audio = read_index(FileReader(clip("moov_first.mp4"))).tracks
    assert (video.width, video.height, video.rotation) == (160, 120, 0)
    assert (audio.channels, audio.sample_rate, audio.timescale) == (1, 48000, 48000)
    assert video.config[:1] == b"\x01"  # an avcC
    assert len(audio.config) >= 2


def test_an_edit_list_is_told_and_not_applied(clip: Clip, tmp_path: Path) -> None:
    """Cut at 1.3 s by copying: the samples before stay, the edit hides them."""
    cut = tmp_path / "cut.mp4"
    run("-ss", "1.3", "-i", str(clip("moov_first.mp4")), "-c", "copy", "-y", str(cut))
    video, audio = read_index(FileReader(cut)).tracks
    assert video.edits[0].media_time is not None
    assert video.edits[0].media_time > 0
    assert audio.edits


def test_an_empty_edit_delays_a_track(clip: Clip, tmp_path: Path) -> None:
    source, late = str(clip("moov_first.mp4")), tmp_path / "late.mp4"
    run("-i", source, "-itsoffset", "1", "-i", source, *_map_two(), "-y", str(late))
    audio = next(t for t in read_index(FileReader(late)).tracks if t.kind == "audio")
    assert audio.edits[0].media_time is None
    assert abs((audio.edits[0].duration or 0) - audio.timescale) <= audio.timescale // 20


def _map_two() -> list[str]:
    return ["-map", "0:v", "-map", "1:a", "-c", "copy"]


@pytest.mark.parametrize(("counter_clockwise", "clockwise"), [(90, 270), (180, 180), (270, 90)])
def test_a_phones_rotation(
    clip: Clip, tmp_path: Path, counter_clockwise: int, clockwise: int
) -> None:
    turned = tmp_path / "turned.mov"
    before = ["-display_rotation:v:0", str(counter_clockwise)]
    run(*before, "-i", str(clip("moov_first.mp4")), "-c", "copy", "-y", str(turned))
    assert read_index(FileReader(turned)).tracks[0].rotation == clockwise


def test_languages_names_and_aspect(clip: Clip, tmp_path: Path) -> None:
    path = tmp_path / "told.mp4"
    source = str(clip("moov_first.mp4"))
    told = ["-metadata:s:a:0", "language=deu", "-metadata:s:a:0", "handler_name=Kommentar"]
    run("-i", source, "-c", "copy", "-aspect", "2:1", *told, "-y", str(path))
    video, audio = read_index(FileReader(path)).tracks
    assert (audio.language, audio.name) == ("deu", "Kommentar")
    assert video.name == ""  # a muxer's own word is nobody's name
    assert video.sample_aspect == (3, 2)


def test_wide_boxes_and_offsets() -> None:
    """64-bit box sizes, co64 and 4-bit sizes mean what their short forms mean."""
    plain = read_index(MemoryReader(movie())).tracks[0]
    for other in (movie(wide=True), movie(co64=True), movie(small_sizes=True)):
        table = read_index(MemoryReader(other)).tracks[0]
        assert table.sizes.tolist() == plain.sizes.tolist()
        assert table.pts.tolist() == plain.pts.tolist()
        assert len(set((table.offsets - plain.offsets).tolist())) == 1


def test_several_sample_entries() -> None:
    """Each sample knows which codec description it belongs to."""
    table = read_index(MemoryReader(movie(entries=2))).tracks[0]
    assert table.descriptions == 2
    assert table.entries is not None
    assert table.entries.tolist() == [0, 0, 1, 1]


def test_a_file_cut_short_ends_at_its_last_whole_sample(clip: Clip) -> None:
    whole = clip("moov_first.mp4").read_bytes()
    cut = MemoryReader(whole[: len(whole) * 2 // 3])
    full, index = read_index(MemoryReader(whole)), read_index(cut)
    assert index.truncated_at_s is not None
    assert 1 < index.truncated_at_s < 3
    for before, after in zip(full.tracks, index.tracks, strict=True):
        assert 0 < len(after.sizes) < len(before.sizes)
        assert int((after.offsets + after.sizes).max()) <= cut.size
        following = len(after.sizes)
        assert int(before.offsets[following] + before.sizes[following]) > cut.size


def test_what_stops_together_is_said_once(clip: Clip) -> None:
    """The index says where the bytes end; a track is named only if it ends well before the rest."""
    whole = clip("moov_first.mp4").read_bytes()
    assert read_index(MemoryReader(whole[: len(whole) * 2 // 3])).notes == ()

    both = read_index(FileReader(clip("moov_first.mp4")))
    picture = next(table for table in both.tracks if table.kind == "video")
    beyond = (np.arange(len(picture.sizes)) >= len(picture.sizes) // 2) * len(whole)
    halved = replace(picture, offsets=picture.offsets + beyond)
    tables = (halved, *(table for table in both.tracks if table is not picture))
    index = SourceIndex(family="isobmff", tracks=tables)
    (note,) = cut_to_bytes(index, len(whole)).notes
    assert re.fullmatch(r"The picture stops after \d\.\d s\.", note)


def test_a_torn_fragment_is_left_out(clip: Clip) -> None:
    whole = clip("fragmented.mp4").read_bytes()
    last = whole.rindex(b"moof") - 4
    index = read_index(MemoryReader(whole[: last + 40]))
    full = read_index(MemoryReader(whole))
    assert 0 < len(index.tracks[0].sizes) < len(full.tracks[0].sizes)
    assert index.truncated_at_s is not None


def test_a_damaged_fragment_is_passed_over(clip: Clip) -> None:
    """Its neighbours keep their times: each fragment says when it begins."""
    whole = bytearray(clip("fragmented.mp4").read_bytes())
    second = whole.index(b"tfhd", whole.index(b"moof", whole.index(b"mdat")))
    whole[second : second + 4] = b"????"
    index, full = (
        read_index(MemoryReader(bytes(whole))),
        read_index(FileReader(clip("fragmented.mp4"))),
    )
    assert len(index.notes) == 1
    torn, table = index.tracks[0], full.tracks[0]
    assert set(torn.pts.tolist()) < set(table.pts.tolist())
    assert int(torn.pts.max()) == int(table.pts.max())


def test_a_lost_index_is_said(clip: Clip) -> None:
    whole = clip("moov_last.mp4").read_bytes()
    with pytest.raises(UnreadableMedia, match="no index"):
        read_index(MemoryReader(whole[: whole.rindex(b"moov") - 4]))


def test_a_protected_track_is_said(clip: Clip) -> None:
    data = clip("moov_first.mp4").read_bytes()
    index = read_index(MemoryReader(data.replace(b"mp4a", b"enca")))
    assert [table.kind for table in index.tracks] == ["video"]
    assert "protected" in index.notes[0]
    with pytest.raises(UnreadableMedia, match="protected"):
        read_index(MemoryReader(data.replace(b"mp4a", b"enca").replace(b"avc1", b"encv")))


def test_a_compressed_index_is_refused() -> None:
    data = movie().replace(b"mvhd", b"cmov", 1)
    with pytest.raises(UnreadableMedia, match="compressed"):
        read_index(MemoryReader(data))


def test_two_hours_are_indexed_in_a_quarter_second() -> None:
    """216 000 pictures with B-frames, 337 500 frames of sound; the best of five on a busy box."""
    reader = MemoryReader(long_movie(), size=1 << 40)
    spent: list[float] = []
    tables: tuple[TrackTable, ...] = ()
    for _ in range(5):
        began = time.perf_counter()
        tables = read_index(reader).tracks
        spent.append(time.perf_counter() - began)
    assert [len(table.sizes) for table in tables] == TWO_HOURS
    assert min(spent) < 0.25

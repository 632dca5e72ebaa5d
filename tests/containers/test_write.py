"""Our CMAF of copied samples decodes to the source, and says of itself what CMAF asks."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from headwater.containers import index_blob, isobmff
from headwater.containers.isobmff import fragments, write
from headwater.containers.isobmff.boxes import by_kind, children, unpack
from headwater.containers.table import TrackTable
from headwater.model.plan import Colour
from tests.containers.material import (
    FileReader,
    MemoryReader,
    checksum,
    frames,
    groups_of_pictures,
    packets,
    payload,
)
from tests.support.clips import run

Clip = Callable[[str], Path]
BT709 = Colour(range="tv", space="bt709", primaries="bt709", transfer="bt709")


def copied_video(reader: FileReader, table: TrackTable) -> list[bytes]:
    """Return init and one segment per group of pictures; decode times are the sorted pts."""
    decode = np.sort(table.pts)
    durations = np.append(np.diff(decode), table.durations[-1])
    parts = [
        write.video_init(
            width=table.width,
            height=table.height,
            timescale=table.timescale,
            avcc=table.config,
            sample_aspect=(4, 3),
            colour=BT709,
        )
    ]
    for number, (lo, hi) in enumerate(groups_of_pictures(table)):
        part = index_blob.slice_table(table, lo, hi)
        samples = zip(
            durations[lo:hi].tolist(),
            (part.pts - decode[lo:hi]).tolist(),
            part.sync.tolist(),
            part.sizes.tolist(),
            strict=True,
        )
        parts.append(
            write.segment(
                sequence=number + 1,
                decode_time=int(decode[lo]),
                samples=list(samples),
                payload=payload(reader, part),
            )
        )
    return parts


def copied_audio(reader: FileReader, table: TrackTable, *, language: str = "deu") -> bytes:
    data = payload(reader, table)
    init = write.audio_init(
        sample_rate=table.sample_rate,
        channels=table.channels,
        asc=table.config,
        language=language,
        bitrate=64_000,
    )
    pieces = [data[at : at + 40] for at in range(0, len(data), 40)]
    return init + b"".join(
        write.segment(
            sequence=number + 1,
            decode_time=number * 40 * 1024,
            samples=[(1024, 0, True, len(frame)) for frame in piece],
            payload=piece,
        )
        for number, piece in enumerate(pieces)
    )


@pytest.mark.parametrize("name", ["moov_first.mp4", "fragmented.mp4"])
def test_copied_pictures_decode_the_same(clip: Clip, name: str) -> None:
    reader = FileReader(clip(name))
    table = isobmff.read_index(reader).tracks[0]
    body = b"".join(copied_video(reader, table))
    told = frames(clip(name), "0:v:0", before=("-ignore_editlist", "1"))
    assert frames(body, "0:v:0") == told


def test_copied_sound_is_the_same_bytes(clip: Clip) -> None:
    reader = FileReader(clip("sound.m4a"))
    table = isobmff.read_index(reader).tracks[0]
    told = packets(copied_audio(reader, table), "0:a:0")
    assert [p.checksum for p in told] == [checksum(data) for data in payload(reader, table)]
    assert [p.pts for p in told] == [1024 * n for n in range(len(told))]


def test_what_was_written_reads_back_exactly(clip: Clip) -> None:
    """Presentation times, signed offsets included, sync marks, bytes and setup."""
    reader = FileReader(clip("moov_first.mp4"))
    video, audio = isobmff.read_index(reader).tracks
    config, timescale, samples = fragments.read_encoded(b"".join(copied_video(reader, video)))
    assert (config, timescale) == (video.config, video.timescale)
    told = zip(video.pts.tolist(), video.sync.tolist(), payload(reader, video), strict=True)
    assert samples == list(told)

    again = isobmff.read_index(MemoryReader(copied_audio(reader, audio))).tracks[0]
    assert (again.config, again.language, again.channels) == (audio.config, "deu", audio.channels)


def test_a_tag_of_more_than_three_letters_is_kept(clip: Clip) -> None:
    reader = FileReader(clip("sound.m4a"))
    body = copied_audio(reader, isobmff.read_index(reader).tracks[0], language="zh-Hant")
    assert isobmff.read_index(MemoryReader(body)).tracks[0].language == "zh-Hant"


def test_an_init_says_shape_and_colour(clip: Clip) -> None:
    """pasp, nclx colr, one trex, no edit list; cmfc leads the brands (ISO/IEC 23000-19 §7.2)."""
    reader = FileReader(clip("moov_first.mp4"))
    init = memoryview(copied_video(reader, isobmff.read_index(reader).tracks[0])[0])
    boxes = by_kind(init)
    assert bytes(boxes[b"ftyp"][:4]) == b"cmfc"
    assert b"iso6" in bytes(boxes[b"ftyp"])
    trak = by_kind(by_kind(boxes[b"moov"])[b"trak"])
    assert b"edts" not in trak
    assert b"trex" in by_kind(by_kind(boxes[b"moov"])[b"mvex"])
    stbl = by_kind(by_kind(by_kind(trak[b"mdia"])[b"minf"])[b"stbl"])
    entry = next(iter(children(stbl[b"stsd"][8:])))
    inside = by_kind(entry.body[78:])
    assert unpack(">II", inside[b"pasp"]) == (4, 3)
    assert bytes(inside[b"colr"]) == b"nclx\x00\x01\x00\x01\x00\x01\x00"
    assert unpack(">II", trak[b"tkhd"], 76) == (160 * 4 * 0x10000 // 3, 120 << 16)


def test_the_same_arguments_give_the_same_bytes() -> None:
    arguments = {"sequence": 1, "decode_time": 90_000, "payload": [b"ab", b"c"]}
    samples = [(10, 0, True, 2), (12, -3, False, 1)]
    one, two = (write.segment(samples=samples, **arguments) for _ in range(2))  # type: ignore[arg-type]
    assert one == two
    assert one.startswith(write.STYP)


@pytest.mark.parametrize(
    "samples",
    [
        [(10, 0, True, 1)],
        [(10, 0, True, 1), (10, 0, False, 2), (10, 0, False, 3)],
        [(10, 0, True, 1), (10, 5, False, 2), (11, -5, True, 3), (9, 0, False, 0)],
        [(10, 0, False, 1), (10, 0, True, 2)],
    ],
)
def test_every_shape_of_a_run_reads_back(samples: list[tuple[int, int, bool, int]]) -> None:
    init = write.video_init(width=16, height=16, timescale=1000, avcc=b"\x01d\0\x1f\xff\xe0\0")
    data = [bytes([n]) * size for n, (_, _, _, size) in enumerate(samples)]
    body = init + write.segment(sequence=7, decode_time=1 << 33, samples=samples, payload=data)
    table = isobmff.read_index(MemoryReader(body)).tracks[0]
    assert table.durations.tolist() == [duration for duration, _, _, _ in samples]
    assert (table.pts - table.dts).tolist() == [offset for _, offset, _, _ in samples]
    assert int(table.dts[0]) == 1 << 33
    assert table.sync.tolist() == [mark for _, _, mark, _ in samples]
    assert payload(MemoryReader(body), table) == data


def test_a_codecs_output_is_read_from_memory(clip: Clip) -> None:
    """What ffmpeg writes to a pipe, several fragments, one torn at the end."""
    flags = "+cmaf+empty_moov+default_base_moof+skip_trailer+negative_cts_offsets+frag_keyframe"
    arguments = ["-map", "0:v", "-c", "copy", "-movflags", flags, "-use_editlist", "0"]
    source = str(clip("moov_first.mp4"))
    piped = run("-i", source, *arguments, "-f", "mp4", "pipe:1")
    config, timescale, samples = fragments.read_encoded(piped)
    table = isobmff.read_index(FileReader(clip("moov_first.mp4"))).tracks[0]
    assert config == table.config
    assert timescale == table.timescale
    assert [data for _, _, data in samples] == payload(FileReader(clip("moov_first.mp4")), table)
    assert [sync for _, sync, _ in samples] == table.sync.tolist()
    assert len({pts - told for (pts, _, _), told in zip(samples, table.pts, strict=True)}) == 1

    torn = fragments.read_encoded(piped[: len(piped) - 100])[2]
    assert samples[: len(torn)] == torn
    assert len(torn) < len(samples)

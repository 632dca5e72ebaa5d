"""H.264 and AAC setups are read for what they are; damage in them is no surprise."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.containers import aac, h264, isobmff
from tests.containers.material import H264, PICTURES, SOUND, FileReader, payload
from tests.support.clips import run

Clip = Callable[[str], Path]


def avcc_of(tmp_path: Path, *arguments: str) -> bytes:
    path = tmp_path / "clip.mp4"
    run(*PICTURES, "-t", "0.2", *H264, *arguments, "-y", str(path))
    return isobmff.read_index(FileReader(path)).tracks[0].config


def test_a_plain_picture(tmp_path: Path) -> None:
    sps = h264.first_sps(avcc_of(tmp_path, "-level", "3.1", "-profile:v", "main"))
    assert sps is not None
    assert (sps.profile, sps.level, sps.chroma, sps.bit_depth) == (77, 31, 1, 8)
    assert (sps.width, sps.height, sps.progressive) == (160, 120, True)
    assert sps.reorder == 2


def test_colour_and_shape(tmp_path: Path) -> None:
    colours = "colorprim=bt709:transfer=bt709:colormatrix=bt709:fullrange=on"
    arguments = ["-vf", "setsar=4/3", "-x264-params", colours]
    sps = h264.first_sps(avcc_of(tmp_path, *arguments))
    assert sps is not None
    assert (sps.primaries, sps.transfer, sps.matrix, sps.full_range) == (1, 1, 1, True)
    assert sps.sample_aspect == (4, 3)


@pytest.mark.parametrize(
    ("pixels", "chroma", "depth"), [("yuv444p", 3, 8), ("yuv420p10le", 1, 10), ("yuv422p", 2, 8)]
)
def test_high_formats(tmp_path: Path, pixels: str, chroma: int, depth: int) -> None:
    sps = h264.first_sps(avcc_of(tmp_path, "-pix_fmt", pixels))
    assert sps is not None
    assert (sps.chroma, sps.bit_depth) == (chroma, depth)


def test_interlaced_and_cropped(tmp_path: Path) -> None:
    arguments = ["-vf", "crop=150:100", "-flags", "+ilme+ildct", "-x264-params", "tff=1"]
    sps = h264.first_sps(avcc_of(tmp_path, *arguments))
    assert sps is not None
    assert not sps.progressive
    assert (sps.width, sps.height) == (150, 100)


def test_parameters_in_the_stream_are_noticed(clip: Clip, tmp_path: Path) -> None:
    """The same ones repeated are harmless, others are not."""
    reader = FileReader(clip("moov_first.mp4"))
    table = isobmff.read_index(reader).tracks[0]
    samples = payload(reader, table)
    avcc = h264.parse_avcc(table.config)
    assert avcc is not None
    assert not h264.carries_other_parameters(table.config, samples)

    def prefixed(unit: bytes) -> list[bytes]:
        return [len(unit).to_bytes(avcc.length_bytes, "big") + unit + samples[0], *samples[1:]]

    assert not h264.carries_other_parameters(table.config, prefixed(avcc.sps[0]))
    assert h264.carries_other_parameters(table.config, prefixed(avcc.sps[0][:-1] + b"\x55"))
    other = h264.parse_avcc(avcc_of(tmp_path, "-pix_fmt", "yuv444p"))
    assert other is not None
    assert h264.carries_other_parameters(table.config, prefixed(other.pps[0]))


def test_a_track_without_its_own_header_cannot_be_copied() -> None:
    assert h264.carries_other_parameters(b"", [b"\0\0\0\1\x67"])


def test_start_codes_separate_units(tmp_path: Path) -> None:
    path = tmp_path / "clip.h264"
    run(*PICTURES, "-t", "0.2", *H264, "-y", str(path))
    kinds = [unit[0] & 31 for unit in h264.annexb_units(path.read_bytes())]
    assert kinds[:2] == [h264.SPS_UNIT, h264.PPS_UNIT]
    assert 5 in kinds


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_a_setup_or_none(data: bytes) -> None:
    config = b"\x01d\0\x1f\xff\xe1\0\x05gd\0\x1f\xac\x01\0\x01h"

    assert isinstance(h264.parse_sps(b"\x67" + data), h264.Sps | None)
    assert isinstance(h264.parse_avcc(b"\x01" + data), h264.AvcConfig | None)
    assert isinstance(aac.parse(data), aac.AacConfig | None)
    assert h264.carries_other_parameters(config, [data]) in (True, False)


def test_plain_aac(tmp_path: Path) -> None:
    for channels, rate in ((1, 44100), (2, 48000), (6, 32000)):
        path = tmp_path / f"{channels}.m4a"
        run(*SOUND, "-t", "0.2", "-c:a", "aac", "-ac", str(channels), "-ar", str(rate), str(path))
        told = aac.parse(isobmff.read_index(FileReader(path)).tracks[0].config)
        assert told is not None
        assert told.is_plain_lc
        assert (told.channels, told.sample_rate) == (channels, rate)


@pytest.mark.parametrize(
    ("config", "object_type", "core_rate", "rate", "channels", "extended"),
    [
        ("1190", 2, 48000, 48000, 2, False),
        ("139056e5a0", 2, 22050, 44100, 2, True),  # LC with SBR signalled behind it
        ("2b118800", 2, 24000, 48000, 2, True),  # SBR signalled first
        ("eb098800", 2, 24000, 48000, 2, True),  # parametric stereo on one channel
        ("f9464000", 42, 48000, 48000, 2, False),  # xHE-AAC
    ],
)
def test_what_stands_on_top_of_aac(
    config: str, object_type: int, core_rate: int, rate: int, channels: int, *, extended: bool
) -> None:
    told = aac.parse(bytes.fromhex(config))
    assert told is not None
    assert (told.object_type, told.core_rate, told.sample_rate) == (object_type, core_rate, rate)
    assert (told.channels, told.extended, told.is_plain_lc) == (
        channels,
        extended,
        object_type == 2 and not extended,
    )

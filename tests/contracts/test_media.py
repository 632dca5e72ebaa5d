"""Every Media adapter keeps every promise of engines/media/port.py."""

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from headwater.engines.media.ffmpeg import FfmpegMedia
from headwater.engines.media.port import Encoded, EncodedSample, Media, Window
from headwater.model.errors import CodecFailed, UnreadableMedia
from headwater.model.look import Look
from headwater.model.plan import Colour
from tests.support.clips import FFMPEG, make_clip, run
from tests.support.windows import Track, rendition, rung

pytestmark = pytest.mark.anyio

Sound = npt.NDArray[np.float64]
START = b"\0\0\0\1"


@pytest.fixture(scope="module", params=["ffmpeg"])
async def media(request: pytest.FixtureRequest) -> Media:
    assert request.param == "ffmpeg"
    return await FfmpegMedia.open(FFMPEG)


def decode_pictures(
    encoded: Encoded, width: int, height: int, *, pixels: str = "yuv420p"
) -> list[bytes]:
    """Decode *encoded* on its own and return its raw pictures, as a player shows them."""
    stream = parameter_sets(encoded.config)
    for sample in encoded.samples:
        stream += annex_b(sample.data)
    raw = ["-pix_fmt", pixels, "-f", "rawvideo", "-"]
    done = subprocess.run(
        [FFMPEG, "-loglevel", "error", "-f", "h264", "-i", "-", *raw],
        input=stream,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == b""
    size = width * height * {"yuv420p": 3, "rgb24": 6}[pixels] // 2
    return [done.stdout[at : at + size] for at in range(0, len(done.stdout), size)]


def annex_b(sample: bytes) -> bytes:
    parts = b""
    while sample:
        size = int.from_bytes(sample[:4], "big")
        parts, sample = parts + START + sample[4 : 4 + size], sample[4 + size :]
    return parts


def parameter_sets(avcc: bytes) -> bytes:
    """ISO/IEC 14496-15 §5.3.3.1: one SPS, then one PPS, each after its length."""
    sps_size = int.from_bytes(avcc[6:8], "big")
    sps, rest = avcc[8 : 8 + sps_size], avcc[8 + sps_size :]
    return START + sps + START + rest[3 : 3 + int.from_bytes(rest[1:3], "big")]


def decode_sound(samples: list[EncodedSample], *, rate: int, channels: int) -> Sound:
    """Decode raw AAC frames, wrapped in ADTS, to samples in 16-bit steps."""
    rates = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000]
    stream = b""
    for sample in samples:
        size = len(sample.data) + 7
        head = 0xFFF1 << 40 | 1 << 38 | rates.index(rate) << 34 | channels << 30
        stream += (head | size << 13 | 0x7FF << 2).to_bytes(7, "big") + sample.data
    command = [FFMPEG, "-loglevel", "error", "-f", "aac", "-i", "-", "-f", "s16le", "-"]
    done = subprocess.run(command, input=stream, capture_output=True, check=True, timeout=60)
    return np.frombuffer(done.stdout, np.int16).astype(float).reshape(-1, channels)


def rms(values: Sound) -> float:
    return float(np.sqrt(np.mean(values**2))) if len(values) else 0.0


@pytest.mark.parametrize(
    "name",
    ["h264_moov_last", "h264_vfr", "h264_23976", "h264_120fps", "vp9_webm", "h264_open_gop"],
)
async def test_frames_keep_their_exact_ticks(name: str, media: Media, clips: Path) -> None:
    """Every frame presented in the window comes out at the tick at which it went in."""
    track = Track.of(make_clip(name, clips), "video")
    small = rung(120)
    times = sorted(track.table.pts.tolist())
    start, stop = times[0], times[-1] + 1

    made = await media.encode_video(
        track.window(), video=track.plan(small), start=start, stop=stop, rungs=[small], urgent=True
    )

    assert sorted(sample.pts for sample in made["v120"].samples) == times
    assert made["v120"].errors == []


async def test_a_window_is_trimmed_to_its_segment(media: Media, clips: Path) -> None:
    """Frames before start and from stop on are decoded and dropped; the first one is an IDR."""
    track = Track.of(make_clip("h264_one_keyframe", clips), "video")
    small = rung(120)
    times = sorted(track.table.pts.tolist())
    start, stop = times[70], times[100]

    made = await media.encode_video(
        track.window(0, 110),
        video=track.plan(small),
        start=start,
        stop=stop,
        rungs=[small],
        urgent=False,
    )

    samples = made["v120"].samples
    assert sorted(sample.pts for sample in samples) == times[70:100]
    assert [sample.sync for sample in samples] == [True] + [False] * 29
    assert samples[0].pts == start
    assert samples[0].data[4] & 0x1F == 5  # the first unit is an IDR slice: no SEI before it
    assert len(decode_pictures(made["v120"], 160, 120)) == 30


@contextmanager
def one_core() -> Iterator[None]:
    """Let whatever is started within see and use one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


async def test_bytes_do_not_depend_on_what_is_made_beside(media: Media, clips: Path) -> None:
    """A rung made alone, with all rungs, urgent or not, on one core or two: the same bytes."""
    track = Track.of(make_clip("h264_moov_last", clips), "video")
    rungs = [rung(90, step=2), rung(120), rung(180)]
    window, plan = track.window(0, 60), track.plan(*rungs)
    span = {"start": 0, "stop": int(track.table.pts[:60].max()) + 1}
    times = sorted(track.table.pts[:60].tolist())

    whole = await media.encode_video(window, video=plan, rungs=rungs, urgent=True, **span)
    others = [rungs[2], rungs[0]]
    some = await media.encode_video(window, video=plan, rungs=others, urgent=False, **span)
    with one_core():
        alone = await media.encode_video(window, video=plan, rungs=rungs[:1], urgent=True, **span)

    assert some == {key: whole[key] for key in ("v180", "v90")}
    assert alone == {"v90": whole["v90"]}
    assert sorted(sample.pts for sample in whole["v90"].samples) == times[::2]


async def test_a_blank_picture_has_the_config_of_every_segment(media: Media, clips: Path) -> None:
    """So that one init serves all segments, whatever they show."""
    calm = Track.of(make_clip("h264_moov_last", clips), "video")
    wild = Track.of(make_clip("h264_vfr", clips), "video")
    small = rung(120)

    blank = await media.blank_video(video=calm.plan(small), rung=small)

    assert len(blank.samples) == 1
    assert blank.samples[0].sync
    assert len(decode_pictures(blank, 160, 120)) == 1
    for track in (calm, wild):
        first = int(track.table.pts.min())
        made = await media.encode_video(
            track.window(0, 40),
            video=track.plan(small),
            start=first,
            stop=first + track.table.timescale,
            rungs=[small],
            urgent=True,
        )
        assert made["v120"].config == blank.config
        assert made["v120"].config[1] == 100  # High
        assert made["v120"].config[3] == 31


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m", "bt470bg", "smpte240m", "bt2020nc", ""])
async def test_colours_stay_what_they_are(matrix: str, media: Media, tmp_path: Path) -> None:
    """Whatever matrix the source is in, and whether it is kept: a player shows the same colour."""
    clip = tmp_path / "colour.mp4"
    named = {"bt2020nc": "bt2020", "": "smpte170m"}.get(matrix, matrix)  # this small: BT.601
    turned = f"scale=out_color_matrix={named}:out_range=tv,format=yuv420p"
    told = f"setparams=colorspace={matrix or 'unknown'}:range=tv"
    drawn = f"color=0xC02050:s=160x120:d=0.1,format=gbrp,{turned},{told}"
    run("-f", "lavfi", "-i", drawn, "-c:v", "libx264", "-qp", "4", str(clip))
    track = Track.of(clip, "video")
    look = await media.look(track.window(), kind="video")
    small = rung(120)
    plan = track.plan(small, colour=look.colour)

    made = await media.encode_video(
        track.window(), video=plan, start=0, stop=track.table.timescale, rungs=[small], urgent=True
    )

    assert look.colour.space == (matrix or "unknown")
    assert plan.encoded_colour.space == (
        {"": "smpte170m", "smpte240m": "bt709", "bt2020nc": "bt709"}.get(matrix, matrix)
    )
    shown = np.frombuffer(decode_pictures(made["v120"], 160, 120, pixels="rgb24")[0], np.uint8)
    assert np.abs(shown.reshape(-1, 3).mean(0) - (0xC0, 0x20, 0x50)).max() < 8  # a wrong matrix: 20


@pytest.mark.parametrize("degrees", [90, 180, 270])
async def test_pictures_are_turned_upright(degrees: int, media: Media, tmp_path: Path) -> None:
    """A corner that is bright in the coded picture ends where a clockwise turn brings it."""
    clip = tmp_path / "corner.mp4"
    box = "drawbox=x=0:y=0:w=80:h=60:color=white:t=fill"
    run("-f", "lavfi", "-i", f"color=black:s=160x120:d=0.2,{box}", "-c:v", "libx264", str(clip))
    track = Track.of(clip, "video")
    small = rung(120) if degrees == 180 else rung(160, 120)

    made = await media.encode_video(
        track.window(),
        video=track.plan(small, rotation=degrees),
        start=0,
        stop=track.table.timescale,
        rungs=[small],
        urgent=True,
    )

    picture = decode_pictures(made[small.id], small.width, small.height)[0]
    luma = np.frombuffer(picture[: small.width * small.height], np.uint8)
    bright = luma.reshape(small.height, small.width) > 128
    top, left = bright[: small.height // 2].mean() > 0.3, bright[:, : small.width // 2].mean() > 0.3
    assert (top, left) == {90: (True, False), 180: (False, False), 270: (False, True)}[degrees]


async def test_deep_and_interlaced_sources_become_plain_video(media: Media, clips: Path) -> None:
    """HDR is tone-mapped, 10 bits and 4:4:4 become 8 bits 4:2:0, fields become frames."""
    cases = [
        ("hevc_hdr", {"tone_map": True, "colour": Colour("tv", "bt2020nc", "bt2020", "smpte2084")}),
        ("h264_444", {}),
        ("h264_10bit", {}),
        ("h264_moov_last", {"interlaced": True}),
    ]
    small = rung(120)
    for name, changes in cases:
        track = Track.of(make_clip(name, clips), "video")
        times = sorted(track.table.pts[:10].tolist())[:5]
        plan = track.plan(small, **changes)

        made = await media.encode_video(
            track.window(0, 10),
            video=plan,
            start=times[0],
            stop=times[-1] + 1,
            rungs=[small],
            urgent=True,
        )

        assert sorted(sample.pts for sample in made["v120"].samples) == times, name
        assert made["v120"].config == (await media.blank_video(video=plan, rung=small)).config
        assert len(decode_pictures(made["v120"], 160, 120)) == 5


async def test_damage_is_told_and_what_is_sound_is_kept(media: Media, clips: Path) -> None:
    """Nonsense among the samples costs frames, never the run; with none decodable none come."""
    track = Track.of(make_clip("h264_moov_last", clips), "video")
    small = rung(120)
    span = {"start": 0, "stop": 2 * track.table.timescale, "rungs": [small], "urgent": True}

    spoiled = await media.encode_video(
        track.window(0, 60, spoiled=range(1, 60, 2)), video=track.plan(small), **span
    )
    nothing = await media.encode_video(
        track.window(1, 2, spoiled=(0,)), video=track.plan(small), **span
    )
    empty = Window(demuxer="mov", body=b"\0" * 64, base=0, timescale=1000)
    hollow = await media.encode_video(empty, video=track.plan(small), **span)

    assert spoiled["v120"].samples
    assert spoiled["v120"].errors
    assert not any("0x" in line for line in spoiled["v120"].errors), spoiled["v120"].errors
    assert len(nothing["v120"].samples) <= 1
    assert hollow["v120"].samples == []


async def test_decoding_complains_of_damage_alone(media: Media, clips: Path) -> None:
    track = Track.of(make_clip("h264_moov_last", clips), "video")

    assert await media.decode(track.window(0, 60), urgent=True) == []
    for spoiled in (range(1, 60, 2), [59], range(60)):
        complaints = await media.decode(track.window(0, 60, spoiled=spoiled), urgent=False)
        assert complaints
        assert not any("0x" in line for line in complaints), complaints


async def test_a_decoder_nobody_needs_is_not_opened(media: Media, tmp_path: Path) -> None:
    """A rare codec in a common container is told to be undecodable, however sound it is."""
    clip = tmp_path / "rare.mov"
    run("-f", "lavfi", "-i", "testsrc2=s=64x48:d=0.2", "-c:v", "magicyuv", str(clip))

    with pytest.raises(UnreadableMedia):
        await media.look(Track.of(clip, "video").window(), kind="video")


async def test_a_failing_codec_is_no_damage(media: Media, clips: Path) -> None:
    """What is wrong with the encoder or the machine is never taken for a hole in the source."""
    track = Track.of(make_clip("h264_moov_last", clips), "video")
    odd = rung(121, 161)  # no encoder takes odd sides at 4:2:0

    with pytest.raises(CodecFailed):
        await media.encode_video(
            track.window(0, 10),
            video=track.plan(odd),
            start=0,
            stop=10_000,
            rungs=[odd],
            urgent=True,
        )


async def test_a_look_tells_what_is_decoded(media: Media, clips: Path) -> None:
    """Size, aspect, format, colours, interlacing, channels and rate, from pictures and sound."""

    async def look(name: str, kind: str) -> Look:
        track = Track.of(make_clip(name, clips), kind)
        return await media.look(track.window(0, 12), kind=kind)

    plain = await look("h264_anamorphic", "video")
    assert (plain.width, plain.height, plain.sample_aspect) == (320, 240, (4, 3))
    assert (plain.pixel_format, plain.interlaced) == ("yuv420p", False)
    deep = await look("hevc_hdr", "video")
    assert deep.pixel_format == "yuv420p10le"
    assert (deep.colour.space, deep.colour.transfer) == ("bt2020nc", "smpte2084")
    sound = await look("vp9_webm", "audio")
    assert (sound.channels, sound.sample_rate) == (1, 48_000)


async def test_a_look_at_nonsense_is_unreadable(media: Media, clips: Path) -> None:
    track = Track.of(make_clip("h264_moov_last", clips), "audio")
    nothing = Window(demuxer="mov", body=b"\xff" * 4096, base=0, timescale=1000)

    with pytest.raises(UnreadableMedia):
        await media.look(nothing, kind="video")
    with pytest.raises(UnreadableMedia):
        await media.look(track.window(), kind="video")


def tones(path: Path, *, rate: int, channels: int, codec: list[str]) -> Sound:
    """Write 10 s of chords to *path* and return them as decoded from it, in 16-bit steps."""
    wave = "+".join(f"0.08*sin(2*PI*{f}*t+{f})" for f in (220, 277.2, 331, 554, 1103, 2207))
    source = f"aevalsrc={'|'.join([wave] * channels)}:s={rate}:d=10"
    run("-f", "lavfi", "-i", source, *codec, str(path))
    done = run("-i", str(path), "-map", "0:a", "-f", "s16le", "-")
    return np.frombuffer(done, np.int16).astype(float).reshape(-1, channels)


@pytest.mark.parametrize(
    ("rate", "channels", "extension", "codec"),
    [
        (48_000, 2, "mov", ["-c:a", "pcm_s16le"]),
        (44_100, 1, "mov", ["-c:a", "pcm_s16le"]),
        (44_100, 2, "mp4", ["-c:a", "aac", "-b:a", "192k", "-use_editlist", "0"]),
    ],
)
async def test_sound_made_in_pieces_has_no_seam(
    rate: int, channels: int, extension: str, codec: list[str], media: Media, tmp_path: Path
) -> None:
    """Pieces of 4 s, joined and decoded, are as near to the source at the joins as elsewhere."""
    path = tmp_path / f"tones.{extension}"
    truth = tones(path, rate=rate, channels=channels, codec=codec)
    track = Track.of(path, "audio")
    target = rendition(channels=channels, sample_rate=rate)
    cut = 4 * rate // 1024 * 1024
    cuts = [0, cut, 2 * cut, len(truth) // 1024 * 1024]
    pieces: list[EncodedSample] = []

    for start, stop in pairwise(cuts):
        ticks = track.table.pts
        lo = max(0, int(np.searchsorted(ticks, start - 12 * 1024)) - 1)
        hi = int(np.searchsorted(ticks, stop + 3 * 1024)) + 1
        made = await media.encode_audio(
            track.window(lo, hi),
            rendition=target,
            at=int(ticks[lo]),
            start=start,
            stop=stop,
            urgent=True,
        )
        assert [sample.pts for sample in made.samples] == list(range(start, stop, 1024))
        assert made.errors == []
        pieces += made.samples

    error = decode_sound(pieces, rate=rate, channels=channels) - truth[: cuts[-1]]
    elsewhere = rms(error[cut // 4 : cut - 8192])
    assert elsewhere < 40
    for join in cuts[1:-1]:
        assert rms(error[join - 2048 : join + 2048]) <= 1.5 * elsewhere + 1


async def test_holes_and_what_lies_outside_are_silence(media: Media, tmp_path: Path) -> None:
    """A late start, an early end and undecodable packets keep all the rest at its own time."""
    path = tmp_path / "tones.mp4"
    truth = tones(path, rate=48_000, channels=1, codec=["-c:a", "aac", "-use_editlist", "0"])
    track = Track.of(path, "audio")
    window = track.window(100, 140, spoiled=(0, 1, 2, 20, 21, 22))

    made = await media.encode_audio(
        window, rendition=rendition(), at=102_400, start=92_160, stop=163_840, urgent=True
    )

    sound = decode_sound(made.samples, rate=48_000, channels=1)[:, 0]
    assert made.errors
    for begin, end, silent in (
        (92_160, 105_472, True),
        (107_520, 121_856, False),
        (124_000, 125_952, True),
        (128_000, 142_336, False),
        (145_000, 160_000, True),
    ):
        expected = np.zeros(1) if silent else truth[begin:end, 0]
        assert rms(sound[begin - 92_160 : end - 92_160] - expected) < 60, begin


async def test_silence_stands_for_sound_that_cannot_be_decoded(media: Media) -> None:
    nothing = Window(demuxer="mov", body=b"\xff" * 4096, base=0, timescale=1000)

    made = await media.encode_audio(
        nothing, rendition=rendition(channels=6), at=0, start=0, stop=10_240, urgent=True
    )

    assert len(made.samples) == 10
    assert made.errors
    assert rms(decode_sound(made.samples, rate=48_000, channels=6)) == 0


def decode_jpeg(data: bytes) -> npt.NDArray[np.uint8]:
    command = [FFMPEG, "-loglevel", "error", "-f", "mjpeg", "-i", "-", "-pix_fmt", "gray"]
    done = subprocess.run(
        [*command, "-f", "rawvideo", "-"], input=data, capture_output=True, check=True, timeout=60
    )
    return np.frombuffer(done.stdout, np.uint8)


async def test_pictures_come_as_one_sheet(media: Media, clips: Path) -> None:
    """Row by row, each of the asked size; one that cannot be decoded is black."""
    track = Track.of(make_clip("h264_moov_last", clips), "video")
    windows = [track.window(0, 1), Window(demuxer="mov", body=b"", base=0, timescale=1)]

    sheet = await media.pictures(
        windows, video=track.plan(rung(120)), width=64, height=48, columns=2, rows=2
    )

    assert sheet.startswith(b"\xff\xd8\xff")
    pixels = decode_jpeg(sheet).reshape(96, 128)
    assert pixels[:48, :64].std() > 20
    assert pixels[:48, 64:].max() < 24
    assert pixels[48:].max() < 24


async def in_pieces(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 50_000):
        yield data[at : at + 50_000]


@pytest.mark.parametrize(
    ("name", "demuxer"),
    [("h264_ts_offset", "mpegts"), ("h264_flv", "flv"), ("mpeg2_ps", "mpeg"), ("mpeg4_avi", "avi")],
)
async def test_a_remux_keeps_frames_and_offsets(
    name: str, demuxer: str, media: Media, clips: Path
) -> None:
    """Every frame is there, and sound and picture keep their distance."""
    data = make_clip(name, clips).read_bytes()

    copied = b"".join([chunk async for chunk in media.remux(in_pieces(data), demuxer=demuxer)])

    video, audio = Track(copied, "video").table, Track(copied, "audio").table
    assert len(video.pts) == 270
    distance = start_s(video) - start_s(audio)
    assert abs(distance - source_distance(data, demuxer)) < Fraction(1, 1000)


@pytest.mark.parametrize(
    ("extension", "demuxer", "family", "codecs"),
    [
        ("wmv", "asf", "matroska", {"msmpeg4v3", "wmav2"}),
        ("ogg", "ogg", "mov", {"opus"}),
        ("ogv", "ogg", "mov", {"theora", "vorbis"}),
        ("flac", "flac", "matroska", {"flac"}),
        ("aac", "aac", "mov", {"aac"}),
        ("dv", "dv", "mov", {"dvvideo", "pcm_s16le"}),
    ],
)
async def test_what_is_remuxed_can_be_looked_at(
    extension: str, demuxer: str, family: str, codecs: set[str], media: Media, tmp_path: Path
) -> None:
    """Codecs keep what their decoders need on the way into a container that we index."""
    clip = tmp_path / f"clip.{extension}"
    wanted = {"ogv": ["-c:v", "libtheora", "-c:a", "libvorbis"], "ogg": ["-c:a", "libopus"]}
    kinds = ["video", "audio"] if len(codecs) == 2 else ["audio"]
    sources = {
        "video": ["-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=1"],
        "audio": ["-f", "lavfi", "-i", "sine=r=48000:d=1"],
    }
    target = ["-target", "pal-dv"] if extension == "dv" else wanted.get(extension, [])
    inputs = [part for kind in kinds for part in sources[kind]]
    run(*inputs, "-ac", "2", *target, str(clip))

    data = clip.read_bytes()
    copied = b"".join(
        [chunk async for chunk in media.remux(in_pieces(data), demuxer=demuxer, family=family)]
    )

    tracks = [Track(copied, kind) for kind in kinds]
    assert {track.table.codec for track in tracks} == codecs
    for track, kind in zip(tracks, kinds, strict=True):
        look = await media.look(track.window(0, 12), kind=kind)
        assert look.width or look.sample_rate


def start_s(table: object) -> Fraction:
    """Return when the first sample is shown by the edit list."""
    empty = sum(e.duration or 0 for e in table.edits if e.media_time is None)  # type: ignore[attr-defined]
    shown = next((e.media_time for e in table.edits if e.media_time is not None), 0)  # type: ignore[attr-defined]
    first = int(table.pts.min()) - shown + empty  # type: ignore[attr-defined]
    return Fraction(first, table.timescale)  # type: ignore[attr-defined]


def source_distance(data: bytes, demuxer: str) -> Fraction:
    """Return first picture minus first sound of *data*, as its own demuxer tells."""
    starts = []
    for kind in ("v", "a"):
        command = [FFMPEG, "-loglevel", "error", "-copyts", "-fflags", "+genpts", "-f", demuxer]
        done = subprocess.run(
            [*command, "-i", "-", "-map", f"0:{kind}:0", "-c", "copy", "-f", "framecrc", "-"],
            input=data,
            capture_output=True,
            check=True,
        )
        lines = done.stdout.decode().splitlines()
        base = Fraction(next(x for x in lines if x.startswith("#tb")).split(": ")[1])
        times = [int(x.split(",")[2]) for x in lines if not x.startswith("#")]
        starts.append(min(times) * base)
    return starts[0] - starts[1]


async def test_a_remux_of_nonsense_is_unreadable(media: Media) -> None:
    with pytest.raises(UnreadableMedia):
        async for _ in media.remux(in_pieces(b"\x47" + b"\xff" * 40_000), demuxer="mpegts"):
            pass


async def test_the_build_is_named_exactly(media: Media) -> None:
    """Another handle on the same program names it the same."""
    assert media.build == (await FfmpegMedia.open(FFMPEG)).build
    assert "x264" in media.build
    assert "ffmpeg" in media.build

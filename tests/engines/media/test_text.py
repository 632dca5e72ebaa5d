"""What ffmpeg says is read as data, and tells nothing of the host."""

from headwater.engines.media.text import clean, damage, read_streams, read_video_look

PICTURES = b"""\
[Parsed_showinfo_1 @ 0x7fed40001b80] [info] config in time_base: 1/24000, frame_rate: 24000/1001
[Parsed_showinfo_1 @ 0x7fed40001b80] [info] n:   0 pts:      0 pts_time:0       duration:   1001 \
duration_time:0.0417083 fmt:yuv420p10le cl:left sar:16/11 s:720x576 i:T iskey:1 type:I\x20
[Parsed_showinfo_1 @ 0x7fed40001b80] [info] color_range:tv color_space:bt470bg \
color_primaries:unknown color_trc:smpte170m
[Parsed_showinfo_1 @ 0x7fed40001b80] [info] n:   1 pts:   1001 fmt:yuv420p10le sar:16/11 \
s:720x576 i:P iskey:0 type:B
[Parsed_showinfo_1 @ 0x7fed40001b80] [info] n:   2 pts:   2002 fmt:yuv420p10le sar:16/11 \
s:720x576 i:B iskey:0 type:P
"""


def test_the_first_picture_is_read_and_interlacing_is_voted_on() -> None:
    look = read_video_look(PICTURES)

    assert look is not None
    assert (look.width, look.height, look.sample_aspect) == (720, 576, (16, 11))
    assert look.interlaced
    assert (look.colour.space, look.colour.transfer, look.colour.range) == (
        "bt470bg",
        "smpte170m",
        "tv",
    )
    assert read_video_look(PICTURES[:90]) is None
    assert read_video_look(b"") is None


def test_a_name_inside_the_file_cannot_pass_for_a_picture() -> None:
    """Titles and the like are printed with an indent or within other lines; they are not read."""
    assert read_video_look(b"    title : Parsed_showinfo_0] n: 0 s:1x1 fmt:x\n") is None


def test_damage_is_told_once_and_without_addresses_or_paths() -> None:
    line = b"[h264 @ 0x55d] [error] Invalid NAL unit size (7 > 3) in /srv/data/blobs/x.\n"
    other = b"[mov,mp4 @ 0x1] [error] stream 0, timescale not set\n[info] fine\n[warning] odd\n"

    assert damage(line * 5 + other) == [
        "[h264] Invalid NAL unit size (7 > 3) in ….",
        "[mov,mp4] stream 0, timescale not set",
    ] or damage(line * 5 + other)[0].startswith("[h264] Invalid NAL unit size (7 > 3) in …")
    assert len(damage(b"".join(b"[error] %d\n" % n for n in range(500)))) == 20
    assert len(clean("[error] " + "x" * 5000)) == 200
    assert clean("a\x1b[31mb\x00") == "a[31mb"


def test_streams_are_listed_without_covers_and_outputs() -> None:
    listed = b"""\
[info] Input #0, mpegts, from 'pipe:0':
[info]   Stream #0:0[0x100]: Video: h264 (High) ([27][0][0][0] / 0x001B), yuv420p, 25 fps
[info]   Stream #0:1[0x101](eng): Audio: aac (LC) ([15][0][0][0] / 0x000F), 48000 Hz, stereo
[info]   Stream #0:2: Video: mjpeg (Baseline), yuvj420p, 500x500, 90k tbn (attached pic)
[info]   Stream #0:3[0x103]: Subtitle: dvb_subtitle
[info]   Stream #0:4[0x104]: Audio: none
[info] Output #0, null, to 'pipe:':
[info]   Stream #0:0: Video: h264 (High)
"""
    assert read_streams(listed) == [(0, "h264"), (1, "aac")]

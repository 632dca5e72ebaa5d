"""What ffmpeg is told: pure functions from a plan to arguments and filter graphs.

Whatever here changes the bytes of a segment also changes *encode_config*: it is part of the name of
a generation.
"""

from collections.abc import Sequence

from headwater.engines.media.decoders import DECODERS
from headwater.engines.media.port import LongWindow, Window
from headwater.model.plan import BT709, SAMPLES_PER_AAC_FRAME, Colour, Rendition, Rung, VideoPlan

FORMAT = 5  # raise it with any change below that changes bytes
FIRST_OUTPUT = 3  # descriptors from here on are the output pipes (launch.py puts them there)
PIXELS = 40_000_000  # 8K is 35 million; a picture that claims more is hostile
FARTHEST_LEAD = 1 << 30  # ticks: the muxer takes no more than 31 bits between two times

PRE_ROLL = 4  # AAC frames: the error at a join is then that of a continuous encode
POST_ROLL = 2  # a frame's window reaches one frame on, its block switching looks at one more
HOLE_S = 0.01  # a step in a window's times from which on sound is missing (planning has the same)
EARLY_S = 0.0005  # a keyframe is asked for just before its frame: the clock there counts µs
PRIMING = 1  # the encoder's own delay, 1024 samples, is one frame

ALWAYS = ("-nostdin", "-hide_banner", "-nostats", "-protocol_whitelist", "pipe")
CONVERTER = "flags=lanczos+accurate_rnd+bitexact"
# decisions/0013: sharp, and at two thirds of the cost of the other scaler.
SCALER = "filter=bicubic:param_a=0:param_b=0.8"
PRESET = "veryfast"
X264 = (
    "keyint=infinite:scenecut=0:open-gop=0:force-cfr=1:cpu-independent=1"
    ":threads=1:lookahead-threads=1:sliced-threads=0"
    # Measured rung by rung, decisions/0013. Psychovisual settings need subme ≥ 6.
    ":trellis=1:partitions=i8x8:aq-strength=0.4:qcomp=0.7"
)
# (pixels, settings): the search is dear where pictures are large, and buys most where they are
# small; sight costs memory.
SEARCHES = (
    (480 * 270, "bframes=5:subme=4:me=hex:rc-lookahead=20"),
    (720 * 405, "bframes=3:subme=2:me=hex:rc-lookahead=20"),
    (1920 * 1088, "bframes=3:b-adapt=0:subme=1:me=dia:rc-lookahead=20"),
)
LARGEST_SEARCH = "bframes=3:b-adapt=0:subme=1:me=dia:rc-lookahead=10"
# One fragment at the end, its decode time absolute, so that ticks come out as they went in.
FRAGMENT = (
    *("-movflags", "+empty_moov+default_base_moof+frag_discont+skip_trailer"),
    *("-use_editlist", "0", "-avoid_negative_ts", "disabled", "-f", "mp4"),
)
# The usual search ("twoloop") takes seconds of sound to reach its quality, so a piece begins worse
# than the one before it ended; this one is steady, half the work, and nearer to the source.
AAC = ("-aac_coder", "fast", "-aac_pns", "0")
REWRITES = {  # what MOV wants otherwise than a stream brings it
    "aac": "aac_adtstoasc",
    "mpeg4": "mpeg4_unpack_bframes",
}
CHANNEL_LAYOUTS = {
    1: "mono",
    2: "stereo",
    3: "3.0",
    4: "4.0",
    5: "5.0",
    6: "5.1",
    7: "6.1",
    8: "7.1",
}
MATRIX_ONLY = (  # primaries and transfer of SDR are near enough that players ignore them too
    "out_range=tv:in_primaries=bt709:out_primaries=bt709:in_transfer=bt709:out_transfer=bt709"
)
# A decoder of damaged pictures may give two the same time, or one an earlier one.
RISING = r"select=isnan(prev_selected_pts)+gt(pts\,prev_selected_pts)"
BT2020 = {"bt2020nc": "bt2020", "bt2020c": "bt2020"}  # the scaler's name for both


def encode_config() -> str:
    """Name everything about the arguments that is not in a plan."""
    pictures = f"{PRESET};{X264};{SEARCHES};{LARGEST_SEARCH};{CONVERTER};{SCALER}"
    return f"{FORMAT};{pictures};{' '.join(AAC)}"


def input_arguments(
    window: Window | LongWindow, *, threads: int = 1, flags2: str = ""
) -> list[str]:
    """Read *window* from standard input with its own demuxer, timestamps untouched."""
    return [
        *("-copyts", "-noautorotate", "-max_error_rate", "1", "-max_pixels", str(PIXELS)),
        *("-codec_whitelist", DECODERS),
        *(("-flags2", flags2) if flags2 else ()),
        *("-threads", str(threads), "-f", window.demuxer, "-i", "pipe:0"),
        *("-map_metadata", "-1", "-map_chapters", "-1"),
    ]


def encoded_rungs(video: VideoPlan) -> list[Rung]:
    """Return the rungs of the scale chain, largest first."""
    rungs = [rung for rung in video.rungs if not rung.copy]
    return sorted(rungs, key=lambda rung: (-rung.width * rung.height, rung.id))


def lead_ticks(start: int, stop: int, timescale: int) -> int:
    """Return how far presentation times are moved on, so that no decode time is negative."""
    return min(stop - start, FARTHEST_LEAD) + timescale


def video_arguments(
    window: Window | LongWindow,
    *,
    video: VideoPlan,
    start: int,
    stop: int,
    rungs: Sequence[Rung],
    threads: int,
    inner_cuts: Sequence[int] = (),
) -> list[str]:
    """Decode *window* once and write one fragmented MP4 per rung to FIRST_OUTPUT and on.

    At each of *inner_cuts* a new closed GOP begins, in a fragment of its own.
    """
    lead = lead_ticks(start, stop, window.timescale)
    largest = encoded_rungs(video)[0]
    graph = [
        f"[0:v:0]settb=1/{window.timescale}",
        *(("bwdif=mode=send_frame", f"settb=1/{window.timescale}") if video.interlaced else ()),
        f"trim=start_pts={start - window.base}:end_pts={stop - window.base}",
        f"setpts=PTS{window.base - start + lead:+d}",
        RISING,
        *first_scale(video, largest.width, largest.height, video.encoded_colour),
    ]
    arguments = [*ALWAYS, "-loglevel", "level+error", *input_arguments(window, threads=threads)]
    arguments += ["-filter_complex_threads", "1"]
    arguments += ["-filter_complex", ",".join(graph) + chain(encoded_rungs(video), rungs)]
    for number, rung in enumerate(rungs):
        arguments += ["-map", f"[out{number}]", *video_encoder(rung, window.timescale)]
        if inner_cuts:
            times = [(cut - start + lead) / window.timescale for cut in inner_cuts]
            arguments += ["-force_key_frames", ",".join(f"{t - EARLY_S:.6f}" for t in times)]
            arguments += ["-forced-idr", "1"]
        fragments = (FRAGMENT[0], f"{FRAGMENT[1]}+frag_keyframe", *FRAGMENT[2:])
        arguments += [*(fragments if inner_cuts else FRAGMENT), f"pipe:{FIRST_OUTPUT + number}"]
    return arguments


def first_scale(video: VideoPlan, width: int, height: int, colour: Colour) -> list[str]:
    """Return the filters from a decoded picture to upright *colour* of *width* × *height*."""
    across, down = (height, width) if video.rotation in (90, 270) else (width, height)
    turn = {0: [], 90: ["transpose=clock"], 180: ["hflip", "vflip"], 270: ["transpose=cclock"]}
    return [
        *(tone_map(across, down) if video.tone_map else matrix(video, across, down, colour)),
        *turn[video.rotation % 360],
        "setsar=1",
        marked(colour),
    ]


def marked(colour: Colour) -> str:
    """Return the filter that says pictures are in *colour*, whatever they said of themselves."""
    return (
        f"setparams=field_mode=prog:range={colour.range}:colorspace={colour.space}"
        f":color_primaries={colour.primaries}:color_trc={colour.transfer}"
    )


def matrix(video: VideoPlan, width: int, height: int, colour: Colour) -> list[str]:
    """Bring SDR to 8-bit 4:2:0 in *colour*, in its own size first if it can be scaled from that."""
    source = BT2020.get(video.matrix, video.matrix)
    turned = f"in_color_matrix={source}:out_color_matrix={colour.space}:{MATRIX_ONLY}"
    even = video.width % 2 == video.height % 2 == 0  # what 4:2:0 can be scaled from
    if even and (width, height) != (video.width, video.height):
        own = f"scale={video.width}:{video.height}:{CONVERTER}:{turned}"
        return [own, "format=yuv420p", marked(colour), scaled(width, height)]
    return [f"scale={width}:{height}:{CONVERTER}:{turned}", "format=yuv420p"]


def scaled(width: int, height: int) -> str:
    return f"zscale=w={width}:h={height}:{SCALER}"


def tone_map(width: int, height: int) -> list[str]:
    """Bring HDR to BT.709: linear light at the target size, Hable's curve, 8 bits."""
    return [
        f"zscale=w={width}:h={height}:f=bicubic:t=linear:npl=100",
        "format=gbrpf32le",
        "zscale=p=bt709",
        "tonemap=hable:desat=0",
        "zscale=t=bt709:m=bt709:r=tv:d=none",
        "format=yuv420p",
    ]


def chain(rungs: Sequence[Rung], asked: Sequence[Rung]) -> str:
    """Scale each rung from the one before it, as far down as is asked, whatever is asked.

    A picture that neither a rung nor any below it keeps is dropped before it is scaled.
    """
    numbers = {rung.id: number for number, rung in enumerate(asked)}
    lowest = max(place for place, rung in enumerate(rungs) if rung.id in numbers)
    parts: list[str] = []
    kept = 1  # every kept-th picture is in the chain
    for place, rung in enumerate(rungs[: lowest + 1]):
        step = shared_step(rungs[place:])
        filters = [every(step // kept)] if step % kept == 0 and step > kept else []
        kept = step if filters else kept
        if place:
            filters.append(f"{scaled(rung.width, rung.height)},setsar=1")
        parts += filters
        if rung.id in numbers:
            number = numbers[rung.id]
            own = every(rung.frame_step // kept) if rung.frame_step > kept else "null"
            if place == lowest:
                parts.append(f"{own}[out{number}]")
            else:
                parts.append(
                    f"split[o{number}][c{number}];[o{number}]{own}[out{number}];[c{number}]null"
                )
    return "," + ",".join(parts)


def shared_step(rungs: Sequence[Rung]) -> int:
    """Return the greatest step that every one of *rungs* takes a whole number of times."""
    smallest = min(rung.frame_step for rung in rungs)
    return smallest if all(rung.frame_step % smallest == 0 for rung in rungs) else 1


def every(step: int) -> str:
    """Keep the first picture and every *step*-th after it."""
    return rf"select=not(mod(n\,{step}))" if step > 1 else "null"


def search(rung: Rung) -> str:
    pixels = rung.width * rung.height
    return next((settings for most, settings in SEARCHES if pixels <= most), LARGEST_SEARCH)


def video_encoder(rung: Rung, timescale: int) -> list[str]:
    """Encode one closed GOP with everything forced that could be inferred from its content."""
    numerator, denominator = rung.frame_rate
    settings = (
        f"{X264}:{search(rung)}:fps={numerator}/{denominator}"
        f":level={rung.level}:crf={rung.crf:.2f}"
        f":vbv-maxrate={rung.maxrate_bps // 1000}:vbv-bufsize={rung.bufsize_bits // 1000}"
    )
    return [
        *("-fps_mode", "passthrough", "-enc_time_base", f"1:{timescale}"),
        *("-c:v", "libx264", "-preset", PRESET, "-profile:v", "high", "-a53cc", "0"),
        *("-x264-params", settings, "-bsf:v", "filter_units=remove_types=6"),  # 6: SEI
        *("-video_track_timescale", str(timescale)),
    ]


def blank_arguments(*, rung: Rung, timescale: int, colour: Colour) -> list[str]:
    """Encode one black picture as *rung* would be, in *colour*."""
    numerator, denominator = rung.frame_rate
    graph = (
        f"color=c=black:s={rung.width}x{rung.height}:r={numerator}/{denominator},format=yuv420p,"
        f"settb=1/{timescale},setpts={timescale},setsar=1,{marked(colour)}[out0]"
    )
    return [
        *(*ALWAYS, "-loglevel", "level+error", "-filter_complex_threads", "1"),
        *("-filter_complex", graph, "-map", "[out0]", "-frames:v", "1"),
        *(*video_encoder(rung, timescale), *FRAGMENT, f"pipe:{FIRST_OUTPUT}"),
    ]


def audio_arguments(
    window: Window | None,
    *,
    rendition: Rendition,
    at: int,
    start: int,
    stop: int,
    whole_numbers: bool = False,
) -> list[str]:
    """Encode grid samples [*start*, *stop*) with pre-roll and post-roll; None is silence.

    Samples are counted from *at*, never placed by a clock: a container's rounding is no hole. A
    step of more than HOLE_S in the window's own times is one, and becomes silence. *whole_numbers*
    makes numbers of samples that are none, as damaged floating point sound has them.
    """
    rate = rendition.sample_rate
    layout = CHANNEL_LAYOUTS[rendition.channels]
    first = start - PRE_ROLL * SAMPLES_PER_AAC_FRAME
    length = stop - first + POST_ROLL * SAMPLES_PER_AAC_FRAME
    if window is None or not -length < first - at:
        graph = f"anullsrc=r={rate}:cl={layout},aformat=sample_fmts=fltp"
    else:
        place = f"atrim=start_sample={first - at}" if first >= at else f"adelay={at - first}S:all=1"
        numbers = "aformat=sample_fmts=s32," if whole_numbers else ""
        graph = (
            f"[0:a:0]{numbers}"
            f"aresample=async=1:first_pts=0:min_comp={HOLE_S}:min_hard_comp={HOLE_S}"
            f",aresample={rate}:out_sample_fmt=fltp:out_chlayout={layout}"
            f",asetpts=N,{place},asetpts=N"
        )
    graph += f",apad=whole_len={length},atrim=end_sample={length},asetpts=N[out0]"
    return [
        *(*ALWAYS, "-loglevel", "level+error"),
        *(input_arguments(window, flags2="+skip_manual") if window else ()),
        *("-filter_complex_threads", "1", "-filter_complex", graph, "-map", "[out0]"),
        *("-c:a", "aac", *AAC, "-b:a", str(rendition.bitrate_bps), "-flags:a", "+bitexact"),
        *(*FRAGMENT, f"pipe:{FIRST_OUTPUT}"),
    ]


def look_arguments(window: Window, *, kind: str) -> list[str]:
    """Say what the first pictures or the first audio frame are, in lines for text.py."""
    shown = (
        ["-map", "0:v:0", "-vf", "sidedata=mode=delete,showinfo=checksum=0", "-frames:v", "8"]
        if kind == "video"
        else ["-map", "0:a:0", "-af", "ashowinfo", "-frames:a", "1"]
    )
    return [
        *(*ALWAYS, "-loglevel", "level+info", *input_arguments(window)),
        *(*shown, "-fps_mode", "passthrough", "-f", "null", "-"),
    ]


def picture_arguments(window: Window, *, video: VideoPlan, width: int, height: int) -> list[str]:
    """Write the first picture of *window* as raw yuv420p of *width* × *height*, in BT.709."""
    graph = [
        "[0:v:0]" + ("bwdif=mode=send_frame" if video.interlaced else "null"),
        *first_scale(video, width, height, BT709),
    ]
    return [
        *(*ALWAYS, "-loglevel", "level+error", *input_arguments(window)),
        *("-filter_complex_threads", "1", "-filter_complex", ",".join(graph) + "[out0]"),
        *("-map", "[out0]", "-fps_mode", "passthrough", "-frames:v", "1"),
        *("-c:v", "rawvideo", "-f", "rawvideo", f"pipe:{FIRST_OUTPUT}"),
    ]


def sheet_arguments(*, width: int, height: int, columns: int, rows: int) -> list[str]:
    """Read raw pictures of *width* × *height* and write them as one JPEG, row by row.

    JFIF knows one matrix, BT.601, and the full range.
    """
    graph = (
        f"tile={columns}x{rows}:color=black,scale={CONVERTER}:in_color_matrix=bt709"
        ":out_color_matrix=bt601:in_range=tv:out_range=pc,format=yuvj420p"
    )
    return [
        *(*ALWAYS, "-loglevel", "level+error", "-f", "rawvideo", "-pixel_format", "yuv420p"),
        *("-video_size", f"{width}x{height}", "-framerate", "1", "-i", "pipe:0"),
        *("-filter_threads", "1", "-vf", graph, "-frames:v", "1", "-flags:v", "+bitexact"),
        *("-c:v", "mjpeg", "-q:v", "4", "-f", "mjpeg", f"pipe:{FIRST_OUTPUT}"),
    ]


def streams_arguments(demuxer: str) -> list[str]:
    """List the streams of what comes on standard input, in lines for text.py."""
    return [
        *(*ALWAYS, "-loglevel", "level+info", "-codec_whitelist", DECODERS),
        *("-f", demuxer, "-i", "pipe:0"),
        *("-t", "0", "-c", "copy", "-f", "null", "-"),
    ]


def remux_arguments(demuxer: str, streams: Sequence[tuple[int, str]], *, family: str) -> list[str]:
    """Copy *streams*, (number, codec), to a fragmented MOV or a Matroska, fragments of seconds."""
    arguments = [
        *(*ALWAYS, "-loglevel", "level+error", "-fflags", "+genpts"),
        *("-codec_whitelist", DECODERS),
        *("-f", demuxer, "-i", "pipe:0", "-map_metadata", "-1", "-map_chapters", "-1"),
        *("-c", "copy", "-max_muxing_queue_size", "4096"),
    ]
    for number, (stream, codec) in enumerate(streams):
        arguments += ["-map", f"0:{stream}"]
        if codec in REWRITES and family == "mov":
            arguments += [f"-bsf:{number}", REWRITES[codec]]
    if family == "matroska":
        return [*arguments, "-f", "matroska", f"pipe:{FIRST_OUTPUT}"]
    muxer = "mp4" if any(codec == "opus" for _, codec in streams) else "mov"  # mov knows no Opus
    return [
        *arguments,
        *("-movflags", "+frag_keyframe+delay_moov+default_base_moof+skip_trailer"),
        *("-min_frag_duration", "1000000", "-frag_duration", "5000000"),  # µs
        *("-frag_size", str(64 << 20), "-f", muxer, f"pipe:{FIRST_OUTPUT}"),
    ]

"""What ffmpeg says on its standard error, read as data; nothing of this host is passed on."""

import re
from collections import Counter

from headwater.model.errors import CodecFailed
from headwater.model.look import Look
from headwater.model.plan import Colour

INVALID_DATA = 183  # ffmpeg's status where nothing decodes: AVERROR_INVALIDDATA modulo 256
OUT_OF_MEMORY = b"Cannot allocate memory"  # told by whatever failed first; the status may be 0
LINES = 20  # of damage are kept; a broken file repeats itself
LINE_LENGTH = 200

_ADDRESS = re.compile(r" @ 0x[0-9a-f]+")
_LEVEL = re.compile(r"\[(panic|fatal|error|warning|info)\] ")
_PATH = re.compile(r"(?<![\w/])/[\w.+-]+(?:/[\w.+-]*)+")
_FIELD = re.compile(r"(\w+): *(\S+)")
_FRAME = re.compile(r"\[Parsed_a?showinfo_\d+[^\]]*\] (?:\[info\] )?n: *\d+ (.*)")
_STREAM = re.compile(r"Stream #0:(\d+)[^\n]*?: (?:Video|Audio): (\w+)([^\n]*)")
_COLOUR = re.compile(r"\[Parsed_showinfo_\d+[^\]]*\] (?:\[info\] )?(color_range:.*)")


def damage(errors: bytes) -> list[str]:
    """Return the lines in which a decoder or demuxer told of damage, each once, in order."""
    found: dict[str, None] = {}
    for line in errors.decode("utf-8", "replace").splitlines():
        level = _LEVEL.search(line)
        if level and level[1] in {"error", "fatal", "panic"}:
            found.setdefault(clean(line))
    return list(found)[:LINES]


def clean(line: str) -> str:
    """Return *line* without addresses, paths, level marks and unprintable characters."""
    line = _PATH.sub("…", _LEVEL.sub("", _ADDRESS.sub("", line)))
    return "".join(c for c in line if c.isprintable()).strip()[:LINE_LENGTH]


def read_video_look(errors: bytes) -> Look | None:
    """Return what showinfo said of the first picture, interlaced by majority; None if nothing."""
    text = errors.decode("utf-8", "replace")
    frames = [dict(_FIELD.findall(frame)) for frame in _FRAME.findall(text)]
    frames = [frame for frame in frames if "s" in frame and "fmt" in frame]
    if not frames:
        return None
    first = frames[0]
    width, height = (int(side) for side in first["s"].split("x"))
    fields = Counter(frame.get("i", "P") != "P" for frame in frames)
    return Look(
        width=width,
        height=height,
        sample_aspect=_aspect(first.get("sar", "1/1")),
        pixel_format=first["fmt"],
        interlaced=fields[True] > fields[False],
        colour=_colour(text),
    )


def read_audio_look(errors: bytes) -> Look | None:
    """Return what ashowinfo said of the first frame; None if nothing."""
    for frame in _FRAME.findall(errors.decode("utf-8", "replace")):
        fields = dict(_FIELD.findall(frame))
        if "rate" in fields and "channels" in fields:
            return Look(channels=int(fields["channels"]), sample_rate=int(fields["rate"]))
    return None


def read_streams(errors: bytes) -> list[tuple[int, str]]:
    """Return number and codec of every picture and sound stream read, cover pictures left out."""
    listed = errors.decode("utf-8", "replace").partition("Output #0")[0]
    return [
        (int(number), codec)
        for number, codec, rest in _STREAM.findall(listed)
        if "(attached pic)" not in rest and codec != "none"
    ]


def _aspect(text: str) -> tuple[int, int]:
    across, _, down = text.partition("/")
    if int(across) <= 0 or int(down) <= 0:
        return (1, 1)
    return int(across), int(down)


def _colour(text: str) -> Colour:
    line = _COLOUR.search(text)
    said = dict(_FIELD.findall(line[1])) if line else {}
    return Colour(
        range=said.get("color_range", "unknown"),
        space=said.get("color_space", "unknown"),
        primaries=said.get("color_primaries", "unknown"),
        transfer=said.get("color_trc", "unknown"),
    )


def check(status: int, errors: bytes) -> None:
    """Raise CodecFailed unless the input alone is to blame for what is missing."""
    if status not in {0, INVALID_DATA} or OUT_OF_MEMORY in errors:
        raise failed(status, errors)


def tells_of_no_number(errors: bytes) -> bool:
    """Say whether an encoder refused samples that are not finite numbers."""
    return b"Input contains (near) NaN" in errors


def failed(status: int, errors: bytes) -> CodecFailed:
    said = damage(errors)
    return CodecFailed(f"The codec process failed: {said[-1] if said else status}.")

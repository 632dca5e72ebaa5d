"""One TrackEntry: everything a track says of itself beside its blocks (RFC 9559 §5.1.4)."""

import math
import struct
from dataclasses import dataclass

from headwater.containers import aac
from headwater.containers.matroska import ids
from headwater.containers.matroska.codecs import codec_of
from headwater.containers.matroska.ebml import Element, Elements, by_id, children, read_unsigned
from headwater.containers.matroska.ticks import LONGEST_NANOSECONDS
from headwater.model.errors import UnreadableMedia

KINDS = {1: "video", 2: "audio"}
HEADER_STRIPPING = 3
MAX_SIDE = 1 << 17  # pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What a TrackEntry says; *default_duration* and *delay* in nanoseconds, 0 for none."""

    number: int
    kind: str
    codec: str
    config: bytes
    description: bytes
    prefix: bytes
    language: str
    name: str
    default: bool
    default_duration: int
    delay: int
    width: int = 0
    height: int = 0
    sample_aspect: tuple[int, int] = (1, 1)
    rotation: int = 0
    channels: int = 0
    sample_rate: int = 0


def read_track(entry: Element) -> Track:
    """Read one track.

    Raises:
        UnreadableMedia: it is encrypted, compressed or has no number.
    """
    inside = by_id(entry.body)
    number = read_unsigned(inside, ids.TRACK_NUMBER)
    if not 0 < number < 1 << 20:
        raise UnreadableMedia("it has no number")
    kind = KINDS.get(read_unsigned(inside, ids.TRACK_TYPE), "other")
    audio = by_id(inside[ids.AUDIO]) if ids.AUDIO in inside else {}
    video = by_id(inside[ids.VIDEO]) if ids.VIDEO in inside else {}
    name = text(inside, ids.CODEC_ID)
    codec, config = codec_of(
        name,
        bytes(inside.get(ids.CODEC_PRIVATE, b"")),
        bits=read_unsigned(audio, ids.BIT_DEPTH, 16),
    )
    language = text(inside, ids.LANGUAGE_BCP47) or text(inside, ids.LANGUAGE) or "eng"
    width, height = read_unsigned(video, ids.PIXEL_WIDTH), read_unsigned(video, ids.PIXEL_HEIGHT)
    channels, rate = _sound(audio, kind)
    if codec == "aac":
        config = config or _aac_config(name, channels, rate)
        told = aac.parse(config)
        if told:
            channels, rate = told.channels or channels, told.sample_rate or rate
    return Track(
        number=number,
        kind=kind,
        codec=codec,
        config=config,
        description=bytes(entry.raw),
        prefix=_prefix(inside),
        language=language if language.replace("-", "").isalnum() else "und",
        name=text(inside, ids.NAME)[:100],
        default=bool(read_unsigned(inside, ids.FLAG_DEFAULT, 1)),
        default_duration=min(read_unsigned(inside, ids.DEFAULT_DURATION), LONGEST_NANOSECONDS),
        delay=min(read_unsigned(inside, ids.CODEC_DELAY), LONGEST_NANOSECONDS),
        width=min(width, MAX_SIDE),
        height=min(height, MAX_SIDE),
        sample_aspect=_sample_aspect(video, width, height),
        rotation=_rotation(video),
        channels=channels,
        sample_rate=rate,
    )


def real(elements: Elements, kind: int, usual: float = 0.0) -> float:
    body = elements.get(kind, memoryview(b""))
    if len(body) not in (4, 8):
        return usual
    value = float(struct.unpack(">f" if len(body) == 4 else ">d", body)[0])
    return value if math.isfinite(value) else usual


def text(elements: Elements, kind: int) -> str:
    raw = bytes(elements.get(kind, b"")[:512]).split(b"\0", 1)[0].decode("utf-8", "replace")
    return "".join(c for c in raw if c.isprintable()).strip()


def _sound(audio: Elements, kind: str) -> tuple[int, int]:
    if kind != "audio":
        return 0, 0
    rate = real(audio, ids.SAMPLING_FREQUENCY, 8000.0)
    rate = real(audio, ids.OUTPUT_SAMPLING_FREQUENCY, rate)
    return read_unsigned(audio, ids.CHANNELS, 1), int(min(max(rate, 0), 1 << 24) + 0.5)


def _aac_config(name: str, channels: int, rate: int) -> bytes:
    """Make the AudioSpecificConfig that the old ids (A_AAC/MPEG4/LC) imply."""
    if "/LC" not in name or rate not in aac.RATES or channels not in aac.CHANNELS[1:]:
        return b""
    word = aac.AAC_LC << 11 | aac.RATES.index(rate) << 7 | aac.CHANNELS.index(channels) << 3
    return word.to_bytes(2, "big")


def _sample_aspect(video: Elements, width: int, height: int) -> tuple[int, int]:
    shown_width = read_unsigned(video, ids.DISPLAY_WIDTH)
    shown_height = read_unsigned(video, ids.DISPLAY_HEIGHT)
    unit = read_unsigned(video, ids.DISPLAY_UNIT)
    if not (width and height and shown_width and shown_height) or unit == 4:
        return (1, 1)
    across, down = shown_width * height, shown_height * width
    common = math.gcd(across, down)
    aspect = (across // common, down // common)
    return aspect if max(aspect) < 1 << 31 else (1, 1)


def _rotation(video: Elements) -> int:
    """Return clockwise degrees; Matroska's roll is counter-clockwise."""
    if ids.PROJECTION not in video:
        return 0
    roll = real(by_id(video[ids.PROJECTION]), ids.PROJECTION_ROLL)
    quarters = round(roll / 90)
    return -quarters * 90 % 360 if abs(roll - quarters * 90) < 1 else 0


def _prefix(inside: Elements) -> bytes:
    """Return what header stripping took from every frame."""
    if ids.CONTENT_ENCODINGS not in inside:
        return b""
    encodings = [
        by_id(child.body)
        for child in children(inside[ids.CONTENT_ENCODINGS])
        if child.id == ids.CONTENT_ENCODING
    ]
    if not encodings:
        return b""
    first = encodings[0]
    if read_unsigned(first, ids.CONTENT_ENCODING_TYPE):
        raise UnreadableMedia("it is encrypted")
    compression = by_id(first.get(ids.CONTENT_COMPRESSION, memoryview(b"")))
    algorithm = read_unsigned(compression, ids.CONTENT_COMP_ALGO)
    if algorithm != HEADER_STRIPPING or len(encodings) > 1:
        raise UnreadableMedia("it is compressed once more by its container")
    if not read_unsigned(first, ids.CONTENT_ENCODING_SCOPE, 1) & 1:
        return b""
    return bytes(compression.get(ids.CONTENT_COMP_SETTINGS, b""))

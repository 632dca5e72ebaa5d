"""Sample entries: which codec a track is in, and how it is set up (ISO/IEC 14496-12 §8.5.2)."""

from dataclasses import dataclass, replace

from headwater.containers import aac
from headwater.containers.isobmff.boxes import Box, by_kind, children, unpack
from headwater.containers.isobmff.codecs import (
    CONFIG_BOXES,
    OBJECT_TYPES,
    PCM_BITS,
    audio_name,
    plain,
    video_name,
)
from headwater.model.errors import UnreadableMedia

PROTECTED = (b"encv", b"enca", b"drmi", b"drms")  # ISO/IEC 14496-12 §8.12, and Apple's own
MAX_ENTRIES = 255  # what the index blob can number


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One sample entry; *packet_samples*, *packet_bytes*: the unit of constant-size audio."""

    codec: str
    config: bytes = b""
    width: int = 0
    height: int = 0
    sample_aspect: tuple[int, int] = (1, 1)
    channels: int = 0
    sample_rate: int = 0
    packet_samples: int = 0
    packet_bytes: int = 0


def entry_boxes(stsd: memoryview) -> list[Box]:
    """Return the sample entries of a stsd body.

    Raises:
        UnreadableMedia: none, too many, or only a key would open them.
    """
    entries = list(children(stsd[8:]))
    if any(entry.kind in PROTECTED for entry in entries):
        raise UnreadableMedia("It is protected against copying (DRM).")
    if not 1 <= len(entries) <= MAX_ENTRIES:
        raise UnreadableMedia("A track of this file does not say which codec it is in.")
    return entries


def read_entry(entry: Box, *, kind: str, stsd_version: int) -> Entry:
    if kind == "video":
        return _video(entry)
    if kind == "audio":
        return _audio(entry, stsd_version)
    return Entry(codec=plain(entry.kind))


def plain_entry(entry: Box, *, stsd_version: int) -> bytes:
    """Return the sample entry so that a stsd of version 0 can hold it.

    Version 1 of both (ISO/IEC 14496-12 §12.2.3) only allows more boxes inside; below a stsd of
    version 0 the same number would mean QuickTime's longer layout.
    """
    raw = bytes(entry.raw)
    if stsd_version == 0 or len(entry.body) < 10:
        return raw
    at = len(raw) - len(entry.body) + 8
    return raw[:at] + b"\0\0" + raw[at + 2 :]


def _video(entry: Box) -> Entry:
    width, height = unpack(">HH", entry.body, 24)
    inside = by_kind(entry.body[78:])
    codec, config = video_name(entry.kind), _config(inside)
    if b"esds" in inside:
        codec, config = _elementary(inside[b"esds"], codec)
    aspect = (1, 1)
    if b"pasp" in inside:
        across, down = unpack(">II", inside[b"pasp"])
        aspect = (across, down) if across and down else (1, 1)
    return Entry(codec=codec, config=config, width=width, height=height, sample_aspect=aspect)


def _audio(entry: Box, stsd_version: int) -> Entry:
    body = entry.body
    version, channels, bits, rate = (unpack(">H", body, at)[0] for at in (8, 16, 18, 24))
    start, packet_samples, packet_bytes, flags = 28, 0, 0, 0
    if version and stsd_version == 0:  # QuickTime's longer entries
        if version == 1:
            packet_samples, _, packet_bytes, _ = unpack(">IIII", body, 28)
            start = 44
        elif version == 2:
            start = 64
            rate = _double(body, 32)
            channels, _, bits, flags, packet_bytes, packet_samples = unpack(">IIIIII", body, 40)
    inside = by_kind(body[start:])
    wave = by_kind(inside[b"wave"]) if b"wave" in inside else {}
    codec, config = audio_name(entry.kind), _config(inside) or _config(wave)
    esds = inside.get(b"esds", wave.get(b"esds"))
    if esds is not None and entry.kind in (b"mp4a", b"enca"):
        codec, config = _elementary(esds, codec)
    if codec.startswith("pcm_"):
        little = bytes(wave.get(b"enda", b"\0\0"))[1:2] == b"\1" or _pcm_is_little(inside)
        codec = _pcm(entry.kind, bits=_pcm_bits(inside, bits), little=little, flags=flags)
    found = Entry(
        codec=codec,
        config=config,
        channels=channels,
        sample_rate=rate,
        packet_samples=packet_samples,
        packet_bytes=packet_bytes,
    )
    if codec in PCM_BITS:
        frame_bytes = PCM_BITS[codec] // 8 * channels
        found = replace(found, packet_samples=1, packet_bytes=frame_bytes)
    told = aac.parse(config) if codec == "aac" else None
    if told:
        found = replace(
            found, channels=told.channels or channels, sample_rate=told.sample_rate or rate
        )
    return found


def _double(body: memoryview, at: int) -> int:
    """Return the whole part of a big-endian double that can be a sample rate, else 0."""
    (word,) = unpack(">Q", body, at)
    exponent = (word >> 52) - 1023
    mantissa = word & ((1 << 52) - 1) | 1 << 52
    return mantissa >> (52 - exponent) if 0 <= exponent < 24 else 0


def _config(inside: dict[bytes, memoryview]) -> bytes:
    for kind in CONFIG_BOXES:
        if kind in inside:
            return bytes(inside[kind])
    return b""


def _pcm_bits(inside: dict[bytes, memoryview], bits: int) -> int:
    """ISO/IEC 23003-5: pcmC says the sample size of ipcm and fpcm."""
    return inside[b"pcmC"][5] if len(inside.get(b"pcmC", b"")) >= 6 else bits


def _pcm_is_little(inside: dict[bytes, memoryview]) -> bool:
    return len(inside.get(b"pcmC", b"")) >= 6 and bool(inside[b"pcmC"][4] & 1)


def _pcm(kind: bytes, *, bits: int, little: bool, flags: int) -> str:
    fixed = {b"in24": 24, b"in32": 32, b"fl32": 32, b"fl64": 64}
    if kind in (b"ulaw", b"alaw"):
        return audio_name(kind)
    bits = fixed.get(kind, bits)
    is_float = kind in (b"fl32", b"fl64", b"fpcm") or (kind == b"lpcm" and bool(flags & 1))
    if kind == b"lpcm":  # CoreAudio format flags: 1 float, 2 big-endian, 4 signed
        little = not flags & 2
    little = little or kind == b"sowt"
    if bits == 8:
        unsigned = kind in (b"raw ", b"NONE") or (kind == b"lpcm" and not flags & 4)
        return "pcm_u8" if unsigned else "pcm_s8"
    if kind == b"raw ":  # 16-bit raw is little-endian by old habit
        little = True
    name = f"pcm_{'f' if is_float else 's'}{bits}{'le' if little else 'be'}"
    return name if name in PCM_BITS else audio_name(kind)


def _elementary(esds: memoryview, codec: str) -> tuple[str, bytes]:
    """Open an esds box (ISO/IEC 14496-1 §7.2.6): the object type decides the codec."""
    at = 4
    config = b""
    while at < len(esds):
        tag, start, stop = _descriptor(esds, at)
        if tag == 3:  # ES_Descriptor: its content follows in line
            flags = unpack(">B", esds, start + 2)[0]
            at = start + 3 + (2 if flags & 0x80 else 0) + (2 if flags & 0x20 else 0)
            if flags & 0x40:
                at += 1 + unpack(">B", esds, at)[0]
        elif tag == 4:  # DecoderConfigDescriptor
            codec = OBJECT_TYPES.get(unpack(">B", esds, start)[0], codec)
            at = start + 13
        elif tag == 5:  # DecoderSpecificInfo
            config = bytes(esds[start:stop])
            at = stop
        else:
            at = stop
    return codec, config


def _descriptor(data: memoryview, at: int) -> tuple[int, int, int]:
    """Return tag, start and stop of the descriptor at *at*; it always moves forward."""
    tag = data[at]
    size, at = 0, at + 1
    for _ in range(4):
        (byte,) = unpack(">B", data, at)
        size, at = size << 7 | byte & 0x7F, at + 1
        if not byte & 0x80:
            break
    return tag, at, min(at + size, len(data))

"""H.264 parameter sets: what a track's pictures are, and whether a copy stays true to its header.

Source: ITU-T H.264 §7.3.2.1, annex E; ISO/IEC 14496-15 §5.3.3.1.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from headwater.containers.bits import Bits

SPS_UNIT, PPS_UNIT = 7, 8
HIGH_PROFILES = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)
MAX_SPS_BYTES = 4096
ASPECTS = (
    (1, 1),
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AvcConfig:
    """An avcC: how long a unit's length is, and the parameter sets kept out of the stream."""

    length_bytes: int
    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sps:
    """A sequence parameter set. *level* is times ten (1b reads 9 or 11 with constraint bit 3).

    *constraints* is the byte between profile and level. Colour numbers are H.273's, 2 when unsaid.
    *reorder* is how many pictures may wait for one to be shown first, None when unsaid.
    """

    profile: int
    constraints: int
    level: int
    chroma: int
    bit_depth: int
    width: int
    height: int
    progressive: bool
    references: int
    sample_aspect: tuple[int, int] = (1, 1)
    full_range: bool = False
    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    reorder: int | None = None


def parse_avcc(config: bytes) -> AvcConfig | None:
    """Read an AVCDecoderConfigurationRecord, None if it is none."""
    if len(config) < 7 or config[0] != 1:
        return None
    at, sets = 5, []
    for mask in (0x1F, 0xFF):
        if at >= len(config):
            return None
        count, at = config[at] & mask, at + 1
        units = []
        for _ in range(count):
            size = int.from_bytes(config[at : at + 2], "big")
            unit = config[at + 2 : at + 2 + size]
            if at + 2 > len(config) or len(unit) < size:
                return None
            units.append(unit)
            at += 2 + size
        sets.append(tuple(units))
    return AvcConfig(length_bytes=(config[4] & 3) + 1, sps=sets[0], pps=sets[1])


def first_sps(config: bytes) -> Sps | None:
    """Return the first sequence parameter set of an avcC, None if there is none to read."""
    avcc = parse_avcc(config)
    return parse_sps(avcc.sps[0]) if avcc and avcc.sps else None


def parse_sps(unit: bytes) -> Sps | None:
    """Read a sequence parameter set (with its unit header), None if it is damaged."""
    if len(unit) < 5 or len(unit) > MAX_SPS_BYTES or unit[0] & 31 != SPS_UNIT:
        return None
    bits = Bits(unescaped(unit[1:]))
    profile, constraints, level = bits.take(8), bits.take(8), bits.take(8)
    bits.unsigned()
    chroma, bit_depth = 1, 8
    if profile in HIGH_PROFILES:
        chroma, bit_depth = _high(bits)
    _order(bits)
    references = bits.unsigned()
    bits.flag()
    width = (bits.unsigned() + 1) * 16
    map_rows = bits.unsigned() + 1
    progressive = bits.flag()
    if not progressive:
        bits.flag()
    bits.flag()
    height = map_rows * 16 * (1 if progressive else 2)
    if bits.flag():
        left, right, top, bottom = (bits.unsigned() for _ in range(4))
        across, down = {1: (2, 2), 2: (2, 1)}.get(chroma, (1, 1))
        width -= (left + right) * across
        height -= (top + bottom) * down * (1 if progressive else 2)
    told = _vui(bits) if bits.flag() else {}
    if bits.over or width <= 0 or height <= 0:
        return None
    return Sps(
        profile=profile,
        constraints=constraints,
        level=level,
        chroma=chroma,
        bit_depth=bit_depth,
        width=width,
        height=height,
        progressive=progressive,
        references=references,
        **told,  # type: ignore[arg-type]
    )


def _high(bits: Bits) -> tuple[int, int]:
    """Read what the high profiles add; return chroma format and the larger bit depth."""
    chroma = bits.unsigned()
    if chroma == 3:
        bits.flag()
    bit_depth = 8 + max(bits.unsigned(), bits.unsigned())
    bits.flag()
    if bits.flag():
        for place in range(12 if chroma == 3 else 8):
            if bits.flag():
                _scaling_list(bits, 16 if place < 6 else 64)
    return chroma, bit_depth


def _scaling_list(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _order(bits: Bits) -> None:
    bits.unsigned()
    kind = bits.unsigned()
    if kind == 0:
        bits.unsigned()
    elif kind == 1:
        bits.flag()
        bits.signed()
        bits.signed()
        for _ in range(min(bits.unsigned(), 255)):
            bits.signed()


def _vui(bits: Bits) -> dict[str, object]:
    told: dict[str, object] = {}
    if bits.flag():
        code = bits.take(8)
        aspect = (bits.take(16), bits.take(16)) if code == 255 else (1, 1)
        if code < len(ASPECTS):
            aspect = ASPECTS[code]
        told["sample_aspect"] = aspect if aspect[0] and aspect[1] else (1, 1)
    if bits.flag():
        bits.flag()
    if bits.flag():
        bits.take(3)
        told["full_range"] = bits.flag()
        if bits.flag():
            told["primaries"], told["transfer"], told["matrix"] = (bits.take(8) for _ in range(3))
    if bits.flag():
        bits.unsigned()
        bits.unsigned()
    if bits.flag():
        bits.take(65)
    has_rates = [_hypothetical_decoder(bits) for _ in range(2) if bits.flag()]
    if has_rates:
        bits.flag()
    bits.flag()
    if bits.flag():
        bits.flag()
        for _ in range(4):
            bits.unsigned()
        told["reorder"] = bits.unsigned()
        bits.unsigned()
    return told


def _hypothetical_decoder(bits: Bits) -> bool:
    count = min(bits.unsigned() + 1, 32)
    bits.take(8)
    for _ in range(count):
        bits.unsigned()
        bits.unsigned()
        bits.flag()
    bits.take(20)
    return True


def unescaped(unit: bytes) -> bytes:
    """Return *unit* without its emulation prevention bytes (§7.4.1.1)."""
    parts = unit.split(b"\x00\x00\x03")
    return b"\x00\x00".join(parts)


def units(sample: bytes, length_bytes: int) -> Iterator[bytes]:
    """Yield the units of a length-prefixed sample; a damaged rest is left out."""
    at = 0
    while at + length_bytes < len(sample):
        size = int.from_bytes(sample[at : at + length_bytes], "big")
        at += length_bytes
        if not size or at + size > len(sample):
            return
        yield sample[at : at + size]
        at += size


def annexb_units(data: bytes) -> Iterator[bytes]:
    """Yield the units between start codes (annex B)."""
    for part in data.split(b"\x00\x00\x01")[1:]:
        if unit := part.rstrip(b"\x00"):
            yield unit


def carries_other_parameters(config: bytes, samples: Iterable[bytes]) -> bool:
    """Say whether *samples* bring parameter sets that the avcC *config* does not hold.

    A config that is no avcC holds none, so its samples cannot be told apart and the answer is yes.
    """
    avcc = parse_avcc(config)
    if avcc is None:
        return True
    known = {unit.rstrip(b"\x00") for unit in (*avcc.sps, *avcc.pps)}
    return any(
        unit[0] & 31 in (SPS_UNIT, PPS_UNIT) and unit.rstrip(b"\x00") not in known
        for sample in samples
        for unit in units(sample, avcc.length_bytes)
    )

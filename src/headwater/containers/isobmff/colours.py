"""Colour names of model.plan.Colour as the code points of H.273, for colr boxes."""

import struct

from headwater.containers.isobmff.boxes import box
from headwater.model.plan import Colour

UNSPECIFIED = 2

PRIMARIES = {
    "bt709": 1,
    "bt470m": 4,
    "bt470bg": 5,
    "smpte170m": 6,
    "smpte240m": 7,
    "film": 8,
    "bt2020": 9,
    "smpte428": 10,
    "smpte431": 11,
    "smpte432": 12,
    "ebu3213": 22,
    "jedec-p22": 22,
}
TRANSFER = {
    "bt709": 1,
    "gamma22": 4,
    "bt470m": 4,
    "gamma28": 5,
    "bt470bg": 5,
    "smpte170m": 6,
    "smpte240m": 7,
    "linear": 8,
    "log100": 9,
    "log316": 10,
    "iec61966-2-4": 11,
    "bt1361e": 12,
    "iec61966-2-1": 13,
    "bt2020-10": 14,
    "bt2020-12": 15,
    "smpte2084": 16,
    "smpte428": 17,
    "arib-std-b67": 18,
}
SPACE = {
    "gbr": 0,
    "bt709": 1,
    "fcc": 4,
    "bt470bg": 5,
    "smpte170m": 6,
    "smpte240m": 7,
    "ycgco": 8,
    "bt2020nc": 9,
    "bt2020c": 10,
    "smpte2085": 11,
    "chroma-derived-nc": 12,
    "chroma-derived-c": 13,
    "ictcp": 14,
}


def colr(colour: Colour) -> bytes:
    """Return the colr box (ISO/IEC 14496-12 §12.1.5), b"" where nothing is known."""
    points = (
        PRIMARIES.get(colour.primaries, UNSPECIFIED),
        TRANSFER.get(colour.transfer, UNSPECIFIED),
        SPACE.get(colour.space, UNSPECIFIED),
    )
    full = colour.range in ("pc", "full", "jpeg")
    if points == (UNSPECIFIED,) * 3 and not full:
        return b""
    return box(b"colr", b"nclx", struct.pack(">HHHB", *points, full << 7))

"""Hand-made sample tables: what a container would say, without a container."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from headwater.containers.table import Edit, SourceIndex, TrackTable
from headwater.model.look import Look
from headwater.model.plan import Plan
from headwater.planning.plan import PlanSettings, make_plan

VIDEO, AUDIO = 1, 2


class _BitWriter:
    def __init__(self) -> None:
        self.text = ""

    def put(self, value: int, width: int) -> None:
        self.text += f"{value:0{width}b}"

    def golomb(self, *values: int) -> None:
        for value in values:
            bits = f"{value + 1:b}"
            self.text += "0" * (len(bits) - 1) + bits

    def unit(self, kind: int) -> bytes:
        text = self.text + "1"
        text += "0" * (-len(text) % 8)
        raw = int(text, 2).to_bytes(len(text) // 8, "big")
        out = bytearray([0x60 | kind])
        for byte in raw:
            if byte <= 3 and out[-2:] == b"\0\0":
                out.append(3)
            out.append(byte)
        return bytes(out)


def avcc(
    width: int = 1920,
    height: int = 1080,
    *,
    profile: int = 100,
    level: int = 40,
    chroma: int = 1,
    bit_depth: int = 8,
    progressive: bool = True,
) -> bytes:
    """Return an avcC whose one SPS says so."""
    bits = _BitWriter()
    bits.put(profile, 8)
    bits.put(0, 8)
    bits.put(level, 8)
    bits.golomb(0)
    if profile >= 100:
        bits.golomb(chroma, bit_depth - 8, bit_depth - 8)
        bits.put(0, 2)
    bits.golomb(0, 0, 0, 4)  # frame numbers, picture order, references
    bits.put(0, 1)
    across, down = -(-width // 16), -(-height // 16)
    rows = down if progressive else -(-down // 2)
    bits.golomb(across - 1, rows - 1)
    bits.put(int(progressive), 1)
    if not progressive:
        bits.put(0, 1)
    bits.put(1, 1)
    coded = rows * 16 * (1 if progressive else 2)
    crop = (across * 16 - width) // 2, (coded - height) // (2 if progressive else 4)
    bits.put(int(any(crop)), 1)
    if any(crop):
        bits.golomb(0, crop[0], 0, crop[1])
    bits.put(0, 1)  # no VUI
    sps, pps = bits.unit(7), b"\x68\xee\x3c\x80"
    head = bytes([1, sps[1], sps[2], sps[3], 0xFF, 0xE1])
    return head + len(sps).to_bytes(2, "big") + sps + b"\x01" + len(pps).to_bytes(2, "big") + pps


def table(
    kind: Literal["video", "audio"], pts: Sequence[int], *, duration: int, **told: Any
) -> TrackTable:
    """Return a table of samples at *pts*, in decode order, one after the other in the file."""
    count = len(pts)
    sizes = np.asarray(told.pop("sizes", np.full(count, 1000)), dtype=np.int64)
    values: dict[str, Any] = {
        "number": VIDEO if kind == "video" else AUDIO,
        "kind": kind,
        "family": "isobmff",
        "codec": "h264" if kind == "video" else "aac",
        "timescale": 90_000,
        "offsets": np.cumsum(sizes) - sizes,
        "sizes": sizes,
        "pts": np.asarray(pts, dtype=np.int64),
        "dts": np.arange(count, dtype=np.int64) * duration,
        "durations": np.full(count, duration, dtype=np.int64),
        "sync": np.ones(count, dtype=np.bool_),
        "description": b"",
        "config": b"",
    }
    if kind == "video":
        values |= {"width": 1920, "height": 1080}
    return TrackTable(**(values | told))


def video(
    seconds: float = 20,
    *,
    fps: int = 30,
    gop: int = 60,
    reorder: bool = False,
    open_gops: bool = False,
    timescale: int = 15_360,
    **told: Any,
) -> TrackTable:
    """Return constant frame rate video, a keyframe every *gop* frames.

    *reorder*: two B-frames between references, so that times run ahead by two frames and an edit
    takes them back. *open_gops*: the two frames after a keyframe are presented before it.
    """
    count, step = round(seconds * fps), timescale // fps
    order = np.arange(count)
    sync = order % gop == 0
    if reorder:
        for first in range(0, count, gop):
            size = min(gop, count - first)
            order[first : first + size] = first + _reordered(size)
        told.setdefault("edits", (Edit(media_time=2 * step, duration=count * step),))
    if open_gops:
        for first in range(gop, count - 2, gop):
            order[first - 2 : first + 1] = [first, first - 2, first - 1]
            sync[first], sync[first - 2] = False, True
    delay = 2 * step if reorder else 0
    told.setdefault("sizes", np.where(sync, 30_000, 5_000))
    return table(
        "video",
        order * step + delay,
        duration=step,
        timescale=timescale,
        sync=told.pop("sync", sync),
        **told,
    )


def _reordered(size: int) -> Any:
    order = [0]
    while len(order) < size:
        at = len(order)
        order += [at + 2, at, at + 1] if at + 2 < size else [at]
    return np.array(order)


def sound(
    seconds: float = 20, *, rate: int = 48_000, channels: int = 2, priming: int = 0, **told: Any
) -> TrackTable:
    """Return AAC-LC; *priming* samples before what an edit shows."""
    count = -(-round(seconds * rate) // 1024) + -(-priming // 1024)
    frequency = {48_000: 3, 44_100: 4, 24_000: 6}.get(rate, 15)
    config = (2 << 11 | frequency << 7 | channels << 3).to_bytes(2, "big")
    values: dict[str, Any] = {
        "timescale": rate,
        "config": config,
        "channels": channels,
        "sample_rate": rate,
        "sizes": np.full(count, 350),
    }
    if priming:
        values["edits"] = (Edit(media_time=priming, duration=round(seconds * rate)),)
    return table("audio", (np.arange(count) * 1024).tolist(), duration=1024, **(values | told))


def delayed(source: TrackTable, ticks: int) -> TrackTable:
    return replace(source, pts=source.pts + ticks, dts=source.dts + ticks)


def looks_at(*tables: TrackTable) -> dict[int, Look]:
    return {
        one.number: Look(
            width=one.width,
            height=one.height,
            pixel_format="yuv420p" if one.kind == "video" else "",
            sample_aspect=one.sample_aspect,
            channels=one.channels,
            sample_rate=one.sample_rate,
        )
        for one in tables
    }


def plan_of(*tables: TrackTable, copy_peak_bps: int = 40_000_000, **told: Any) -> Plan:
    index = SourceIndex(family=tables[0].family, tracks=tables, **told)
    return make_plan(
        index,
        looks_at(*tables),
        settings=PlanSettings(copy_peak_bps=copy_peak_bps),
        encoder="test",
        remuxed=False,
    )

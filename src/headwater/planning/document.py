"""The plan as one document: MessagePack, with cuts and windows as differences.

The same plan gives the same bytes: a generation is named after them.
"""

from collections.abc import Callable
from itertools import accumulate, pairwise

import msgspec
from msgspec.structs import replace

from headwater.model.errors import InvalidInput
from headwater.model.plan import AudioPlan, Plan, Rendition, VideoPlan

VERSION = 1

Turn = Callable[[list[int]], list[int]]


class _Document(msgspec.Struct, frozen=True, array_like=True):
    version: int
    plan: Plan


def encode_plan(plan: Plan) -> bytes:
    return msgspec.msgpack.encode(_Document(VERSION, _turned(plan, _differences)))


def decode_plan(document: bytes) -> Plan:
    """Return the plan that encode_plan was given.

    Raises:
        InvalidInput: not a plan, or one of a version this program does not know.
    """
    try:
        found = msgspec.msgpack.decode(document, type=_Document)
    except msgspec.MsgspecError as error:
        raise InvalidInput("This is not a plan.") from error
    if found.version != VERSION:
        raise InvalidInput(f"This plan has version {found.version}; {VERSION} is known.")
    return _turned(found.plan, _sums)


def _turned(plan: Plan, turn: Turn) -> Plan:
    return replace(
        plan,
        video=_video(plan.video, turn) if plan.video else None,
        audio=[_audio(audio, turn) for audio in plan.audio],
    )


def _video(video: VideoPlan, turn: Turn) -> VideoPlan:
    return replace(
        video,
        cuts=turn(video.cuts),
        windows=_windows(video.windows, turn),
        owns=_windows(video.owns, turn),
    )


def _audio(audio: AudioPlan, turn: Turn) -> AudioPlan:
    return replace(audio, renditions=[_rendition(one, turn) for one in audio.renditions])


def _rendition(rendition: Rendition, turn: Turn) -> Rendition:
    return replace(
        rendition,
        cuts=turn(rendition.cuts),
        windows=_windows(rendition.windows, turn),
        starts=turn(rendition.starts),
    )


def _windows(windows: list[tuple[int, int]], turn: Turn) -> list[tuple[int, int]]:
    lows = turn([lo for lo, _ in windows])
    highs = turn([hi for _, hi in windows])
    return list(zip(lows, highs, strict=True))


def _differences(values: list[int]) -> list[int]:
    return values[:1] + [after - before for before, after in pairwise(values)]


def _sums(values: list[int]) -> list[int]:
    return list(accumulate(values))

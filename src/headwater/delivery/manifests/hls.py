"""HLS: the multivariant playlist and the media playlists of a plan (RFC 8216bis).

Complete as soon as the plan exists. docs/hls-checklist.md says which of Apple's authoring rules
they keep; tests/delivery/test_hls.py holds them to it.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from headwater.delivery.manifests.sounds import Sound, sounds_of
from headwater.model.errors import NotFound
from headwater.model.ids import TrackId
from headwater.model.plan import Plan, Rendition, Rung

VERSION = 7  # EXT-X-MAP outside I-frame playlists came with 6, CMAF's audio groups with 7
FIRST_BPS = 4_000_000  # players start with the first variant: the best one that most lines carry
MICROSECONDS = 1_000_000


def master(plan: Plan, *, stream: str) -> str:
    """Return the multivariant playlist; addresses are relative to the video's, below *stream*."""
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS"]
    sounds = sounds_of(plan)
    groups = _groups(sounds)
    for group, renditions in groups.items():
        lines += [
            _media(group, sound, rendition, stream=stream)
            for sound, rendition in zip(sounds, renditions, strict=True)
        ]
    rungs = _first_first(plan.video.rungs) if plan.video else []
    for group, renditions in (groups or {"": []}).items():
        for rung in rungs:
            lines += _variant(rung, group, renditions, stream=stream)
        if not rungs:
            default = next(i for i, sound in enumerate(sounds) if sound.default)
            lines += _sound_variant(renditions[default], group, renditions, stream=stream)
    return "\n".join(lines) + "\n"


def media_playlist(plan: Plan, track: TrackId) -> str:
    """Return the playlist of *track*; addresses are relative to its own.

    Each EXTINF is the difference of two rounded ends, so that their sum is never off by more than a
    microsecond, whatever the length.

    Raises:
        NotFound: the plan has no such track.
    """
    cuts, timescale = _cuts(plan, track)
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{target_duration(plan)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        '#EXT-X-MAP:URI="init.mp4"',
    ]
    ends = [(cut * MICROSECONDS * 2 + timescale) // (2 * timescale) for cut in cuts]
    for index in range(len(cuts) - 1):
        seconds, rest = divmod(ends[index + 1] - ends[index], MICROSECONDS)
        lines += [f"#EXTINF:{seconds}.{rest:06d},", f"{index}.m4s"]
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


def target_duration(plan: Plan) -> int:
    """Return the target duration: no segment, rounded to the nearest second, is longer.

    One for all playlists of a video (RFC 8216bis §6.2.4).
    """
    longest = Fraction(1)
    for track in plan.track_ids():
        cuts, timescale = _cuts(plan, track)
        ticks = max(after - before for before, after in pairwise(cuts))
        longest = max(longest, Fraction(ticks, timescale))
    return int(longest + Fraction(1, 2))


def _cuts(plan: Plan, track: TrackId) -> tuple[list[int], int]:
    if plan.video and any(rung.id == track for rung in plan.video.rungs):
        return plan.video.cuts, plan.video.timescale
    for audio in plan.audio:
        for rendition in audio.renditions:
            if rendition.id == track:
                return rendition.cuts, rendition.sample_rate
    raise NotFound("This video has no such track.")


def _groups(sounds: Sequence[Sound]) -> dict[str, list[Rendition]]:
    """Return the audio groups: stereo always, surround with the same tracks where any has it."""
    groups = {"stereo": [sound.stereo for sound in sounds]} if sounds else {}
    if any(sound.surround for sound in sounds):
        groups["surround"] = [sound.surround or sound.stereo for sound in sounds]
    return groups


def _first_first(rungs: Sequence[Rung]) -> list[Rung]:
    """Put the rung to start with first; the others follow, lowest first."""
    modest = [rung for rung in rungs if rung.peak_bps <= FIRST_BPS]
    first = (modest or rungs)[-1 if modest else 0]
    return [first, *(rung for rung in rungs if rung is not first)]


def _media(group: str, sound: Sound, rendition: Rendition, *, stream: str) -> str:
    told = f'TYPE=AUDIO,GROUP-ID="{group}",NAME="{sound.name}"'
    if sound.language:
        told += f',LANGUAGE="{sound.language}"'
    told += f",DEFAULT={_yes(sound.default)},AUTOSELECT={_yes(sound.auto)}"
    return (
        f'#EXT-X-MEDIA:{told},CHANNELS="{rendition.channels}",'
        f'URI="{_playlist(stream, rendition.id)}"'
    )


def _variant(rung: Rung, group: str, renditions: Sequence[Rendition], *, stream: str) -> list[str]:
    peak = rung.peak_bps + max((r.peak_bps for r in renditions), default=0)
    average = rung.average_bps + max((r.bitrate_bps for r in renditions), default=0)
    codecs = ",".join([rung.codecs, *dict.fromkeys(r.codecs for r in renditions)])
    rate, scale = rung.frame_rate
    told = (
        f'BANDWIDTH={peak},AVERAGE-BANDWIDTH={min(average, peak)},CODECS="{codecs}",'
        f"RESOLUTION={rung.width}x{rung.height},FRAME-RATE={rate / scale:.3f},VIDEO-RANGE=SDR"
    )
    if group:
        told += f',AUDIO="{group}"'
    return [f"#EXT-X-STREAM-INF:{told},CLOSED-CAPTIONS=NONE", _playlist(stream, rung.id)]


def _sound_variant(
    rendition: Rendition, group: str, renditions: Sequence[Rendition], *, stream: str
) -> list[str]:
    peak = max(r.peak_bps for r in renditions)
    average = min(peak, max(r.bitrate_bps for r in renditions))
    codecs = ",".join(dict.fromkeys(r.codecs for r in renditions))
    told = f'BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},CODECS="{codecs}",AUDIO="{group}"'
    return [f"#EXT-X-STREAM-INF:{told}", _playlist(stream, rendition.id)]


def _playlist(stream: str, track: TrackId) -> str:
    return f"{stream}/{track}/playlist.m3u8"


def _yes(answer: bool) -> str:  # noqa: FBT001 - the attribute's own word
    return "YES" if answer else "NO"

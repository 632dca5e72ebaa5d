"""DASH: the manifest of a plan (ISO/IEC 23009-1), over the same CMAF segments as HLS."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby, pairwise

from headwater.delivery.manifests.hls import target_duration
from headwater.delivery.manifests.sounds import Sound, sounds_of
from headwater.model.plan import Plan, Rendition, VideoPlan

PROFILES = "urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019"
ROLE = "urn:mpeg:dash:role:2011"
CHANNELS = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
CHANNEL_CONFIGURATION = {7: 11, 8: 7}  # ISO/IEC 23091-3: 7 means 7.1; up to six it is the count


def mpd(plan: Plan, *, stream: str) -> str:
    """Return the manifest; addresses are relative to the video's, below *stream*."""
    sets = [_video(plan.video, stream)] if plan.video else []
    for sound in sounds_of(plan):
        for rendition in filter(None, (sound.stereo, sound.surround)):
            sets.append(_sound(sound, rendition, stream, number=len(sets)))
    attributes = {
        "xmlns": "urn:mpeg:dash:schema:mpd:2011",
        "profiles": PROFILES,
        "type": "static",
        "mediaPresentationDuration": f"PT{plan.duration_s:.6f}S",
        "minBufferTime": f"PT{target_duration(plan)}S",
    }
    period = _element("Period", {"id": "0", "start": "PT0S"}, "".join(sets))
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + _element("MPD", attributes, period) + "\n"


def _video(video: VideoPlan, stream: str) -> str:
    rungs = "".join(
        _element(
            "Representation",
            {
                "id": rung.id,
                "bandwidth": rung.peak_bps,
                "codecs": rung.codecs,
                "width": rung.width,
                "height": rung.height,
                "frameRate": _ratio(rung.frame_rate),
                "sar": "1:1",
            },
        )
        for rung in video.rungs
    )
    attributes = {
        "id": 0,
        "contentType": "video",
        "mimeType": "video/mp4",
        "segmentAlignment": "true",
        "startWithSAP": 1,
        "maxWidth": max(rung.width for rung in video.rungs),
        "maxHeight": max(rung.height for rung in video.rungs),
    }
    template = _template(stream, video.timescale, video.cuts)
    return _element("AdaptationSet", attributes, _role("main") + template + rungs)


def _sound(sound: Sound, rendition: Rendition, stream: str, *, number: int) -> str:
    channels = CHANNEL_CONFIGURATION.get(rendition.channels, rendition.channels)
    representation = _element(
        "Representation",
        {
            "id": rendition.id,
            "bandwidth": rendition.peak_bps,
            "codecs": rendition.codecs,
            "audioSamplingRate": rendition.sample_rate,
        },
        _element("AudioChannelConfiguration", {"schemeIdUri": CHANNELS, "value": channels}),
    )
    attributes = {
        "id": number,
        "contentType": "audio",
        "mimeType": "audio/mp4",
        "segmentAlignment": "true",
        "startWithSAP": 1,
        **({"lang": sound.language} if sound.language else {}),
    }
    main = sound.default and rendition is sound.stereo
    body = (
        _role("main" if main else "alternate")
        + _element("Label", {}, escape(sound.name))
        + _template(stream, rendition.sample_rate, rendition.cuts)
        + representation
    )
    return _element("AdaptationSet", attributes, body)


def _role(value: str) -> str:
    return _element("Role", {"schemeIdUri": ROLE, "value": value})


def _template(stream: str, timescale: int, cuts: Sequence[int]) -> str:
    runs = [
        (duration, len(list(same)))
        for duration, same in groupby(after - before for before, after in pairwise(cuts))
    ]
    rows = []
    for number, (duration, count) in enumerate(runs):
        row: dict[str, object] = {"t": cuts[0]} if number == 0 else {}
        row["d"] = duration
        if count > 1:
            row["r"] = count - 1
        rows.append(_element("S", row))
    return _element(
        "SegmentTemplate",
        {
            "timescale": timescale,
            "startNumber": 0,
            "initialization": f"{stream}/$RepresentationID$/init.mp4",
            "media": f"{stream}/$RepresentationID$/$Number$.m4s",
        },
        _element("SegmentTimeline", {}, "".join(rows)),
    )


def _ratio(rate: tuple[int, int]) -> str:
    return str(rate[0]) if rate[1] == 1 else f"{rate[0]}/{rate[1]}"


def _element(name: str, attributes: Mapping[str, object], body: str = "") -> str:
    told = "".join(f' {key}="{escape(str(value))}"' for key, value in attributes.items())
    return f"<{name}{told}>{body}</{name}>" if body else f"<{name}{told}/>"

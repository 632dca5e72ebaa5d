"""Numbers as people say them: ages, lengths, sizes and states; the exact ones stand in a title."""

import math
from datetime import UTC, datetime

from headwater.faces.web.texts import Texts
from headwater.model.video import Video, VideoState

MINUTE_S = 60
HOUR_S = 60 * MINUTE_S
DAY_S = 24 * HOUR_S
STEPS = (  # the first step whose limit the age stays under names it
    (HOUR_S, MINUTE_S, "words.minutes"),
    (DAY_S, HOUR_S, "words.hours"),
    (7 * DAY_S, DAY_S, "words.days"),
    (30 * DAY_S, 7 * DAY_S, "words.weeks"),
    (365 * DAY_S, 30 * DAY_S, "words.months"),
    (math.inf, 365 * DAY_S, "words.years"),
)


def age(texts: Texts, then: float, now: float) -> str:
    """Say how long ago *then* was, rounded down: "3 days ago"."""
    seconds = now - then
    if seconds < MINUTE_S:
        return texts("words.now")
    for limit, unit, key in STEPS:
        if seconds < limit:
            return texts(key, n=int(seconds // unit))
    raise AssertionError


def left(texts: Texts, seconds: float | None) -> str:
    """Say an estimate of the time left, as roughly as it is known; "" where nobody knows."""
    if seconds is None:
        return ""
    minutes, hours = int(seconds / MINUTE_S + 0.5), int(seconds / HOUR_S + 0.5)
    if minutes < 1:
        return texts("words.left_moment")
    if minutes < HOUR_S // MINUTE_S:
        return texts("words.left_minutes", n=minutes)
    return texts("words.left_hours", n=hours)


def exact_time(then: float) -> str:
    return datetime.fromtimestamp(then, UTC).strftime("%d %B %Y, %H:%M UTC")


def machine_time(then: float) -> str:
    return datetime.fromtimestamp(then, UTC).isoformat(timespec="seconds")


def clock(seconds: float) -> str:
    """Say a length as the player does: 0:07, 4:05, 1:02:09; a part of a second counts as none."""
    total = max(0, int(seconds))
    hours, rest = divmod(total, HOUR_S)
    minutes, left = divmod(rest, MINUTE_S)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def size(count: float) -> str:
    """Say a number of bytes in decimal units, two digits below ten: "2.8 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return _digits(count, unit)
        count /= 1000
    return _digits(count, "TB")


def _digits(count: float, unit: str) -> str:
    whole = unit == "B" or count >= 10
    return f"{count:.0f} {unit}" if whole else f"{count:.1f} {unit}"


def state(texts: Texts, video: Video, percent: int | None = None) -> str:
    """Say in a person's words where *video* stands; *percent* of it is done, if that is known."""
    match video.state:
        case VideoState.UPLOADING if percent is not None:
            return texts("studio.state_uploading_percent", percent=percent)
        case VideoState.UPLOADING:
            return texts("studio.state_uploading")
        case VideoState.PROCESSING:
            return texts("studio.state_processing")
        case VideoState.PLAYABLE:
            return texts("studio.state_playable", percent=int(video.progress * 100))
        case VideoState.FAILED:
            reason = video.failure.reason if video.failure else ""
            return texts("studio.state_failed_words", reason=reason)
        case VideoState.READY:
            if video.damage:
                return texts("studio.state_damage", damage=video.damage)
            return texts("studio.state_ready_words")

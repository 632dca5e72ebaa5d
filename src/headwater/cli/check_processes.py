"""Checking a deployment: which processes live, and whether they can work together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headwater.cli.check_line import Line
from headwater.model.process import Living

if TYPE_CHECKING:
    from headwater.compose.core import Core

REFUSED = "REFUSED"
MOST_SKEW_S = 2.0  # leases last thirty seconds, and announcements six


async def processes(core: "Core") -> list[Line]:
    """Say who lives, and what would have to change for them to work together with this machine."""
    from headwater.compose.presence import name_of

    found: list[Living] = await core.ask("processes.list")
    now = core.clock.now()
    return [
        *[Line("process", True, _described(one, now)) for one in found],
        *_missing(found),
        *_strangers(found, store=await name_of(core.blobs)),
        *_clocks(found, now),
    ]


def _described(one: Living, now: float) -> str:
    heard = f"heard of {max(now - one.heard_at, 0):.0f} s ago"
    encoder = f", {one.encoders} × {one.build}" if one.build else ""
    return f"{one.role} on {one.host}, {one.version}{encoder}, {heard}"


def _missing(found: Sequence[Living]) -> list[Line]:
    """Name the work that nobody does; of a deployment that does not run nothing is expected."""
    roles = {one.role for one in found}
    if not roles or "all" in roles:
        return []
    lacks = {
        "api": "Nobody answers requests: start `headwater serve --role api`.",
        "worker": "Nobody makes videos watchable: start `headwater serve --role worker`.",
        "scheduler": "Nobody clears away and hands facts on: `headwater serve --role scheduler`.",
    }
    return [Line(role, False, words) for role, words in lacks.items() if role not in roles]


def _strangers(found: Sequence[Living], *, store: str) -> list[Line]:
    """Refuse what keeps its blobs elsewhere than the settings here say."""
    return [
        Line(
            "blobs",
            False,
            f"The {one.role} process on {one.host} (data folder {one.folder}) keeps its blobs in "
            "another store. Set HEADWATER_BLOBS of both to one that both reach: s3://… for "
            "several machines, or a folder that all of them mount.",
            lack=REFUSED,
        )
        for one in found
        if one.store != store
    ]


def _clocks(found: Sequence[Living], now: float) -> list[Line]:
    """Refuse clocks that disagree: leases and announcements are told by them."""
    return [
        Line(
            "clock",
            False,
            f"The clock of {one.host} is {one.heard_at - now:.0f} s ahead of the one here; let "
            "both follow a time server (chrony, systemd-timesyncd).",
            lack=REFUSED,
        )
        for one in found
        if one.heard_at - now > MOST_SKEW_S
    ]

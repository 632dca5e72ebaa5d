"""`headwater space`: what each video costs on disk."""

from typing import TYPE_CHECKING

from headwater.cli.core import Data, with_core
from headwater.cli.table import counted, show, size
from headwater.model.actor import SYSTEM

if TYPE_CHECKING:
    from headwater.compose.core import Core
    from headwater.pipeline.space import Space


def space(data: Data = None) -> None:
    """Say what originals and segments take, in all and for the costliest videos."""

    async def use(core: "Core") -> "Space":
        report: Space = await core.runner.run("space.report", SYSTEM)
        return report

    report: Space = with_core(use, data=data)
    budget = "" if report.budget_bytes is None else f" of {size(report.budget_bytes)}"
    free = "" if report.free_bytes is None else f"; {size(report.free_bytes)} free"
    print(
        f"{counted(report.videos, 'video')}: originals {size(report.source_bytes)}, "
        f"made of them {size(report.stored_bytes)}{budget}{free}."
    )
    if report.budget_bytes is not None and report.stored_bytes > report.budget_bytes:
        print(
            f"{size(report.stored_bytes - report.budget_bytes)} over the budget: what nobody "
            "watched for ten minutes is evicted while a server runs."
        )
    show(
        ("video", "title", "original", "made"),
        (
            (video.id, video.title, size(video.source_bytes), size(video.stored_bytes))
            for video in report.costliest
        ),
    )

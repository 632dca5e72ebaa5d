"""Units of work: transactions open in one place, and what leaves with them reaches others."""

import re
from pathlib import Path

import anyio
import pytest

import headwater
from headwater.compose.core import Core
from headwater.roles import follow_purges, running
from tests.support.system import NOBODY, actor_of, add_video, system

pytestmark = pytest.mark.anyio
PACKAGE = Path(headwater.__file__).parent
HOMES = ("engines/", "operations/units.py", "operations/backup.py")


def test_transactions_are_opened_by_the_runner_only() -> None:
    """A use case that opened its own could commit half of itself, and tell nobody."""
    opened = re.compile(r"database\.(writer|reader)\(|\.commit\(")
    strangers = {
        name
        for path in PACKAGE.rglob("*.py")
        if not (name := str(path.relative_to(PACKAGE))).startswith(HOMES)
        and opened.search(path.read_text(encoding="utf-8"))
    }

    assert strangers == set()


async def test_a_write_in_one_process_is_seen_in_the_others(tmp_path: Path) -> None:
    """Long before its cached copy would have been looked at again."""
    async with (
        system(tmp_path, notices="table:") as here,
        system(tmp_path, notices="table:") as there,
        running(follow_purges(there.notices, there.cache), failed=lambda: None),
    ):
        owner = await actor_of(here)
        video = await add_video(here, owner)
        assert await title_of(there, video.id) == video.title

        await here.runner.run("videos.edit", owner, video_id=video.id, title="Other")

        with anyio.fail_after(4):  # the copy itself would live 5 s
            while await title_of(there, video.id) != "Other":  # noqa: ASYNC110 — seen by asking
                await anyio.sleep(0.02)


async def title_of(core: Core, video_id: str) -> str:
    video = await core.runner.run("videos.get", NOBODY, video_id=video_id)
    title: str = video.title
    return title

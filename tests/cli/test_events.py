"""`headwater events` on the server's own machine: list, show, retry."""

import asyncio
from pathlib import Path

import pytest

from tests.cli.command import headwater
from tests.support.letters import CONSUMER, EVENT, give_up
from tests.support.system import system


@pytest.fixture
def data(tmp_path: Path) -> Path:
    async def prepare() -> None:
        async with system(tmp_path) as core:
            await give_up(core)

    asyncio.run(prepare())
    return tmp_path


def test_an_event_that_was_given_up_is_listed_shown_and_tried_again(data: Path) -> None:
    listed = headwater("events", "list", "--data", data)
    shown = headwater("events", "show", CONSUMER, EVENT, "--data", data)
    again = headwater("events", "retry", CONSUMER, EVENT, "--data", data)

    columns = listed.out.rstrip("\n").split("\t")
    assert columns[:4] == [CONSUMER, EVENT, "video.deleted", "10"]
    assert 'body: {"video":"walk"}' in shown.out.splitlines()
    assert again.out == f"{CONSUMER} gets event {EVENT} again.\n"

"""What nobody could handle is found by whoever runs the server, and handed out again."""

import asyncio
from typing import Any

import anyio
import pytest

from headwater.compose.core import Core
from headwater.compose.faces import open_app, open_faces
from headwater.engines.events.port import Event
from headwater.model.errors import Forbidden, NotFound
from tests.support.letters import CONSUMER, EVENT, give_up
from tests.support.system import actor_of, add_member, client_of

pytestmark = pytest.mark.anyio
PAGE = "/studio/operations"


@pytest.fixture
async def core(core: Core) -> Core:
    """A system in which one event was given up."""
    await give_up(core)
    return core


async def test_the_owner_finds_it_and_tries_again(core: Core) -> None:
    owner = await actor_of(core)
    [letter] = await core.runner.run("events.list", owner)
    named: dict[str, Any] = {"consumer": letter.consumer, "event": letter.event.id}
    assert await core.runner.run("events.show", owner, **named) == letter
    assert letter.error == "LookupError: no such day"

    handled: asyncio.Queue[Event] = asyncio.Queue()
    core.events.consume(CONSUMER, ("no such topic",), handled.put)
    await core.events.start()
    await core.runner.run("events.retry", owner, **named)

    with anyio.fail_after(5):
        assert await handled.get() == letter.event
    with pytest.raises(NotFound):
        await core.runner.run("events.retry", owner, **named)


@pytest.mark.parametrize("name", ["events.list", "events.show", "events.retry"])
async def test_it_is_nobody_elses_business(core: Core, name: str) -> None:
    member = await add_member(core, "member@example.org")
    inputs: dict[str, Any] = {} if name == "events.list" else {"consumer": CONSUMER, "event": EVENT}

    with pytest.raises(Forbidden):
        await core.runner.run(name, member, **inputs)


async def test_the_operations_page_lists_it_with_a_button(core: Core) -> None:
    """Once it waits for its next try, it is on the page no more."""
    app = open_app(core, await open_faces(core))
    async with client_of(core, app=app) as http:
        page = (await http.get(PAGE)).text
        assert "LookupError: no such day" in page
        action = f"{PAGE}/events/{CONSUMER}/{EVENT}/retry"
        assert f'action="{action}"' in page

        pressed = await http.post(action)

        assert (pressed.status_code, pressed.headers["location"]) == (303, PAGE)
        assert "LookupError" not in (await http.get(PAGE)).text
        assert (await http.post(action)).status_code == 404

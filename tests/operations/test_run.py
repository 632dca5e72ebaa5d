"""The runner: every step of the row happens, in order, for real rows on a real database."""

import asyncio
from typing import Any

import msgspec
import pytest

from headwater.access import preferences_repository
from headwater.compose.core import Core
from headwater.engines.events.port import Event
from headwater.engines.work import Units, Work
from headwater.model.actor import SYSTEM, Actor
from headwater.model.errors import (
    Conflict,
    Forbidden,
    HeadwaterError,
    KeyReused,
    RateLimited,
    RequestInFlight,
    Unauthenticated,
)
from headwater.model.freshness import Primary
from headwater.operations.operation import (
    Access,
    CacheFor,
    Idempotency,
    Limit,
    Operation,
    Permission,
)
from headwater.operations.run import Runner
from tests.support.system import NOBODY, actor_of, add_member

pytestmark = pytest.mark.anyio


class Note(msgspec.Struct, frozen=True):
    text: str
    made: int


def row(does: Any, **fields: Any) -> Operation:
    """Return a row for *does* that lets everybody in, unless *fields* say otherwise."""
    values: dict[str, Any] = {
        "name": "tests.it",
        "does": does,
        "consistency": Primary(),
        "cache": None,
        "permission": Permission("system:see", Access.ANYONE),
        "limit": None,
        "idempotency": Idempotency.NATURAL,
        "because": "A test needs it.",
    }
    return Operation(**{**values, **fields})


def runner(core: Core, operation: Operation, **services: Any) -> Runner:
    return Runner([operation], engines=core.engines, services=services)


async def stored(core: Core, name: str) -> bytes | None:
    async with core.engines.reader(SYSTEM) as work:
        return await preferences_repository.find(work.session, name)


class Notes:
    """Use cases that leave traces."""

    def __init__(self) -> None:
        self.made = 0
        self.has_begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def write(self, *, work: Work, text: str) -> Note:
        self.made += 1
        await preferences_repository.add(work.session, text, b"1")
        work.facts.append(("tests.written", b"{}"))
        work.notices.append(("tests", text.encode()))
        work.purges.append(f"note:{text}")
        return Note(text, self.made)

    async def write_slowly(self, *, units: Units, text: str) -> Note:
        self.made += 1
        self.has_begun.set()
        await self.may_end.wait()
        async with units.writer() as work:
            await preferences_repository.add(work.session, text, b"1")
        return Note(text, self.made)

    async def break_down(self, *, work: Work, text: str) -> Note:
        await self.write(work=work, text=text)
        raise ZeroDivisionError("at /secret/path")

    async def refuse(self, *, work: Work, text: str) -> Note:
        await self.write(work=work, text=text)
        raise Conflict("Not now.")

    async def read(self, *, work: Work, text: str) -> Note:
        await preferences_repository.find(work.session, text)
        self.made += 1
        return Note(text, self.made)


async def test_a_write_is_committed_and_told(core: Core) -> None:
    notes = Notes()

    async with core.notices.listen("tests") as news:
        answer = await runner(core, row(notes.write)).run("tests.it", SYSTEM, text="a")
        async with asyncio.timeout(5):
            heard = await anext(news)

    assert answer == Note("a", 1)
    assert await stored(core, "a") == b"1"
    assert heard == ("tests", b"a")


async def test_what_an_event_has_done_is_not_done_again(core: Core) -> None:
    """The claim is kept with the rows; what failed has claimed nothing."""
    notes, event = Notes(), Event("7", "t", b"", 1.0)

    async def claim(work: Work) -> bool:
        return await core.events.claim(work.session, "c", event, now=work.now)

    with pytest.raises(Conflict):
        await runner(core, row(notes.refuse)).run("tests.it", SYSTEM, once=claim, text="a")
    asked = [
        await runner(core, row(notes.write)).run("tests.it", SYSTEM, once=claim, text="a")
        for _ in range(2)
    ]

    assert asked == [Note("a", 2), None]
    assert await stored(core, "a") == b"1"


@pytest.mark.parametrize("use_case", ["refuse", "break_down"])
async def test_what_fails_leaves_nothing(core: Core, use_case: str) -> None:
    """Neither the row nor the fact nor the notice of a use case that raised."""
    notes = Notes()

    async with core.notices.listen("tests") as news:
        with pytest.raises(HeadwaterError):
            await runner(core, row(getattr(notes, use_case))).run("tests.it", SYSTEM, text="a")
        await core.notices.publish("tests", b"after")
        async with asyncio.timeout(5):
            assert await anext(news) == ("tests", b"after")

    assert await stored(core, "a") is None


async def test_an_unknown_error_becomes_internal_without_details(core: Core) -> None:
    with pytest.raises(HeadwaterError) as caught:
        await runner(core, row(Notes().break_down)).run("tests.it", SYSTEM, text="a")

    assert type(caught.value) is HeadwaterError
    assert caught.value.code == "internal"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("who", "error"),
    [
        (Access.SIGNED_IN, Unauthenticated),
        (Access.OWNER, Unauthenticated),
        (Access.SYSTEM, Forbidden),
    ],
)
async def test_nobody_may_not_even_ask(
    core: Core, who: Access, error: type[HeadwaterError]
) -> None:
    notes = Notes()
    operation = row(notes.write, permission=Permission("system:see", who))

    with pytest.raises(error):
        await runner(core, operation).run("tests.it", NOBODY, text="a")

    assert notes.made == 0


async def test_a_member_is_no_owner(core: Core) -> None:
    member = await add_member(core, "else@example.org")
    operation = row(Notes().write, permission=Permission("system:see", Access.OWNER))

    with pytest.raises(Forbidden):
        await runner(core, operation).run("tests.it", member, text="a")
    await runner(core, operation).run("tests.it", await actor_of(core), text="a")


async def test_the_limit_stands_before_everything(core: Core) -> None:
    """Refusals cost no session; the system itself is never refused."""
    notes = Notes()
    asked = runner(core, row(notes.read, limit=Limit("address", times=2, per_s=3600)))

    for _ in range(2):
        await asked.run("tests.it", NOBODY, text="a")
    with pytest.raises(RateLimited) as caught:
        await asked.run("tests.it", NOBODY, text="a")
    await asked.run("tests.it", SYSTEM, text="a")

    assert caught.value.retry_after_s is not None
    assert 0 < caught.value.retry_after_s <= 2 * 3600
    assert notes.made == 3


async def test_a_cached_answer_is_made_once_and_purged_by_a_write(core: Core) -> None:
    notes = Notes()
    cached = row(
        notes.read,
        cache=CacheFor(fresh_s=60, stale_s=0, tags=("note:{text}",), shared=True),
        idempotency=Idempotency.READ,
    )
    reads, writes = runner(core, cached), runner(core, row(notes.write))

    assert await reads.run("tests.it", NOBODY, text="a") == Note("a", 1)
    assert await reads.run("tests.it", SYSTEM, text="a") == Note("a", 1)
    await writes.run("tests.it", SYSTEM, text="a")
    assert await reads.run("tests.it", NOBODY, text="a") == Note("a", 3)


async def test_what_is_not_shared_is_kept_per_actor(core: Core) -> None:
    notes = Notes()
    cached = row(
        notes.read,
        cache=CacheFor(fresh_s=60, stale_s=0, tags=(), shared=False),
        idempotency=Idempotency.READ,
    )
    reads = runner(core, cached)

    mine = await reads.run("tests.it", await actor_of(core), text="a")
    theirs = await reads.run("tests.it", await add_member(core, "b@example.org"), text="a")
    again = await reads.run("tests.it", await actor_of(core), text="a")

    assert mine == again != theirs


@pytest.mark.parametrize("use_case", ["write", "write_slowly"])
async def test_a_repeat_with_its_key_gets_the_first_answer(core: Core, use_case: str) -> None:
    """In one transaction or in several; also from another process, and for that actor only."""
    notes, owner = Notes(), await actor_of(core)
    operation = row(getattr(notes, use_case), idempotency=Idempotency.KEY)
    here, elsewhere = runner(core, operation), runner(core, operation)

    first = await here.run("tests.it", owner, idempotency_key="k", text="a")
    again = await elsewhere.run("tests.it", owner, idempotency_key="k", text="a")
    with pytest.raises(KeyReused):
        await here.run("tests.it", owner, idempotency_key="k", text="b")
    other = await here.run("tests.it", NOBODY, idempotency_key="k", text="c")

    assert first == again == Note("a", 1)
    assert other == Note("c", 2)


@pytest.mark.parametrize("where", ["here", "elsewhere"])
async def test_a_request_in_flight_is_not_done_twice(core: Core, where: str) -> None:
    notes, owner = Notes(), await actor_of(core)
    operation = row(notes.write_slowly, idempotency=Idempotency.KEY)
    here, elsewhere = runner(core, operation), runner(core, operation)
    notes.may_end.clear()

    first = asyncio.ensure_future(here.run("tests.it", owner, idempotency_key="k", text="a"))
    async with asyncio.timeout(5):
        await notes.has_begun.wait()
    second = here if where == "here" else elsewhere
    with pytest.raises(RequestInFlight) as caught:
        await second.run("tests.it", owner, idempotency_key="k", text="a")
    notes.may_end.set()

    assert caught.value.retryable
    assert await first == Note("a", 1)
    assert await second.run("tests.it", owner, idempotency_key="k", text="a") == Note("a", 1)


async def test_a_failure_frees_its_key(core: Core) -> None:
    notes, owner = Notes(), await actor_of(core)
    failing = runner(core, row(notes.refuse, idempotency=Idempotency.KEY))
    working = runner(core, row(notes.write, idempotency=Idempotency.KEY))

    with pytest.raises(Conflict):
        await failing.run("tests.it", owner, idempotency_key="k", text="a")
    assert await working.run("tests.it", owner, idempotency_key="k", text="a") == Note("a", 2)


async def test_concurrent_writers_with_one_key_write_once(core: Core) -> None:
    notes, owner = Notes(), await actor_of(core)
    operation = row(notes.write, idempotency=Idempotency.KEY)
    processes = [runner(core, operation) for _ in range(8)]

    answers = await asyncio.gather(
        *(p.run("tests.it", owner, idempotency_key="k", text="a") for p in processes)
    )

    assert set(map(str, answers)) == {str(Note("a", 1))}
    assert notes.made == 1


async def test_services_are_given_by_name_and_inputs_cannot_replace_them(core: Core) -> None:
    async def reveal(*, actor: Actor, now: float, secret: str, of: str) -> str:
        return f"{actor.kind} {now > 0} {secret} {of}"

    asked = runner(core, row(reveal), secret="kept")

    assert await asked.run("tests.it", NOBODY, of="x") == "anonymous True kept x"
    with pytest.raises(HeadwaterError):
        await asked.run("tests.it", NOBODY, of="x", secret="other")

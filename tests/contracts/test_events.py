"""Every Events adapter keeps every promise of engines/events/port.py."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import anyio
import pytest
from sqlalchemy import select

from headwater.engines.clock import Clock
from headwater.engines.database.port import Database
from headwater.engines.database.schema import preferences
from headwater.engines.events.port import Event, Events
from headwater.engines.events.rabbitmq import RabbitEvents
from headwater.engines.events.table import ATTEMPTS, LEASE_S, MOST_PAUSE_S, TableEvents
from headwater.model.errors import NotFound
from tests.support.clocks import OwnTime
from tests.support.databases import open_at

pytestmark = pytest.mark.anyio

DEADLINE_S = 5.0
SLOW_START_S = 60.0  # of two processes, one after the other, beside all other tests
CONSUMERS = """
import asyncio, sys
from sqlalchemy import insert, select
from headwater.compose.engines import open_database, open_events
from headwater.engines.database.schema import preferences
from headwater.engines.entropy import public_id
from tests.support.clocks import Later

async def main(database_url, events_url, ahead_s):
    clock = Later(float(ahead_s))
    database = open_database(database_url)
    events = open_events(events_url, database, clock)

    async def count(event):
        async with database.writer() as session:
            if await events.claim(session, "counter", event, now=clock.now()):
                name = f"counted {event.body.decode()} {public_id()}"
                await session.execute(insert(preferences).values(name=name, value=b""))

    async def list_it(event):
        name = f"seen {event.body.decode()}"
        async with database.writer() as session:
            if not await session.rows(select(preferences).where(preferences.c.name == name)):
                await session.execute(insert(preferences).values(name=name, value=b""))

    events.consume("counter", ("t",), count)
    events.consume("list", ("t",), list_it)
    await events.start()
    await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


@dataclass
class Box:
    """The database that facts commit with, and as many processes of events as a test opens.

    *pause_s* is the longest between two tries, where time is not ours.
    """

    database: Database
    database_url: str
    events_url: str
    clock: OwnTime
    opener: Callable[[float], Events]
    pause_s: float = 0.02
    opened: list[Events] = field(default_factory=list)

    def open_events(self) -> Events:
        self.opened.append(self.opener(self.pause_s))
        return self.opened[-1]


@pytest.fixture(params=["table", "rabbitmq"])
async def box(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Box]:
    """Open one more handle on the *same* events: the second one plays another process."""
    databases = [open_at(database_url)]
    await databases[0].migrate()
    clock = OwnTime()
    broker = next(request.getfixturevalue("rabbitmq_hosts")) if request.param == "rabbitmq" else ""

    def opener(pause_s: float) -> Events:
        databases.append(open_at(database_url))
        if not broker:
            return TableEvents(databases[-1], clock)
        return RabbitEvents(
            broker, databases[-1], clock, first_pause_s=pause_s, most_pause_s=pause_s
        )

    box = Box(databases[0], database_url, broker or "table:", clock, opener)
    yield box
    for events in box.opened:
        await events.close()
    for database in databases:
        await database.close()


async def record(box: Box, events: Events, topic: str, *bodies: str) -> None:
    for body in bodies:
        async with box.database.writer() as session:
            await events.record(session, topic, body.encode(), now=box.clock.now())
    await events.wake()


class Seen:
    """A handler that remembers, and fails for the bodies it is told to."""

    def __init__(self, failing: set[str] | None = None) -> None:
        self.bodies: list[str] = []
        self.failing = failing or set()
        self._changed = asyncio.Event()

    async def __call__(self, event: Event) -> None:
        self.bodies.append(event.body.decode())
        self._changed.set()
        if self.bodies[-1] in self.failing:
            raise LookupError(self.bodies[-1])

    async def until(self, wanted: Callable[[list[str]], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not wanted(self.bodies):
                self._changed.clear()
                await self._changed.wait()


async def letters(box: Box, events: Events, count: int) -> list[str]:
    """Let pauses pass until there are so many dead letters, and return their bodies."""
    async with asyncio.timeout(DEADLINE_S):
        while len(found := await events.dead_letters(10)) != count:
            box.clock.at += MOST_PAUSE_S
            await events.wake()
            await asyncio.sleep(0.005)
    return [letter.event.body.decode() for letter in found]


async def test_every_consumer_gets_every_event_in_order(box: Box) -> None:
    """Each of its topics, and no other, whichever process recorded it."""
    events, one, two = box.open_events(), Seen(), Seen()
    events.consume("one", ("a",), one)
    events.consume("two", ("a", "b"), two)
    await events.start()
    for i in range(60):
        await record(box, box.open_events() if i == 30 else events, "ab"[i % 2], str(i))
    await one.until(lambda bodies: len(bodies) >= 30)
    await two.until(lambda bodies: len(bodies) >= 60)
    assert one.bodies == [str(i) for i in range(0, 60, 2)]
    assert two.bodies == [str(i) for i in range(60)]


async def test_a_fact_leaves_with_its_commit(box: Box) -> None:
    """What was rolled back never happened."""
    events, seen = box.open_events(), Seen()
    events.consume("c", ("t",), seen)
    await events.start()
    with pytest.raises(KeyError):  # noqa: PT012 (the block is what raises)
        async with box.database.writer() as session:
            await events.record(session, "t", b"never", now=1.0)
            raise KeyError
    await record(box, events, "t", "kept")
    await seen.until(bool)
    assert seen.bodies == ["kept"]


async def test_what_was_recorded_before_the_consumer_came(box: Box) -> None:
    """A process that dies after its commit has lost nothing: another delivers."""
    await record(box, box.open_events(), "t", "early")
    events, seen = box.open_events(), Seen()
    events.consume("c", ("t",), seen)
    await events.start()
    await seen.until(bool)
    assert seen.bodies == ["early"]


async def test_a_new_consumer_begins_with_the_oldest_fact(box: Box) -> None:
    """In order, whatever others have had; and they get nothing twice."""
    events, old = box.open_events(), Seen()
    events.consume("old", ("a", "b"), old)
    await events.start()
    for i in range(30):
        await record(box, events, "ab"[i % 2], str(i))
    await old.until(lambda bodies: len(bodies) >= 30)

    newer, new = box.open_events(), Seen()
    newer.consume("new", ("b",), new)
    await newer.start()
    for i in range(30, 60):
        await record(box, newer if i % 3 else events, "ab"[i % 2], str(i))

    await new.until(lambda bodies: len(bodies) >= 30)
    assert new.bodies == [str(i) for i in range(1, 60, 2)]
    await old.until(lambda bodies: len(bodies) >= 60)
    assert old.bodies == [str(i) for i in range(60)]


async def test_a_consumer_that_stands_still_delays_only_itself(box: Box) -> None:
    events, fast, slow, goes_on = box.open_events(), Seen(), Seen(), asyncio.Event()

    async def stand_still(event: Event) -> None:
        await goes_on.wait()
        await slow(event)

    events.consume("fast", ("t",), fast)
    events.consume("slow", ("t",), stand_still)
    await events.start()
    for i in range(60):
        await record(box, events, "t", str(i))
    await fast.until(lambda bodies: len(bodies) >= 60)
    assert slow.bodies == []

    goes_on.set()
    await slow.until(lambda bodies: len(bodies) >= 60)
    assert fast.bodies == slow.bodies == [str(i) for i in range(60)]


async def test_one_process_works_for_a_consumer(box: Box) -> None:
    """Two processes that both could handle an event do not both do it."""
    seen = Seen()
    for _ in range(2):
        events = box.open_events()
        events.consume("c", ("t",), seen)
        await events.start()
    for i in range(40):
        await record(box, box.opened[0] if box.opened else events, "t", str(i))
    await seen.until(lambda bodies: len(bodies) >= 40)
    assert seen.bodies == [str(i) for i in range(40)]


async def test_a_failing_event_holds_up_nobody(box: Box) -> None:
    """It comes again after its pause; those behind it do not wait."""
    box.pause_s = 2.0
    events, seen = box.open_events(), Seen({"bad"})
    events.consume("c", ("t",), seen)
    await events.start()
    await record(box, events, "t", "bad", "good", "better")
    await seen.until(lambda bodies: "better" in bodies)
    assert seen.bodies == ["bad", "good", "better"]

    seen.failing.clear()
    box.clock.at += MOST_PAUSE_S
    await events.wake()
    await seen.until(lambda bodies: bodies.count("bad") == 2)
    assert await events.dead_letters(10) == []


async def test_what_never_works_becomes_a_dead_letter(box: Box) -> None:
    """With the reason; replayed when somebody asks, by its consumer only."""
    events, failing, fine = box.open_events(), Seen({"bad"}), Seen()
    events.consume("failing", ("t",), failing)
    events.consume("fine", ("t",), fine)
    await events.start()
    await record(box, events, "t", "bad")
    assert await letters(box, events, 1) == ["bad"]
    assert len(failing.bodies) == ATTEMPTS
    [letter] = await events.dead_letters(10)
    assert (letter.consumer, letter.attempts) == ("failing", ATTEMPTS)
    assert letter.error == "LookupError: bad"
    assert await events.dead_letter("failing", letter.event.id) == letter
    assert fine.bodies == ["bad"]

    failing.failing.clear()
    strangers = ("9", "x", "9" * 40, "\u0661")
    for consumer, event in (("fine", letter.event.id), *(("failing", name) for name in strangers)):
        for ask in (events.replay, events.dead_letter):
            with pytest.raises(NotFound):
                await ask(consumer, event)
    await events.replay("failing", letter.event.id)
    await failing.until(lambda bodies: len(bodies) == ATTEMPTS + 1)
    assert await letters(box, events, 0) == []


async def test_an_event_is_claimed_once(box: Box) -> None:
    """By a consumer, in whatever process, with the rows it writes; a rolled back claim is none."""
    event = Event("1", "t", b"", 5.0)
    later = Event("1", "t", b"of a database that was restored", 6.0)

    async def claim(event: Event, consumer: str = "c") -> bool:
        async with box.database.writer() as session:
            return await box.open_events().claim(session, consumer, event, now=box.clock.now())

    with pytest.raises(KeyError):  # noqa: PT012 (the block is what raises)
        async with box.database.writer() as session:
            assert await box.open_events().claim(session, "c", event, now=box.clock.now())
            raise KeyError

    assert [await claim(event), await claim(event)] == [True, False]
    assert await claim(event, "another consumer")
    assert await claim(later)


async def test_what_is_claimed_is_done_once_though_processes_are_killed(box: Box) -> None:
    """Two consumers of another process: one claims and counts, one writes down what it sees."""
    box.clock.at = Clock().now()
    events, bodies = box.open_events(), [str(i) for i in range(100)]
    await record(box, events, "t", *bodies)

    for life, until in enumerate((40, len(bodies))):
        # A lease of a killed process runs out; its successor lives after that.
        words = (box.database_url, box.events_url, str((life + 1) * 2 * LEASE_S))
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", CONSUMERS, *words)
        try:
            async with asyncio.timeout(SLOW_START_S):
                while len(await notes(box, "seen ")) < until:  # noqa: ASYNC110 (rows tell nobody)
                    await asyncio.sleep(0.02)
                while life and await counted(box) < until:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        finally:
            process.kill()
            await process.wait()

    assert await counted(box) == len(bodies)
    assert {name.removeprefix("seen ") for name in await notes(box, "seen ")} == set(bodies)


async def notes(box: Box, prefix: str) -> list[str]:
    statement = select(preferences.c.name).where(preferences.c.name.startswith(prefix))
    async with box.database.reader() as session:
        return [row["name"] for row in await session.rows(statement)]


async def counted(box: Box) -> int:
    """Return how many effects there were."""
    return len(await notes(box, "counted "))


async def test_closing_finishes_what_is_being_handled(box: Box) -> None:
    """And leaves the rest to the next process."""
    events, began, goes_on = box.open_events(), asyncio.Event(), asyncio.Event()
    finished: list[str] = []

    async def slow(event: Event) -> None:
        began.set()
        await goes_on.wait()
        finished.append(event.body.decode())

    events.consume("c", ("t",), slow)
    await record(box, events, "t", "first", "second")
    await events.start()
    await began.wait()
    closing = asyncio.ensure_future(events.close())
    await anyio.wait_all_tasks_blocked()
    goes_on.set()
    await closing
    assert finished == ["first"]

    other, seen = box.open_events(), Seen()
    other.consume("c", ("t",), seen)
    await other.start()
    await seen.until(bool)
    assert seen.bodies == ["second"]

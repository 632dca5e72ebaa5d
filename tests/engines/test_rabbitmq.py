"""What RabbitMQ alone can do to us: die, stand still, be another; and what it must not lose."""

import asyncio
import gc
import signal
import sys
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import aio_pika
import pytest

from headwater.engines.clock import Clock
from headwater.engines.database.port import Database
from headwater.engines.database.sqlite import SqliteDatabase
from headwater.engines.events import rabbitmq_topology as topology
from headwater.engines.events.port import Event, Events
from headwater.engines.events.rabbitmq import RabbitEvents
from headwater.engines.events.rabbitmq_connection import Link, addresses_of
from headwater.engines.events.rabbitmq_letters import Delays, delay_ms
from headwater.engines.events.rabbitmq_relay import LEASE_S
from headwater.engines.events.table import TableEvents
from headwater.model.errors import SettingsError, Unavailable
from headwater.roles import free_port
from tests.support import rabbitmq
from tests.support.clocks import Later
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

DEADLINE_S = 30.0
POLL_S = 0.02
HEARTBEAT_S = 1
RELAY = """
import asyncio, contextlib, os, signal, sys
from pathlib import Path
from headwater.engines.clock import Clock
from headwater.engines.database.sqlite import SqliteDatabase
from headwater.engines.events.rabbitmq import RabbitEvents

path, url, edge = sys.argv[1:]

class Dying(SqliteDatabase):
    blocks = 0

    @contextlib.asynccontextmanager
    async def writer(self):
        if self.blocks == 1 and edge == "published":
            os.kill(os.getpid(), signal.SIGKILL)
        async with super().writer() as session:
            yield session
        self.blocks += 1
        if edge == "committed":
            os.kill(os.getpid(), signal.SIGKILL)

async def main():
    events = RabbitEvents(url, Dying(Path(path)), Clock())
    events._prune = lambda: asyncio.sleep(0)
    events._loops.clear()
    await events.start()
    await asyncio.sleep(60)

asyncio.run(main())
"""


class Seen:
    """Handlers that remember, in order, what each consumer was given."""

    def __init__(self) -> None:
        self.bodies: dict[str, list[str]] = {}
        self._changed = asyncio.Event()

    def by(self, consumer: str) -> Callable[[Event], Awaitable[None]]:
        async def remember(event: Event) -> None:
            self.bodies.setdefault(consumer, []).append(event.body.decode())
            self._changed.set()

        return remember

    async def until(self, count: int, *consumers: str) -> None:
        """Wait until each has been given so many different ones."""
        async with asyncio.timeout(DEADLINE_S):
            while any(len(set(self.bodies.get(name, ()))) < count for name in consumers):
                self._changed.clear()
                await self._changed.wait()

    def firsts(self, consumer: str) -> list[str]:
        return list(dict.fromkeys(self.bodies[consumer]))


@pytest.fixture(scope="module")
def broker() -> Iterator[rabbitmq.RabbitMQ]:
    """One that tests may freeze and kill; each brings it back."""
    with rabbitmq.server() as running:
        yield running


@pytest.fixture
def url(rabbitmq_hosts: Iterator[str]) -> str:
    return next(rabbitmq_hosts)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "headwater.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    database = SqliteDatabase(path)
    await database.migrate()
    yield database
    await database.close()


@pytest.fixture
async def opened() -> AsyncIterator[list[Events]]:
    """Those that a test opened are closed at its end."""
    opened: list[Events] = []
    yield opened
    for events in opened:
        await events.close()


async def record(database: Database, events: Events, *bodies: str, topic: str = "t") -> None:
    for body in bodies:
        async with database.writer() as session:
            await events.record(session, topic, body.encode(), now=Clock().now())
    await events.wake()


async def test_a_killed_broker_loses_nothing(
    broker: rabbitmq.RabbitMQ, database: Database, opened: list[Events]
) -> None:
    """Recording goes on while it is away; what was confirmed, and what was not, arrives."""
    events, seen = RabbitEvents(broker.new_host(), database, Clock()), Seen()
    opened.append(events)
    for name in ("one", "two"):
        events.consume(name, ("t",), seen.by(name))
    await events.start()
    bodies = [str(i) for i in range(600)]
    recording = asyncio.create_task(record(database, events, *bodies[:500]))
    await seen.until(100, "one", "two")
    for name in ("one", "two"):
        known = partial(broker.remembers, topology.queue_of(name))
        await asyncio.to_thread(until, known, within_s=DEADLINE_S)
    broker.kill()
    await recording
    await record(database, events, *bodies[500:])
    with pytest.raises(Unavailable):
        await events.check()

    await asyncio.to_thread(broker.start)

    await seen.until(len(bodies), "one", "two")
    assert seen.firsts("one") == seen.firsts("two") == bodies
    assert (await events.check()).startswith("RabbitMQ 3.")


async def test_a_frozen_broker_is_found(
    broker: rabbitmq.RabbitMQ, database: Database, opened: list[Events]
) -> None:
    """By its heartbeats, in seconds; recording does not wait for it."""
    url = broker.new_host()
    events, seen = RabbitEvents(url, database, Clock(), heartbeat_s=HEARTBEAT_S), Seen()
    opened.append(events)
    events.consume("c", ("t",), seen.by("c"))
    await events.start()
    await record(database, events, "before")
    await seen.until(1, "c")

    broker.freeze()
    try:
        frozen = time.monotonic()
        await record(database, events, "meanwhile")
        assert time.monotonic() - frozen < 5
        connection = events._consuming._connection
        assert connection is not None
        async with asyncio.timeout(5 * (HEARTBEAT_S + 1)):
            while connection.connected.is_set():  # noqa: ASYNC110 (it tells nobody else)
                await asyncio.sleep(POLL_S)
    finally:
        broker.thaw()

    await seen.until(2, "c")
    assert seen.firsts("c") == ["before", "meanwhile"]


@pytest.mark.parametrize(("edge", "times"), [("committed", 1), ("published", 2)])
async def test_another_relay_goes_on_where_one_was_killed(
    url: str, path: Path, database: Database, opened: list[Events], edge: str, times: int
) -> None:
    """Between commit and publish nothing is lost; before its position moved, it is said twice."""
    events, seen = RabbitEvents(url, database, Clock()), Seen()
    events.consume("c", ("t",), seen.by("c"))
    await events.start()
    await record(database, events, "first")
    await seen.until(1, "c")
    await events.close()
    await record(database, events, "second")

    words = (sys.executable, "-c", RELAY, str(path), url, edge)
    relay = await asyncio.create_subprocess_exec(*words)
    async with asyncio.timeout(DEADLINE_S):
        assert await relay.wait() == -signal.SIGKILL

    successor = RabbitEvents(url, database, Later(LEASE_S))
    opened.append(successor)
    successor.consume("c", ("t",), seen.by("c"))
    await successor.start()
    await record(database, successor, "third")
    await seen.until(3, "c")
    assert seen.bodies["c"] == ["first", *["second"] * times, "third"]


async def test_what_kills_its_handler_becomes_a_dead_letter(
    url: str, database: Database, opened: list[Events]
) -> None:
    """With the reason; it takes nobody along, and can be replayed once the handler is better."""
    events, seen, is_mended = RabbitEvents(url, database, Clock()), Seen(), False

    async def handle(event: Event) -> None:
        if event.body == b"poison" and not is_mended:
            await events._consuming.close()  # as the death of the process does
            return
        await seen.by("c")(event)

    opened.append(events)
    events.consume("c", ("t",), handle)
    await events.start()
    await record(database, events, "fine", "poison", "better")
    await seen.until(2, "c")
    async with asyncio.timeout(DEADLINE_S):
        while not await events.dead_letters(10):  # noqa: ASYNC110 (rows tell nobody)
            await asyncio.sleep(POLL_S)
    [letter] = await events.dead_letters(10)
    assert (letter.consumer, letter.event.body) == ("c", b"poison")
    assert letter.attempts == topology.DELIVERIES
    assert "the process died" in letter.error

    is_mended = True
    await events.replay("c", letter.event.id)
    await seen.until(3, "c")
    assert seen.bodies["c"] == ["fine", "better", "poison"]


async def test_a_short_delay_is_not_behind_a_long_one(
    url: str, database: Database, opened: list[Events]
) -> None:
    events, seen = RabbitEvents(url, database, Clock()), Seen()
    opened.append(events)
    events.consume("c", ("t",), seen.by("c"))
    await events.start()
    await record(database, events, "now")
    await seen.until(1, "c")
    link = Link(addresses_of(url))
    delays = Delays(link, first_s=0.1, most_s=60)

    await delays.put(Event("2", "t", b"long", 1.0), "c", 5)
    await delays.put(Event("3", "t", b"short", 1.0), "c", 1)

    await seen.until(3, "c")
    assert seen.bodies["c"] == ["now", "short", "long"]
    await link.close()


def test_delays_are_few_and_spread() -> None:
    """Their queues are shared: a handful of lengths for each try, none over the longest."""
    for attempts in range(1, 10):
        lengths = {
            delay_ms(attempts, first_s=1.0, most_s=300.0, jitter=i / 1000) for i in range(1000)
        }
        whole = min(300.0, 2.0 ** (attempts - 1)) * 1000
        assert 4 <= len(lengths) <= 6
        assert min(lengths) >= whole / 2
        assert max(lengths) <= whole * 2 ** (1 / 4)


async def test_a_queue_that_is_gone_is_filled_again(
    url: str, database: Database, opened: list[Events]
) -> None:
    """With everything that is kept; the other consumer gets nothing twice."""
    events, seen = RabbitEvents(url, database, Clock()), Seen()
    opened.append(events)
    for name in ("one", "two"):
        events.consume(name, ("t",), seen.by(name))
    await events.start()
    await record(database, events, "a", "b")
    await seen.until(2, "one", "two")

    connection = await aio_pika.connect(url)
    await (await connection.channel()).queue_delete(topology.queue_of("one"))
    await connection.close()
    await record(database, events, "c")

    await seen.until(3, "one", "two")
    assert seen.firsts("one") == ["a", "b", "c"]
    assert seen.bodies["two"] == ["a", "b", "c"]


async def test_a_broker_that_knows_nothing_is_told_everything(
    rabbitmq_hosts: Iterator[str], database: Database, opened: list[Events]
) -> None:
    """One that lost its disk, or another in its place."""
    for others in ([], ["b"]):
        events, seen = RabbitEvents(next(rabbitmq_hosts), database, Clock()), Seen()
        opened.append(events)
        events.consume("c", ("t",), seen.by("c"))
        await events.start()
        await record(database, events, *(others or ["a"]))
        await seen.until(1 + len(others), "c")
        assert seen.firsts("c") == ["a", *others]
        await events.close()


async def test_from_the_table_to_a_broker_and_back(
    url: str, database: Database, opened: list[Events]
) -> None:
    """A consumer goes on where it stood; back at the table it is told again, nothing is missing."""
    seen = Seen()
    openers: list[Callable[[], Events]] = [
        lambda: TableEvents(database, Clock()),
        lambda: RabbitEvents(url, database, Clock()),
        lambda: TableEvents(database, Clock()),
    ]
    for i, opener in enumerate(openers):
        events = opener()
        opened.append(events)
        events.consume("c", ("t",), seen.by("c"))
        await record(database, events, f"{i} before")
        await events.start()
        await record(database, events, f"{i} after")
        await seen.until(2 * i + 2, "c")
        await events.close()
    told = [f"{i} {when}" for i in range(3) for when in ("before", "after")]
    assert seen.firsts("c") == told
    assert seen.bodies["c"][:4] == told[:4]


async def test_a_fact_nobody_waits_for_holds_up_nothing(
    url: str, database: Database, opened: list[Events]
) -> None:
    events, seen = RabbitEvents(url, database, Clock()), Seen()
    opened.append(events)
    events.consume("c", ("t",), seen.by("c"))
    await events.start()
    await record(database, events, "unheard", topic="nobody's")
    await record(database, events, "heard")
    await seen.until(1, "c")


async def test_the_next_host_is_asked_when_one_is_away(
    url: str, database: Database, opened: list[Events]
) -> None:
    away = url.replace("@", f"@127.0.0.1:{free_port('127.0.0.1')},", 1)
    opened.append(RabbitEvents(away, database, Clock()))

    assert (await opened[0].check()).startswith("RabbitMQ ")


def test_each_host_gets_an_address() -> None:
    assert addresses_of("amqp://u:p@a,b:7/v", heartbeat_s=3) == [
        "amqp://u:p@a:5672/v?heartbeat=3",
        "amqp://u:p@b:7/v?heartbeat=3",
    ]
    assert addresses_of("amqps://a", heartbeat_s=1) == ["amqps://a:5671/?heartbeat=1"]


@pytest.mark.parametrize(
    "url", ["amqp:", "amqp://", "amqp://u:secret@", "amqp://u:secret@a,,b/", "amqp://u:secret@a:x/"]
)
def test_an_address_that_cannot_be_read_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        addresses_of(url)

    assert "secret" not in str(caught.value)


def test_a_connection_that_failed_is_closed() -> None:
    """Forgotten, it would close itself wherever it is found, where no loop may run any more."""

    async def fail() -> Unavailable:
        with pytest.raises(Unavailable) as failure:
            await Link([f"amqp://127.0.0.1:{free_port('127.0.0.1')}/"]).channel()
        return failure.value

    with closing(asyncio.new_event_loop()) as loop, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        kept = loop.run_until_complete(fail())
        asyncio.set_event_loop(None)
        del kept
        gc.collect()
    assert [str(one.message) for one in said] == []

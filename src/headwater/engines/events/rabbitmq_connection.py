"""A connection to RabbitMQ: to whichever of its hosts answers, opened again when it is lost.

Source    AMQP 0-9-1, and RabbitMQ's own pages on heartbeats and publisher confirms.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from urllib.parse import urlencode, urlsplit

from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.connection import Connection, make_url
from aio_pika.exceptions import AMQPError, AMQPException, ChannelNotFoundEntity, PublishError

from headwater.forces.backoff import jitter, pause_s
from headwater.model.errors import SettingsError, Unavailable

PORT = 5672
TLS_PORT = 5671
CONNECT_S = 5.0
ANSWER_S = 10.0  # of a confirmation too: a broker short of memory or disk gives none
FIRST_PAUSE_S = 0.2  # between tries while the broker is away
MOST_PAUSE_S = 5.0
HEARTBEAT_S = 3  # one that stands still is given up after four times as long

for _library in ("aio_pika", "aiormq"):  # they tell each loss of a connection by the page
    logging.getLogger(_library).setLevel(logging.CRITICAL)


class Unroutable(Unavailable):
    """No queue takes what was published."""


class Missing(Unavailable):
    """The queue or exchange that was named is not there."""


def addresses_of(url: str, *, heartbeat_s: int = HEARTBEAT_S) -> list[str]:
    """Return an address for each host that *url* names. Raises SettingsError."""
    parts = urlsplit(url)
    user, _, hosts = parts.netloc.rpartition("@")
    if parts.scheme not in {"amqp", "amqps"} or not hosts or not all(hosts.split(",")):
        raise SettingsError(
            "HEADWATER_EVENTS: use amqp://USER:PASSWORD@HOST[:PORT][,HOST[:PORT]…]/VHOST."
        )
    query = "&".join(filter(None, (parts.query, urlencode({"heartbeat": heartbeat_s}))))
    port = TLS_PORT if parts.scheme == "amqps" else PORT
    return [
        f"{parts.scheme}://{user}{'@' if user else ''}{_with_port(host, port)}"
        f"{parts.path or '/'}?{query}"
        for host in hosts.split(",")
    ]


def _with_port(host: str, port: int) -> str:
    """Raises SettingsError: what follows the colon is no port."""
    try:
        return host if urlsplit(f"//{host}").port else f"{host}:{port}"
    except ValueError:
        raise SettingsError(f"HEADWATER_EVENTS: {host} is no HOST:PORT.") from None


def away_pause_s(failures: int) -> float:
    """Return how long to wait after so many failures in a row to use the broker."""
    return pause_s(failures, first_s=FIRST_PAUSE_S, most_s=MOST_PAUSE_S, jitter=jitter())


@contextmanager
def translated() -> Iterator[None]:
    """Raise Unavailable, or one of its kinds above, for what goes wrong with a broker."""
    try:
        yield
    except PublishError as error:
        raise Unroutable("RabbitMQ: no queue takes it") from error
    except ChannelNotFoundEntity as error:
        raise Missing(f"RabbitMQ: {error}") from error
    except (AMQPError, AMQPException, OSError, TimeoutError, RuntimeError) as error:
        raise Unavailable(f"RabbitMQ: {error or type(error).__name__}", retry_after_s=5) from error
    except asyncio.CancelledError:  # how the library ends calls on a connection that is lost
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise Unavailable("RabbitMQ: the connection is lost", retry_after_s=5) from None


class Link:
    """One connection of this process, shared by tasks that each open a channel of their own."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = list(addresses)
        self._connection: AbstractConnection | None = None
        self._opening: asyncio.Task[AbstractConnection] | None = None

    async def channel(self, *, prefetch: int = 1) -> AbstractChannel:
        """Open a channel whose publications are confirmed or raise. Raises Unavailable."""
        with translated():
            connection = await self._connected()
            async with asyncio.timeout(ANSWER_S):
                channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                await channel.set_qos(prefetch)
                return channel

    async def version(self) -> str:
        """Ask the broker who it is. Raises Unavailable."""
        channel = await self.channel()
        with translated():
            underlay = await channel.get_underlay_channel()
            says = underlay.connection.server_properties
            await channel.close()
        return f"RabbitMQ {says['version']!s}"

    async def close(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        await self._drop()

    async def _drop(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with suppress(Unavailable), translated():
                async with asyncio.timeout(CONNECT_S):
                    await connection.close()

    async def _connected(self) -> AbstractConnection:
        """Return the connection; those who find it lost wait for one try together."""
        if self._connection is not None and self._connection.connected.is_set():
            return self._connection
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._connect())
        return await asyncio.shield(self._opening)

    async def _connect(self) -> AbstractConnection:
        """Try each host once; the one that answered last time comes first."""
        await self._drop()
        refused: Exception | None = None
        for address in tuple(self._addresses):
            try:
                async with asyncio.timeout(CONNECT_S):
                    self._connection = await _opened(address)
            except (AMQPError, AMQPException, OSError, TimeoutError) as error:
                refused = error
                self._addresses.append(self._addresses.pop(0))
            else:
                return self._connection
        assert refused is not None
        raise refused


async def _opened(address: str) -> AbstractConnection:
    """Connect; what fails is closed here, not when it is forgotten: there may be no loop then."""
    connection = Connection(make_url(address))
    try:
        await connection.connect()
    except BaseException:
        await connection.close()
        raise
    return connection


async def closed(channel: AbstractChannel) -> None:
    """Close *channel*, whatever has become of it."""
    with suppress(Unavailable), translated():
        async with asyncio.timeout(ANSWER_S):
            await channel.close()

"""One connection to a PostgreSQL server: a deadline for everything, thrown away when in doubt.

Plain asyncpg: SQLAlchemy's layer above it costs three times what the driver does.
"""

import asyncio
import re
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg

from headwater.model.errors import (
    HeadwaterError,
    IntegrityViolated,
    InvalidInput,
    SettingsError,
    StorageFull,
    Unavailable,
)

T = TypeVar("T")
CONNECT_S = 2.0  # for each of several hosts, so that a frozen one does not hide the next
GRACE_S = 1.0  # the server's own deadlines come first where it lives: they keep the connection
WRITER_LOCK = 0x68656164  # "head": what every writing transaction takes first
CACHED = 256  # prepared statements of one connection
OURS = "statement_cache_size"  # of asyncpg, 0 behind a pooler of transactions; no server knows it


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is: of several hosts, the one that takes writes if *writes*."""

    hosts: tuple[str, ...]
    cached: int = CACHED
    writes: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """The hosts without user and password, for people."""
        return tuple(host_name(host) for host in self.hosts)


def host_name(host: str) -> str:
    """Return host and port of a server's URL, for people: without user and password."""
    return urlsplit(host).netloc.rpartition("@")[2]


def address_of(url: str, *, setting: str = "HEADWATER_DATABASE") -> Address:
    """Read the address of the primary. Raises SettingsError."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    cached = options.pop(OURS, str(CACHED))
    if parts.scheme not in {"postgresql", "postgres"} or not cached.isdecimal():
        raise SettingsError(
            f"{setting}: use postgresql://USER:PASSWORD@HOST[:PORT][,HOST…]/DATABASE, "
            f"behind pgbouncer with ?{OURS}=0."
        )
    user, at, hosts = parts.netloc.rpartition("@")
    each = (
        parts._replace(netloc=f"{user}{at}{host}", query=urlencode(options)).geturl()
        for host in hosts.split(",")
    )
    return Address(tuple(each), int(cached))


def copies_of(urls: str) -> tuple[Address, ...]:
    """Read HEADWATER_DATABASE_REPLICAS: the address of one server each. Raises SettingsError."""
    setting = "HEADWATER_DATABASE_REPLICAS"
    found = []
    for url in filter(None, re.split(r"\s*,\s*(?=[a-z]+:)", urls.strip())):
        address = address_of(url, setting=setting)
        if len(address.hosts) != 1:
            raise SettingsError(f"{setting}: name one server in each address, as it is measured.")
        found.append(replace(address, writes=False))
    return tuple(found)


_NO_PRIMARY = (
    *(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError),
    asyncpg.InternalClientError,  # of which it is one that the host takes no writes
)


async def open_raw(address: Address) -> asyncpg.Connection:
    """Connect to the server at *address*, the first of several that takes writes.

    Raises what the last of them said.
    """
    problem: BaseException = OSError("no host is named")
    for host in address.hosts:
        try:
            raw = await open_host(address, host)
        except _NO_PRIMARY as error:
            problem = error
        else:
            return raw
    raise problem


async def open_host(address: Address, host: str) -> asyncpg.Connection:
    """Connect to one *host* of *address*."""
    return await asyncpg.connect(
        host,
        timeout=CONNECT_S,
        statement_cache_size=address.cached,
        target_session_attrs="read-write" if address.writes else "any",
    )


_BUSY = (
    asyncpg.LockNotAvailableError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.QueryCanceledError,  # by the server's own deadline
)
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # it stops, or is just starting
    asyncpg.InsufficientResourcesError,
    asyncpg.IdleInTransactionSessionTimeoutError,  # it ended a block that stood still
    asyncpg.FeatureNotSupportedError,  # a write, begun on what has become a standby
    asyncpg.PostgresSystemError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.TargetServerAttributeNotMatched,
)
_UNFIT = (asyncpg.CharacterNotInRepertoireError, asyncpg.StringDataRightTruncationError)


def translated(error: BaseException) -> BaseException:
    """Return our error for what callers distinguish, or *error* itself: a mistake in the code."""
    ours: HeadwaterError
    if isinstance(error, HeadwaterError | asyncpg.InFailedSQLTransactionError):
        return error
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        ours = IntegrityViolated(str(error))
    elif isinstance(error, asyncpg.DiskFullError):
        ours = StorageFull("the disk under the database is full", retry_after_s=30)
    elif isinstance(error, _UNFIT):
        ours = InvalidInput(f"the database cannot keep that text: {error}")
    elif isinstance(error, _BUSY):
        ours = Unavailable("the database is busy", retry_after_s=1)
    elif isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        ours = Unavailable("no server of the database takes writes now", retry_after_s=2)
    elif isinstance(error, _AWAY):
        ours = Unavailable(f"the database cannot be reached: {error}", retry_after_s=2)
    else:
        return error
    ours.__cause__ = error
    return ours


class PostgresConnection:
    """Not for two tasks at once. *is_lost* once nobody knows what the server is doing with it."""

    def __init__(self, raw: asyncpg.Connection, *, deadline_s: float) -> None:
        self.raw = raw
        self._deadline_s = deadline_s

    @property
    def is_lost(self) -> bool:
        return bool(self.raw.is_closed())

    async def command(self, text: str) -> str:
        """Run statements without parameters in one round trip; return what the last one did."""
        return str(await self._within_deadline(self.raw.execute(text)))

    async def fetch(self, text: str, arguments: Sequence[Any]) -> list[asyncpg.Record]:
        return list(await self._within_deadline(self.raw.fetch(text, *arguments)))

    async def execute(self, text: str, arguments: Sequence[Any]) -> int:
        """Run a write and return how many rows it touched."""
        status = await self._within_deadline(self.raw.execute(text, *arguments))
        return int(status.rpartition(" ")[2])

    async def _within_deadline(self, asked: Awaitable[T]) -> T:
        """Wait for an answer; a connection that has not given it is of no more use.

        Raises:
            IntegrityViolated, InvalidInput, StorageFull, Unavailable: as the port says.
        """
        answered = False
        try:
            async with asyncio.timeout(self._deadline_s + GRACE_S):
                answer = await asked
            answered = True
        except asyncpg.PostgresError as error:
            answered = isinstance(error, _BUSY) or not isinstance(error, _AWAY)
            raise translated(error) from error
        except _AWAY as error:
            raise translated(error) from error
        except AttributeError as error:  # the driver's, when another task drops the connection
            if not self.is_lost:
                raise
            raise translated(OSError("the connection was dropped")) from error
        finally:
            if not answered:
                self.raw.terminate()
        return answer

    async def close(self) -> None:
        try:
            await self.raw.close(timeout=CONNECT_S)
        except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError):
            self.raw.terminate()

"""Engines by URL: what each setting opens, and the combinations that cannot work."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from headwater.engines.blobs.port import Blobs
from headwater.engines.cache.port import Cache
from headwater.engines.clock import Clock
from headwater.engines.database.port import Database
from headwater.engines.events.port import Events
from headwater.engines.media.port import Media
from headwater.engines.notices.port import Notices
from headwater.engines.rates.port import Rates
from headwater.engines.reach import Reach
from headwater.model.errors import SettingsError, StorageFull, Unavailable
from headwater.settings import Settings

if TYPE_CHECKING:
    from headwater.engines.blobs.movable import MovableBlobs

PROOF_S = 5.0  # what a start waits for a bucket
COMMAND = "command"  # the role of what runs for a moment beside a server, or without one


def require_driver(module: str, *, setting: str, engine: str, extra: str) -> None:
    """Raise SettingsError, with the line that installs it, unless *module* is there."""
    if find_spec(module) is None:
        raise SettingsError(
            f"{setting} names {engine}, whose driver is not installed: "
            f"pip install 'headwater[{extra}]'."
        )


def database_url(settings: Settings) -> str:
    """Return where the rows are."""
    return settings.database or f"sqlite:{settings.data / 'headwater.sqlite3'}"


def open_database(where: str | Path, replicas: str = "") -> Database:
    """Open the database that *where* (a path or HEADWATER_DATABASE) names, without migrating it.

    *replicas* is HEADWATER_DATABASE_REPLICAS.

    One that HEADWATER_DATABASE names may have moved since, or move while it is used.

    Raises:
        SettingsError: it names none, or one whose driver is not installed.
    """
    if isinstance(where, str) and urlsplit(where).scheme in {"postgresql", "postgres"}:
        return _open_postgres(where, replicas)
    if replicas:
        raise SettingsError(
            "HEADWATER_DATABASE_REPLICAS: only a PostgreSQL database has replicas; set "
            "HEADWATER_DATABASE to its primary."
        )
    from headwater.engines.database.following import FollowingDatabase
    from headwater.engines.database.sqlite import SqliteDatabase

    if isinstance(where, Path):
        return SqliteDatabase(where)
    return FollowingDatabase(SqliteDatabase(sqlite_path(where)), _arrive)


async def _arrive(url: str) -> Database:
    """Open the database at *url*, which rows have moved to."""
    arrived = _open_postgres(url)
    from headwater.engines.database.postgres_arriving import PostgresArriving

    arriving = PostgresArriving(url)
    try:
        await arriving.finish()
    finally:
        await arriving.close()
    return arrived


def _open_postgres(url: str, replicas: str = "") -> Database:
    require_driver("asyncpg", setting="HEADWATER_DATABASE", engine="PostgreSQL", extra="postgres")
    from headwater.engines.database.postgres import PostgresDatabase

    return PostgresDatabase(url, replicas=replicas)


def blobs_url(settings: Settings) -> str:
    """Return where the settings say the blobs are."""
    return whole_address(settings.blobs or f"file:{settings.data / 'blobs'}")


def whole_address(url: str) -> str:
    """Return *url* as it means the same in every process: a folder by its path from the root."""
    return f"file:{folder_of(url)}" if urlsplit(url).scheme == "file" else url


def folder_of(url: str) -> Path:
    """Return the folder that file:FOLDER names. Raises SettingsError: it names none."""
    path = url.partition(":")[2].removeprefix("//")
    if not path:
        raise SettingsError("HEADWATER_BLOBS: use file:FOLDER or s3://….")
    return Path(path).resolve()


def store_of(url: str) -> str:
    """Return what two addresses of one store have in common, whatever else they say."""
    if urlsplit(url).scheme != "s3":
        return whole_address(url)
    from headwater.engines.blobs.s3_place import place_of

    return repr(place_of(url))


def open_movable_blobs(url: str, database: Database, *, secret: bytes) -> "MovableBlobs":
    """Open the blobs of a deployment, at *url* or where they have been moved from there."""
    from headwater.engines.blobs.movable import MovableBlobs
    from headwater.operations import places

    return MovableBlobs(
        url,
        open_at=lambda where: open_blobs(where, secret=secret),
        look=lambda: places.look(database),
        miss=lambda: places.count_missed(database),
        store_of=store_of,
    )


def open_blobs(url: str, *, secret: bytes = b"") -> Blobs:
    """Open the blob store HEADWATER_BLOBS names; *secret* signs the addresses of its parts."""
    scheme = urlsplit(url).scheme
    if scheme == "s3":
        return _open_bucket(url)
    if scheme != "file":
        raise SettingsError("HEADWATER_BLOBS: use file:FOLDER or s3://….")
    from headwater.engines.blobs.filesystem import FileBlobs

    return FileBlobs(folder_of(url), secret=secret, part_base="/api/v1/uploads/parts")


def _open_bucket(url: str) -> Blobs:
    for module in ("boto3", "obstore"):
        require_driver(module, setting="HEADWATER_BLOBS", engine="a bucket", extra="s3")
    from headwater.engines.blobs.s3 import S3Blobs

    return S3Blobs(url, clock=Clock())


def open_events(url: str, database: Database, clock: Clock) -> Events:
    if url in {"", "table:"}:
        from headwater.engines.events.table import TableEvents

        return TableEvents(database, clock)
    if urlsplit(url).scheme not in {"amqp", "amqps"}:
        raise SettingsError("HEADWATER_EVENTS: use table: or amqp://….")
    require_driver("aio_pika", setting="HEADWATER_EVENTS", engine="RabbitMQ", extra="rabbitmq")
    from headwater.engines.events.rabbitmq import RabbitEvents

    return RabbitEvents(url, database, clock)


def open_notices(url: str, role: str, database: Database, clock: Clock) -> Notices:
    """Open notices; empty: memory where one process does everything, else a table.

    A command's go into the table, where a server hears of what it changed.
    """
    url = url or ("memory:" if role == "all" else "table:")
    if url == "memory:":
        from headwater.engines.notices.memory import MemoryNotices

        return MemoryNotices()
    if url == "table:":
        from headwater.engines.notices.table import TableNotices

        return TableNotices(database, clock)
    if not is_redis(url, setting="HEADWATER_NOTICES"):
        raise SettingsError("HEADWATER_NOTICES: use memory:, table: or redis://….")
    from headwater.engines.notices.redis import RedisNotices

    return RedisNotices(url)


def open_cache(url: str, clock: Clock) -> Cache:
    if url in {"", "memory:"}:
        from headwater.engines.cache.memory import MemoryCache

        return MemoryCache(clock)
    if not is_redis(url, setting="HEADWATER_CACHE"):
        raise SettingsError("HEADWATER_CACHE: use memory: or redis://….")
    from headwater.engines.cache.redis import RedisCache

    return RedisCache(url, clock, version=version("headwater"))


def open_rates(url: str) -> Rates:
    """Open where the cache's URL says: both may be lost, and are shared by the same processes."""
    if url in {"", "memory:"}:
        from headwater.engines.rates.memory import MemoryRates

        return MemoryRates()
    from headwater.engines.rates.redis import RedisRates

    return RedisRates(url)


def is_redis(url: str, *, setting: str) -> bool:
    """Say whether *setting* names a Redis. Raises SettingsError: it does, and nobody could ask."""
    parts = urlsplit(url)
    if parts.scheme not in {"redis", "rediss"}:
        return False
    if not parts.hostname or parts.query or not parts.path.strip("/").isdecimal():
        raise SettingsError(f"{setting}: use redis://[:PASSWORD@]HOST[:PORT]/DB, DB a number.")
    require_driver("redis", setting=setting, engine="Redis", extra="redis")
    return True


async def open_media(settings: Settings) -> Media:
    """Open the codec. Raises Unavailable: it does not run, or not behind the walls asked for."""
    from headwater.engines.media.ffmpeg import FfmpegMedia

    waived = {"required": (), "none": ("network", "files")}
    waive = waived.get(settings.sandbox, (settings.sandbox,))
    return await FfmpegMedia.open(_codec_program(settings), waive=waive)


def _codec_program(settings: Settings) -> str:
    if not settings.ffmpeg:
        from imageio_ffmpeg import get_ffmpeg_exe

        program: str = get_ffmpeg_exe()
        return program
    if not Path(settings.ffmpeg).is_file():
        raise Unavailable(f"HEADWATER_FFMPEG={settings.ffmpeg}: there is no such file.")
    return settings.ffmpeg


def sqlite_path(url: str) -> Path:
    scheme, _, path = url.partition(":")
    if scheme != "sqlite" or not path:
        raise SettingsError("HEADWATER_DATABASE: use sqlite:FILE or postgresql://….")
    return Path(path.removeprefix("//"))


async def refuse_unfit(role: str, blobs: Blobs) -> None:
    """Raise SettingsError if a server would work on a bucket that does not keep what it must.

    One that is away now is asked by whoever needs it, and by /health/ready.
    """
    if role == COMMAND or blobs.reach is not Reach.FLEET:
        return
    with suppress(Unavailable, StorageFull, TimeoutError):
        async with asyncio.timeout(PROOF_S):
            await blobs.check()


def refuse_short_reach(
    role: str, engines: Mapping[str, Database | Events | Notices | Blobs]
) -> None:
    """Raise SettingsError if *role* needs other processes and an engine cannot reach them."""
    needed = Reach.PROCESS if role in {"all", COMMAND} else Reach.HOST
    for name, engine in engines.items():
        if engine.reach < needed:
            raise SettingsError(
                f"The role {role} works beside other processes, which HEADWATER_{name.upper()} as "
                "set does not reach; leave it empty or name another engine."
            )

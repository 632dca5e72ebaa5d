"""Moves: the two stores of one, opened by their addresses."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from headwater.compose.engines import (
    blobs_url,
    database_url,
    open_blobs,
    require_driver,
    sqlite_path,
    store_of,
    whole_address,
)
from headwater.engines.lives import holding
from headwater.model.errors import Conflict, SettingsError
from headwater.settings import Settings

if TYPE_CHECKING:
    from headwater.compose.core import Core
    from headwater.engines.database.moving import Leaving
    from headwater.operations.move_blobs import Move as BlobMove
    from headwater.operations.move_database import Move, Told


async def move_database(settings: Settings, url: str, told: "Told") -> "Move | None":
    """Move all rows to the PostgreSQL at *url*; None if they are there already.

    Raises:
        SettingsError: the rows are in no SQLite, or *url* names no PostgreSQL.
        Conflict: somebody else is moving them; or see operations.move_database.
    """
    source = await _leaving(settings)
    if urlsplit(url).scheme not in {"postgresql", "postgres"}:
        raise SettingsError("Rows are moved to PostgreSQL: postgresql://USER:PASSWORD@HOST/DB.")
    require_driver("asyncpg", setting="The address", engine="PostgreSQL", extra="postgres")
    from headwater.engines.database.postgres_arriving import PostgresArriving
    from headwater.operations import move_database as moves

    target = PostgresArriving(url)
    try:
        with _alone(settings):
            return await moves.move_database(source, target, url=url, told=told)
    finally:
        await target.close()


async def move_blobs(core: "Core", url: str, told: "Told") -> "BlobMove | None":
    """Move all blobs of *core* to the store at *url*; None if they are there already.

    Raises:
        SettingsError: *url* names no store.
        Conflict: somebody else is moving them; or see operations.move_blobs.
    """
    from headwater.engines.blobs.moving import Place, Stage
    from headwater.operations import move_blobs as moves
    from headwater.operations import places

    known, named = await places.look(core.database), blobs_url(core.settings)
    url, wanted, present = whole_address(url), store_of(url), store_of(named)
    if known is not None and store_of(known.to) == wanted:
        place = known
    elif known is not None and store_of(known.of) == present:
        begun, hint = known.stage is Stage.BOTH, "`headwater move blobs --abandon` ends that"
        raise Conflict(
            f"The blobs {'are on their way' if begun else 'have moved'} to "
            f"{without_password(known.to)}; "
            f"{hint if begun else 'write that into HEADWATER_BLOBS first'}."
        )
    elif present == wanted:
        return None
    else:
        place = Place(of=named, to=url)
    if place.stage is Stage.ENDED:
        return None
    source, target = open_blobs(place.of), open_blobs(url)
    with _alone(core.settings):
        return await moves.move_blobs(
            place,
            source=source,
            target=target,
            database=core.database,
            clock=core.clock,
            is_set=present == wanted,
            told=told,
        )


async def abandon_blobs(core: "Core") -> None:
    """End a move of the blobs that was begun; they stay where they are."""
    from headwater.operations import move_blobs as moves

    with _alone(core.settings):
        await moves.abandon(core.database)


async def abandon_database(settings: Settings) -> None:
    """End a move of the rows that was begun; they stay where they are."""
    from headwater.operations import move_database as moves

    source = await _leaving(settings)
    with _alone(settings):
        await moves.abandon(source)


def moved_settings(core: "Core") -> list[str]:
    """Return the settings that still name what was moved elsewhere since."""
    found = []
    if getattr(core.database, "has_moved", False):
        found.append("HEADWATER_DATABASE")
    place = getattr(core.blobs, "place", None)
    if (
        place is not None
        and place.stage != "both"
        and store_of(place.of) == store_of(blobs_url(core.settings))
    ):
        found.append("HEADWATER_BLOBS")
    return found


def without_password(url: str) -> str:
    """Return *url* as people may see it."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return whole_address(url)
    user, at, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=user.partition(":")[0] + at + host, query="").geturl()


async def _leaving(settings: Settings) -> "Leaving":
    url = database_url(settings)
    if not url.startswith("sqlite:"):
        raise SettingsError(
            "HEADWATER_DATABASE names PostgreSQL already; from one PostgreSQL to another its own "
            "replication moves best."
        )
    from headwater.engines.database.sqlite import SqliteDatabase
    from headwater.engines.database.sqlite_leaving import SqliteLeaving

    path = sqlite_path(url)
    source = SqliteLeaving(path)
    if await source.moved_to() is None:
        database = SqliteDatabase(path)
        await database.migrate()
        await database.close()
    return source


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Keep out a second mover. Raises Conflict: there is one."""
    folder = settings.data / "moving"
    folder.mkdir(exist_ok=True)
    with holding(folder, alone=True):
        yield

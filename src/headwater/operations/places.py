"""Where the blobs are, as a row that every process reads."""

import msgspec

from headwater.access import preferences_repository
from headwater.engines.blobs.moving import Place
from headwater.engines.database.port import Database, Session

NAME = "blobs-place"
_encoder, _decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Place)


async def look(database: Database) -> Place | None:
    """Return how far a move has come, None if there never was one."""
    async with database.reader() as session:
        return await find(session)


async def find(session: Session) -> Place | None:
    found = await preferences_repository.find(session, NAME)
    return None if found is None else _decoder.decode(found)


async def put(session: Session, place: Place) -> None:
    await preferences_repository.put(session, NAME, _encoder.encode(place))


async def forget(session: Session) -> None:
    """Let blobs be where the settings say."""
    await preferences_repository.remove(session, NAME)


async def count_missed(database: Database) -> None:
    """Remember that something could not be brought to both stores."""
    async with database.writer() as session:
        if (place := await find(session)) is not None:
            missed = msgspec.structs.replace(place, missed=place.missed + 1)
            await put(session, missed)

"""A store at its budget gives up what is cold, and nobody who watches notices."""

import threading
from pathlib import Path

import anyio
import pytest

from headwater.compose.core import Core
from headwater.model.actor import SYSTEM
from headwater.operations.units import ActorUnits, Engines
from headwater.pipeline.evict import evict
from tests.drills.books import Books
from tests.drills.player import Player
from tests.drills.sample import WHOLE
from tests.support.clips import make_clip, run
from tests.support.clocks import Later
from tests.support.server import Server, serving
from tests.support.system import system
from tests.support.videos import upload, wait_for_state

pytestmark = pytest.mark.anyio

AN_HOUR_S = 3600.0
TIMES = 10 if WHOLE else 1
EVERY_S = 0.2
LOOPS = 3  # of a clip of nine seconds: what is evicted begins behind the first ten


async def evict_later(core: Core, budget_bytes: int) -> int:
    engines = Engines(
        database=core.database,
        events=core.events,
        notices=core.notices,
        cache=core.cache,
        rates=core.engines.rates,
        clock=Later(AN_HOUR_S),  # when what is watched now is cold
    )
    units = ActorUnits(engines, SYSTEM)
    return await evict(units=units, blobs=core.blobs, budget_bytes=budget_bytes)


def long_clip(folder: Path, clips: Path) -> Path:
    path = folder / "long.mp4"
    once = make_clip("h264_10fps", clips)
    run("-stream_loop", str(LOOPS), "-i", str(once), "-c", "copy", str(path))
    return path


def made_of(books: Books, video: str) -> dict[str, tuple[str, int]]:
    return {key: (blob.etag, blob.size) for key, blob in books.blobs(f"{video}/").items()}


async def test_an_old_player_plays_on_over_evictions(
    server: Server, clips: Path, tmp_path: Path
) -> None:
    """Again and again everything cold goes while it plays; the same addresses, the same bytes."""
    video = upload(server, long_clip(tmp_path, clips))
    wait_for_state(server, video, "ready")
    books = Books(server.data)
    before = made_of(books, video)
    player = Player(server, video)

    def play() -> None:
        for _ in range(TIMES):
            player.watch()

    playing = threading.Thread(target=play)

    freed = 0
    async with system(server.data) as core:
        playing.start()
        while playing.is_alive():
            freed += await evict_later(core, budget_bytes=1)
            await anyio.sleep(EVERY_S)
    playing.join()
    player.watch()

    assert freed > 0
    pictures = {key for key in made_of(books, video) if "/pictures/" in key}
    assert {k: v for k, v in made_of(books, video).items() if k not in pictures} == {
        k: v for k, v in before.items() if k not in pictures
    }
    assert books.miscounted() == []
    assert books.strays() == []


def test_a_full_budget_ends_the_warm_up(tmp_path: Path, clips: Path) -> None:
    """What eviction would take is not made ahead; it is made when somebody watches."""
    with serving(tmp_path / "data", store_budget_bytes="100000") as server:
        video = upload(server, long_clip(tmp_path, clips))
        wait_for_state(server, video, "ready")
        player = Player(server, video)
        books = Books(server.data)
        made = [key for key in books.blobs(f"{video}/") if key.rpartition("/")[2].isdigit()]

        assert len(made) < len([piece for piece in player.pieces if piece.endswith(".m4s")])
        player.watch()
        assert books.miscounted() == []

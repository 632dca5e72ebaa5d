"""Files that point at other files or addresses: none is read, none is called."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from headwater.engines.media.port import Media
from tests.hostile.outcome import Outcome, check_decodes, process
from tests.hostile.reaching import PLAYED, REFUSED

pytestmark = pytest.mark.anyio

SECRET = b"correct-horse-battery-staple-4711"


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """An address of this machine that nobody may call."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


async def reach(
    trick: str, clips: Path, tmp_path: Path, listening: socket.socket, media: Media
) -> Outcome:
    secret = tmp_path / "secret.txt"
    secret.write_bytes(SECRET)
    secret.chmod(0o644)
    address = f"http://127.0.0.1:{listening.getsockname()[1]}/x.m3u8"
    data = (REFUSED | PLAYED)[trick](clips, str(secret), address)

    outcome = await process(data, tmp_path / "store", media=media, name=trick)

    with pytest.raises(BlockingIOError):
        listening.accept()
    for path in (tmp_path / "store").rglob("*"):
        assert path.is_dir() or SECRET not in path.read_bytes(), path
    return outcome


@pytest.mark.parametrize("trick", REFUSED)
async def test_what_points_elsewhere_is_refused(
    trick: str, clips: Path, tmp_path: Path, listening: socket.socket, media: Media
) -> None:
    outcome = await reach(trick, clips, tmp_path, listening, media)
    assert outcome.reason


@pytest.mark.parametrize("trick", PLAYED)
async def test_what_is_in_the_file_itself_plays(
    trick: str, clips: Path, tmp_path: Path, listening: socket.socket, media: Media
) -> None:
    outcome = await reach(trick, clips, tmp_path, listening, media)
    assert outcome.played
    check_decodes(outcome)

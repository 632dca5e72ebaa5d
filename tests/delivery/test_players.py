"""Players that are not ours: ffmpeg reads the HLS and the DASH manifest over HTTP and plays it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.clips import make_clip
from tests.support.decoding import decode_frames, decode_sound
from tests.support.server import Server, serving
from tests.support.videos import upload, wait_for_state

RATE = 48_000
FADE = 1024  # samples: a decoder without the frame before the first may drop it


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("players") / "data", warm="none") as server:
        yield server


@pytest.fixture(scope="module")
def clip(clips: Path) -> Path:
    return make_clip("h264_ladder", clips)


@pytest.fixture(scope="module")
def video(server: Server, clip: Path) -> str:
    video = upload(server, clip)
    wait_for_state(server, video, "playable", "ready")
    return video


@pytest.mark.parametrize("manifest", ["master.m3u8", "manifest.mpd"])
def test_another_player_decodes_every_frame(
    server: Server, video: str, clip: Path, manifest: str
) -> None:
    """From cold segments, made as the player asks: every picture in its place, and all sound."""
    address = f"{server.url}/streams/{video}/{manifest}"
    frames = decode_frames(address)
    sound = decode_sound(address, rate=RATE, channels=1)

    source = decode_frames(clip)
    assert len(frames.times) == len(source.times)
    assert frames.steps == source.steps
    assert abs(len(sound) - len(decode_sound(clip, rate=RATE, channels=1))) <= FADE


def test_each_playlist_decodes_without_a_complaint(server: Server, video: str, clip: Path) -> None:
    """Rung by rung: of a master, ffmpeg opens every variant and complains of those it leaves."""
    address = f"{server.url}/streams/{video}"
    master = httpx.get(f"{address}/master.m3u8").raise_for_status().text
    rungs = [line for line in master.splitlines() if line.endswith("playlist.m3u8")]
    count = len(decode_frames(clip).times)
    assert len(rungs) > 2

    for rung in rungs:
        frames = decode_frames(f"{address}/{rung}")
        assert (len(frames.times), frames.complaints) == (count, "")


def stream_of(address: str) -> str:
    """Return the name under which the video at *address* is served."""
    master = httpx.get(f"{address}/master.m3u8").raise_for_status().text
    return next(line for line in master.splitlines() if line.endswith("m3u8")).split("/")[0]


@pytest.mark.parametrize("track", ["index", "pictures", "%2e%2e", "x" * 300, "v9999"])
def test_nothing_but_the_plan_is_served(server: Server, video: str, track: str) -> None:
    """What lies beside the tracks in the store is not found, and no name of it leaks."""
    address = f"{server.url}/streams/{video}"
    stream = stream_of(address)
    with server.client() as client:
        document = client.get(f"/api/v1/videos/{video}").json()

    answer = httpx.get(f"{address}/{stream}/{track}/0.m4s")

    assert answer.status_code == httpx.codes.NOT_FOUND
    assert (document.get("generation") or "no generation is told") not in answer.text


@pytest.mark.parametrize("name", ["poster.jpg", "storyboard-1.jpg"])
def test_streams_are_only_read(server: Server, video: str, name: str) -> None:
    """A write is told that there are only reads here."""
    address = f"{server.url}/streams/{video}"

    answer = httpx.post(f"{address}/{stream_of(address)}/{name}", headers={"origin": server.url})

    assert answer.status_code == httpx.codes.METHOD_NOT_ALLOWED

"""What a generation cannot give any more comes through another one; what is there stays served."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.builds import other_build
from tests.support.clips import make_clip, run
from tests.support.decoding import decode_frames
from tests.support.server import Server, serving
from tests.support.videos import POLL_S, READY_S, upload, wait_for_state

HALF_S, RATE = 6, 30
LATER = {httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.TOO_MANY_REQUESTS}


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """H.264 whose parameters change in the middle, inside the stream: its header knows the first.

    No picture comes after one it is shown before, so that a bare stream has times.
    """
    folder = tmp_path_factory.mktemp("changing")
    halves = []
    for cabac in (1, 0):
        half = folder / f"{cabac}.h264"
        run(
            *("-f", "lavfi", "-i", f"testsrc2=size=320x240:rate={RATE}:duration={HALF_S}"),
            *("-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "60"),
            *("-pix_fmt", "yuv420p", "-x264-params", f"open-gop=0:scenecut=0:cabac={cabac}"),
            *("-f", "h264", "-y", str(half)),
        )
        halves.append(half.read_bytes())
    whole = folder / "whole.h264"
    whole.write_bytes(b"".join(halves))
    clip = folder / "changing.mp4"
    run(
        *("-fflags", "+genpts", "-r", str(RATE), "-f", "h264", "-i", str(whole)),
        *("-f", "lavfi", "-i", f"sine=duration={2 * HALF_S}", "-c:v", "copy", "-c:a", "aac"),
        *("-y", str(clip)),
    )
    return clip


@pytest.fixture(scope="module")
def other_ffmpeg() -> Iterator[Path]:
    with other_build() as program:
        yield program


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30) as client:
        yield client


def playlists(client: httpx.Client, server: Server, video: str) -> dict[str, str]:
    """Return the address below which each track's segments lie, by track."""
    base = f"{server.url}/streams/{video}/"
    text = client.get(f"{base}master.m3u8").raise_for_status().text
    found = re.findall(r"[\w/-]+/(\w+)/playlist\.m3u8", text)
    return {
        track: base + re.search(rf"[\w-]+/{track}/", text)[0]  # type: ignore[index]
        for track in found
    }


def segments(client: httpx.Client, track: str) -> int:
    return client.get(f"{track}playlist.m3u8").raise_for_status().text.count("#EXTINF")


def patiently(client: httpx.Client, address: str, *, log: Server) -> httpx.Response:
    """Ask as players do: again while the answer is "later"."""
    deadline = time.monotonic() + READY_S
    while (answer := client.get(address)).status_code in LATER:
        assert time.monotonic() < deadline, log.log
        time.sleep(POLL_S)
    return answer


def whole_track(client: httpx.Client, track: str, path: Path, *, log: Server) -> Path:
    """Save the init and every segment of *track*."""
    names = ["init.mp4", *(f"{index}.m4s" for index in range(segments(client, track)))]
    answers = [patiently(client, track + name, log=log) for name in names]
    path.write_bytes(b"".join(answer.raise_for_status().content for answer in answers))
    return path


def highest(tracks: dict[str, str]) -> str:
    """Return the highest rung that is no copy."""
    return max((t for t in tracks if re.fullmatch(r"v\d+", t)), key=lambda track: int(track[1:]))


@pytest.mark.parametrize("warm", ["none", "all"])
def test_a_copy_that_cannot_go_on_is_replaced(
    changing: Path, tmp_path: Path, client: httpx.Client, warm: str
) -> None:
    """Whoever finds out, a viewer or the warm-up: every picture comes through a new generation."""
    with serving(tmp_path / "data", warm=warm) as server:
        video = upload(server, changing)
        wait_for_state(server, video, "playable", "ready")
        if warm == "none":
            old = playlists(client, server, video)
            (copied,) = (track for track in old if track.endswith("c"))
            last = f"{old[copied]}{segments(client, old[copied]) - 1}.m4s"

            answer = patiently(client, last, log=server)

            assert answer.status_code == httpx.codes.GONE
            assert client.get(f"{old[copied]}0.m4s").status_code == httpx.codes.OK
        else:
            wait_for_state(server, video, "ready")

        new = playlists(client, server, video)
        assert new
        assert not any(track.endswith("c") for track in new)
        frames = decode_frames(
            whole_track(client, new[highest(new)], tmp_path / "new.mp4", log=server)
        )
        assert not frames.complaints
        assert len(frames.times) == 2 * HALF_S * RATE
        with server.client() as owner:
            jobs = owner.get("/api/v1/jobs").raise_for_status().json()["jobs"]
        assert sum(job["kind"] == "plan" for job in jobs) == 2


def test_another_encoder_opens_a_generation_of_its_own(
    clips: Path, other_ffmpeg: Path, tmp_path: Path, client: httpx.Client
) -> None:
    """What the first one made plays on; not one segment of the second gets under its name."""
    with serving(tmp_path / "data", warm="none") as server:
        video = upload(server, make_clip("h264_ladder", clips))
        wait_for_state(server, video, "ready")
        old = playlists(client, server, video)
        track = highest(old)
        first = patiently(client, f"{old[track]}0.m4s", log=server).raise_for_status()
        whole_track(client, old[track], tmp_path / "old.mp4", log=server)  # nothing is left to make
        old = {name: address.removeprefix(server.url) for name, address in old.items()}

    with serving(tmp_path / "data", warm="none", ffmpeg=str(other_ffmpeg)) as server:
        base = server.url + old[track]
        kept = client.get(f"{base}0.m4s").raise_for_status()
        assert (kept.content, kept.headers["etag"]) == (first.content, first.headers["etag"])
        assert playlists(client, server, video)[track] == base

        missing = server.url + old["v360"] + "0.m4s"
        assert patiently(client, missing, log=server).status_code == httpx.codes.GONE

        new = playlists(client, server, video)
        assert new[track] != base
        assert client.get(f"{base}0.m4s").raise_for_status().content == first.content
        frames = decode_frames(whole_track(client, new[track], tmp_path / "new.mp4", log=server))
        assert not frames.complaints
        assert len(frames.times) == 6 * RATE
        assert wait_for_state(server, video, "ready")["ready_at"]

"""One keyframe in a long video: one forward pass makes every segment, once and in its place."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from headwater.engines.media.port import Media
from headwater.pipeline.make_run import make_run
from headwater.pipeline.make_segment import make_init
from tests.pipeline.making import blobs_in, start_making
from tests.support.clips import run
from tests.support.decoding import decode_frames
from tests.support.server import Server, serving
from tests.support.videos import made_pieces, upload, wait_for_state

pytestmark = pytest.mark.anyio

SECONDS = 24


@pytest.fixture(scope="module", params=["mp4", "mkv"])
def recording(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A screen recording: 60 pictures a second and one keyframe, at the start."""
    path: Path = tmp_path_factory.mktemp("runs") / f"recording.{request.param}"
    run(
        *("-f", "lavfi", "-i", f"testsrc2=size=160x120:rate=60:duration={SECONDS}"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-g", "99999", "-bf", "2"),
        *("-x264-params", "scenecut=0", "-pix_fmt", "yuv420p", str(path)),
    )
    return path


async def test_a_pass_makes_each_segment_whole(
    recording: Path, tmp_path: Path, media: Media
) -> None:
    """Every frame of the frame set, in step with the source, and no complaint from a decoder."""
    making = await start_making(recording, blobs=blobs_in(tmp_path), media=media)
    video = making.planned.plan.video
    assert video is not None
    segments = video.run_of(3)
    assert segments == range(len(video.cuts) - 1)
    rung = video.rungs[0]

    bodies = {
        index: made.body
        async for _, index, made in make_run(
            making.material, [rung.id], segments, media=media, urgent=False
        )
    }

    assert sorted(bodies) == list(segments)
    joined = tmp_path / "joined.mp4"
    init = await make_init(making.material, rung.id, media=media)
    joined.write_bytes(init + b"".join(bodies[index] for index in segments))
    made, source = decode_frames(joined), decode_frames(recording)
    assert made.complaints == ""
    assert len(made.times) == -(-len(source.times) // rung.frame_step)
    if rung.frame_step == 1:
        assert made.steps == source.steps


async def test_a_pass_goes_on_where_one_ended(
    recording: Path, tmp_path: Path, media: Media
) -> None:
    """What was made stays; the rest has its own time and frames."""
    making = await start_making(recording, blobs=blobs_in(tmp_path), media=media)
    video = making.planned.plan.video
    assert video is not None
    rest = range(3, len(video.cuts) - 1)
    rung = video.rungs[0]

    made = [
        (index, one.damaged)
        async for _, index, one in make_run(
            making.material, [rung.id], rest, media=media, urgent=True
        )
    ]

    assert made == [(index, False) for index in rest]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "data") as server:
        yield server


def test_the_whole_video_becomes_ready_in_one_pass(server: Server, recording: Path) -> None:
    """Each segment of each rung is made once; a request ahead of the pass is told to come back."""
    video = upload(server, recording)
    wait_for_state(server, video, "ready")

    with server.client() as client:
        document = client.get(f"/api/v1/videos/{video}").json()
        master = client.get(f"/streams/{video}/master.m3u8").text
        track = next(line for line in master.splitlines() if line.endswith("playlist.m3u8"))
        playlist = client.get(f"/streams/{video}/{track}").text
        base = f"/streams/{video}/{track.removesuffix('playlist.m3u8')}"
        names = [line for line in playlist.splitlines() if line.endswith(".m4s")]
        answers = [client.get(base + name) for name in names]
    assert document["damage"] is None
    assert {answer.status_code for answer in answers} == {httpx.codes.OK}
    assert made_pieces(server, "urgent") == 0

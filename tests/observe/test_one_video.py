"""One id for the whole path of a video, from its upload to a segment, over real processes."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from headwater.observe.trace_ids import trace_of
from tests.support.clips import make_clip
from tests.support.collector import Collector, Span, check_tree, collecting
from tests.support.server import EMAIL, PASSWORD, Server
from tests.support.videos import upload, wait_for_state

TITLE = "A walk by the river"
DEPLOYMENTS = {"one process": ("all",), "three processes": ("api", "worker", "scheduler")}
STEPS = {
    "uploads.create",
    "uploads.append",
    "job.waited",
    "job",
    "plan.read",
    "plan.look",
    "plan.make",
    "plan.start",
    "media.encode_video",
    "blobs.put_absent",
    "pipeline.record_plan",
    "events.record",
    "notices.publish",
    "event",
    "video.playable",
    "stream.opened",
    "segment.demanded",
    "segment.served",
    "pieces.made",
    "pipeline.record_segments",
}


@contextmanager
def serving(data: Path, roles: tuple[str, ...], traces: str) -> Iterator[Server]:
    """Start a process for each role, and stop all of them after, so that nothing is unsent."""
    settings = {
        "owner_email": EMAIL,
        "owner_password": PASSWORD,
        "traces": traces,
        "notices": "table:",
        "warm": "none",
    }
    with ExitStack() as stack:
        servers = [Server(data, settings, role, name=role) for role in roles]
        for server in servers:
            server.start()
            stack.callback(server.stop)
        yield servers[0]


def watch(server: Server, video: str) -> str:
    """Ask for the manifests and a segment nobody has made; return the id of that request."""
    with server.client() as client:
        master = client.get(f"/streams/{video}/master.m3u8").raise_for_status().text
        [playlist, *_] = re.findall(r"^[^#\s].*v\d+.*m3u8$", master, re.MULTILINE)
        base = f"/streams/{video}/"
        listed = client.get(base + playlist).raise_for_status().text
        segments = re.findall(r"^[^#\s].*$", listed, re.MULTILINE)
        address = base + playlist.rpartition("/")[0] + "/" + segments[-1]
        answer = client.get(address, timeout=30).raise_for_status()
        return answer.headers["x-request-id"]


@pytest.mark.parametrize("roles", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def test_every_step_of_a_video_is_under_one_id(
    roles: tuple[str, ...], clips: Path, tmp_path: Path
) -> None:
    started = time.time()  # noqa: TID251 — what is compared is what the processes say
    with collecting() as collector:
        with serving(tmp_path / "data", roles, collector.url) as server:
            video = upload(server, make_clip("hevc_mp4", clips), title=TITLE)
            wait_for_state(server, video, "playable", "ready")
            request = watch(server, video)
        took_s = time.time() - started  # noqa: TID251

        spans = collector.of(trace_of(video))
        assert not STEPS - {span.name for span in spans}
        assert {span.process["headwater.role"] for span in spans} == set(roles)
        check_tree(spans)
        assert all(started - 1 <= span.started_at <= span.ended_at for span in spans)
        assert all(span.ended_at - span.started_at < took_s for span in spans)
        check_request(collector, request, spans)
        check_discretion(collector.spans)


def check_request(collector: Collector, request: str, spans: list[Span]) -> None:
    """The request has a trace of its own; it and the video's name each other."""
    [demanded] = [span for span in spans if span.name == "segment.demanded"]
    [asked] = [span for span in collector.of(request) if span.name == "request"]
    assert demanded.links == ((request, asked.id),)
    assert demanded.trace in {trace for trace, _ in asked.links}
    assert asked.attributes["http.response.status_code"] == 200


def check_discretion(spans: list[Span]) -> None:
    said = repr([(span.name, span.attributes) for span in spans])
    assert TITLE not in said
    assert EMAIL not in said
    assert "127.0.0.1" not in said

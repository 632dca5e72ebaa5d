"""Trails and spans: which trace a span is part of, and what is recorded at all."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import pytest

from headwater.engines.entropy import span_id, trace_id
from headwater.observe import traces
from headwater.observe.trace_ids import READS, is_sampled, read_parent, root_of, trace_of
from headwater.observe.traces import Finished, Recording, Trail, following, span
from tests.architecture.test_start import loaded_after

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def recorded() -> Iterator[list[Finished]]:
    found: list[Finished] = []
    moments = iter(range(1000))
    traces.record(Recording(record=found.append, now=lambda: float(next(moments)), new_id=span_id))
    yield found
    traces.record(None)


def named(recorded: list[Finished], name: str) -> Finished:
    [found] = [one for one in recorded if one.name == name]
    return found


def test_what_happens_to_a_video_hangs_from_its_root(recorded: list[Finished]) -> None:
    with Trail(TRACE, "request", kept=True), span("uploads.create"):
        traces.opens("v1")
    with following("job", "v1", kind="plan"), span("media.look"):
        pass

    root, job, look = (named(recorded, name) for name in ("uploads.create", "job", "media.look"))
    assert (root.trace, root.id, root.parent) == (trace_of("v1"), root_of("v1"), "")
    assert (job.trace, job.parent) == (root.trace, root.id)
    assert (look.trace, look.parent) == (root.trace, job.id)
    assert job.attributes == {"video": "v1", "kind": "plan"}


def test_a_request_and_the_video_it_concerns_name_each_other(recorded: list[Finished]) -> None:
    with Trail(TRACE, "request", parent=PARENT), span("uploads.append"):
        with span("database.first"):
            pass
        traces.concerns("v1")
        with span("blobs.put_absent"):
            pass

    request, append = named(recorded, "request"), named(recorded, "uploads.append")
    assert (request.trace, request.parent) == (TRACE, PARENT)
    assert request.links == ((trace_of("v1"), root_of("v1")),)
    assert (append.trace, append.parent) == (trace_of("v1"), root_of("v1"))
    assert append.links == ((TRACE, request.id),)
    for name in ("database.first", "blobs.put_absent"):
        assert named(recorded, name).parent == append.id
        assert named(recorded, name).trace == append.trace


def test_of_what_only_reads_nothing_is_recorded_unless_kept(recorded: list[Finished]) -> None:
    with Trail(TRACE, "request"), span("videos.get"):
        pass
    assert recorded == []

    with Trail(TRACE, "request") as trail, span("videos.get"):
        trail.kept = True
    assert [one.name for one in recorded] == ["videos.get", "request"]
    assert named(recorded, "videos.get").parent == named(recorded, "request").id


def test_a_failure_is_told_by_its_code(recorded: list[Finished]) -> None:
    with pytest.raises(ValueError, match="why"), following("job", "v1"):
        raise ValueError("why")

    assert named(recorded, "job").failed == "ValueError"


@pytest.mark.anyio
async def test_what_outlives_its_request_is_not_logged_under_it() -> None:
    """A task begun in a request keeps its context for as long as it lives."""
    over = asyncio.Event()

    async def outlive() -> tuple[str, str]:
        before = traces.current_id()
        await over.wait()
        return before, traces.current_id()

    with Trail(TRACE, "request"):
        task = asyncio.create_task(outlive())
        await asyncio.sleep(0)
    over.set()

    assert await task == (TRACE, "")
    assert traces.current_id() == ""


def test_nothing_is_recorded_outside_of_trails(recorded: list[Finished]) -> None:
    with span("blobs.put_absent"):
        traces.concerns("v1")
        traces.opens("v1")
    assert recorded == []


def test_one_read_in_a_hundred_is_sampled() -> None:
    sampled = sum(is_sampled(trace_id()) for _ in range(20_000))
    assert sampled == pytest.approx(20_000 / READS, rel=0.5)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (f"00-{TRACE}-{PARENT}-01", (TRACE, PARENT, True)),
        (f" 00-{TRACE}-{PARENT}-00 ", (TRACE, PARENT, False)),
        (f"01-{TRACE}-{PARENT}-03-more", (TRACE, PARENT, True)),
        (f"00-{TRACE}-{PARENT}-01-more", None),
        (f"ff-{TRACE}-{PARENT}-01", None),
        (f"00-{'0' * 32}-{PARENT}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{PARENT}-01", None),
        (f"00-{TRACE}-{PARENT}", None),
        (f"00-{TRACE[:-1]}é-{PARENT}-01", None),
        ("", None),
    ],
)
def test_a_parent_is_read_as_the_standard_says(
    header: str, found: tuple[str, str, bool] | None
) -> None:
    assert read_parent(header) == found


def test_without_a_collector_nothing_of_it_is_imported() -> None:
    loaded = loaded_after("import headwater.compose.services, headwater.compose.core")
    assert not {name for name in loaded if name.startswith("opentelemetry")}


AWAY = """
import time
from headwater.engines.entropy import span_id
from headwater.observe import logs, traces
from headwater.observe.otlp import Collector

logs.configure("info", human=False)
collector = Collector("http://127.0.0.1:9", role="all", instance="here:1", version="0")
traces.record(traces.Recording(record=collector.record, now=time.time, new_id=span_id))
began = time.monotonic()
for _ in range(20_000):
    with traces.following("job", "v1"):
        pass
assert time.monotonic() - began < 20
began = time.monotonic()
collector.close()
assert time.monotonic() - began < 6
"""


def test_a_collector_that_is_away_costs_one_line_and_no_waiting() -> None:
    """More spans than the queue holds are dropped; the end of the process is not held up."""
    answer = subprocess.run(
        [sys.executable, "-c", AWAY], capture_output=True, text=True, check=False
    )

    assert answer.returncode == 0, answer.stderr
    [line] = answer.stderr.splitlines()
    assert '"event":"traces_away"' in line

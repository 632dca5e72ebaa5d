"""Stampedes at what is still to be encoded: the clients of four apis want a cold segment at once.

Flow      the workers stand still → every client asks → they wake, at the first segment when all
          have asked, later at a seeded moment before that → everybody is answered.
Promises  whoever asked before they woke missed; what they made is counted in their spans once they
          have ended, so that nothing can follow.
"""

import re
import resource
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from random import Random  # noqa: TID251 (seeded: a drill can be repeated)

import httpx
import pytest

from headwater.observe.spans import MADE, SERVED
from tests.drills.player import Player
from tests.drills.sample import SEED, WHOLE
from tests.support import databases
from tests.support.clips import AAC, CLOSED, H264, run
from tests.support.collector import Span, collecting
from tests.support.fleet import API, OWNER, SCHEDULER, WORKER, Deployment, running
from tests.support.server import Server
from tests.support.videos import upload, wait_for_state
from tests.support.waiting import until

APIS, WORKERS = 4, 2
CLIENTS = 1000 if WHOLE else 200
TIMES = 20 if WHOLE else 3
SECONDS = 36 if WHOLE else 8  # of three rungs: more segments than are asked for
COME_S = 6.0  # a server holds for eight seconds who waits
ANSWER_S = 30.0

Piece = tuple[str, int]


@pytest.fixture(autouse=True)
def room_for_lines() -> Iterator[None]:
    """As many open files as there are clients, and as many again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * CLIENTS), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def settings(
    request: pytest.FixtureRequest, redis_url: str, tmp_path: Path
) -> Iterator[dict[str, str]]:
    """Nothing is warmed, so every segment is cold until asked for."""
    with databases.fresh("postgres", tmp_path, request, like=databases.MIGRATED) as url:
        yield OWNER | {
            "database": url,
            "notices": redis_url,
            "cache": redis_url,
            "blobs": f"file:{tmp_path / 'blobs'}",
            "encoders": "1",
            "warm": "none",
        }


def test_a_thousand_clients_miss_one_segment_at_once(
    settings: dict[str, str], tmp_path: Path
) -> None:
    """One encode runs, the store is given it once, and all get the same bytes."""
    chance = Random(SEED)
    roles = [API] * APIS + [SCHEDULER]
    others = [Server(tmp_path / f"{role}{n}", settings, role) for n, role in enumerate(roles)]
    with collecting() as collector:
        traced = settings | {"traces": collector.url}
        workers = [Server(tmp_path / f"{WORKER}{n}", traced, WORKER) for n in range(WORKERS)]
        with running([*others, *workers]) as deployment:
            video = upload(deployment, encoded_clip(tmp_path))
            wait_for_state(deployment, video, "ready")
            wanted = cold_pieces(deployment, video, chance)
            for number, address in enumerate(wanted.values()):
                come = chance.randint(1, CLIENTS) if number else CLIENTS
                answers = stampede(deployment, address, come)
                assert {status for status, _ in answers} == {httpx.codes.OK}
                assert len(set(answers)) == 1
        check_made(collector.spans, list(wanted))


def encoded_clip(folder: Path) -> Path:
    """Make a clip that cannot be copied, so that all of its rungs are encoded."""
    path = folder / "encoded.mp4"
    picture = f"testsrc2=size=854x480:rate=15:duration={SECONDS}"
    tone = f"sine=frequency=300:sample_rate=48000:duration={SECONDS}"
    sources = ("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone)
    run(*sources, *H264, "-pix_fmt", "yuv444p", *CLOSED, *AAC, str(path))
    return path


def cold_pieces(deployment: Deployment, video: str, chance: Random) -> dict[Piece, str]:
    """Return the addresses of segments to ask for, the last ones first: whoever asks for a segment
    has the ones after it made too, which then are no longer cold.
    """
    found: dict[Piece, str] = {}
    for address in Player(deployment, video).pieces:
        if named := re.search(r"/(v\d+)/(\d+)\.m4s$", address):
            found[named[1], int(named[2])] = address
    in_turn = sorted(found, key=lambda piece: (-piece[1], chance.random()))
    assert len(in_turn) > TIMES  # the very first is made with the plan
    return {piece: found[piece] for piece in in_turn[:TIMES]}


def stampede(deployment: Deployment, address: str, come: int) -> list[tuple[int, bytes]]:
    """Let all clients ask for *address* at once, and return what each was told; the workers wake
    when *come* of them wait.
    """
    apis, workers = deployment.of_role(API), deployment.of_role(WORKER)
    with ExitStack() as stack:
        lines = [stack.enter_context(line_to(apis[n % APIS])) for n in range(CLIENTS)]
        for worker in workers:
            worker.freeze()
        try:
            for line in lines:
                line.request("GET", address)
            until(lambda: waiting(apis) >= come, within_s=COME_S)
        finally:
            for worker in workers:
                worker.thaw()
        answers = [line.getresponse() for line in lines]
        return [(answer.status, answer.read()) for answer in answers]


def line_to(api: Server) -> closing[HTTPConnection]:
    line = HTTPConnection(api.url.removeprefix("http://"), timeout=ANSWER_S)
    line.connect()
    return closing(line)


def waiting(apis: Sequence[Server]) -> float:
    """Return how many requests *apis* are answering; a look of the balancer can be one."""
    said = [httpx.get(api.metrics_url).raise_for_status().text for api in apis]
    gauge = re.compile(r"^headwater_http_requests_open (\S+)$", re.MULTILINE)
    return sum(float(number) for text in said for number in gauge.findall(text))


def check_made(spans: Sequence[Span], wanted: Collection[Piece]) -> None:
    """Pass if of all that viewers waited for each piece was made once, and put once."""

    def inside(outer: Sequence[Span], name: str) -> list[Span]:
        ids = {span.id for span in outer}
        return [span for span in spans if span.name == name and span.parent in ids]

    served = [span for span in spans if span.name == SERVED]
    made, put = inside(served, MADE), inside(served, "blobs.put_absent")
    pieces = Counter(
        (track, span.attributes["headwater.index"])
        for span in made
        for track in span.attributes["headwater.tracks"]
    )
    assert pieces == Counter(wanted)
    assert len(inside(made, "media.encode_video")) == len(put) == len(wanted)
    assert all(span.attributes["headwater.won"] for span in put)

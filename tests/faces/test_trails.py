"""One id to quote: in the answer, in the problem, in the log, and from a proxy that is trusted."""

from pathlib import Path

import pytest

from headwater.compose.core import Core
from tests.support.system import ADDRESS, client, system

pytestmark = pytest.mark.anyio
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SAID = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}


async def test_a_problem_names_the_id_of_its_answer(core: Core) -> None:
    async with client(core) as http:
        answers = [
            await http.get("/api/v1/videos/unknown"),
            await http.get("/api/v1/uploads/unknown"),
            await http.get("/api/v1/nowhere"),
        ]

    for answer in answers:
        assert answer.json()["trace"] == answer.headers["x-request-id"]
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)


async def test_a_stranger_does_not_choose_the_id(core: Core) -> None:
    """Else anybody could write into the traces of others."""
    async with client(core) as http:
        answer = await http.get("/health/live", headers=SAID)

    assert answer.headers["x-request-id"] != TRACE
    assert "traceresponse" not in answer.headers  # nobody records


async def test_a_trusted_proxy_does(tmp_path: Path) -> None:
    async with (
        system(tmp_path, trusted_proxies=f"{ADDRESS}/32") as core,
        client(core) as http,
    ):
        answer = await http.get("/health/live", headers=SAID)

    assert answer.headers["x-request-id"] == TRACE

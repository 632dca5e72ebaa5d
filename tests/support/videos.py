"""Videos on a real server, the way people get them there; and what the server says of itself."""

import time
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.support.server import Door, Server

READY_S = 60.0
POLL_S = 0.05


def upload(server: Door, path: Path, **fields: str) -> str:
    """Send *path* in one plain request as the owner and return the video's id."""
    with server.client() as client:
        answer = client.post(
            "/api/v1/videos",
            params={"filename": path.name, **fields},
            content=path.read_bytes(),
            headers={"content-type": "application/octet-stream"},
        )
        answer.raise_for_status()
        video: str = answer.json()["id"]
        return video


def delete(server: Door, video: str) -> None:
    """Delete *video* as the owner; it can be brought back for a while."""
    with server.client() as client:
        client.delete(f"/api/v1/videos/{video}").raise_for_status()


def wait_for_state(server: Door, video: str, *states: str, within_s: float = READY_S) -> Any:
    """Wait until *video* is in one of *states* and return its document."""
    deadline = time.monotonic() + within_s
    with server.client() as client:
        while True:
            found = client.get(f"/api/v1/videos/{video}").raise_for_status().json()
            if found["state"] in states:
                return found
            assert time.monotonic() < deadline, f"{found}\n{server.log}"
            time.sleep(POLL_S)


def made_pieces(server: Server, for_whom: str) -> float:
    """Return how many pieces this server process has made so far for those."""
    text = httpx.get(server.metrics_url).raise_for_status().text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "headwater_pieces_made_total" and sample.labels["for_whom"] == for_whom
    )

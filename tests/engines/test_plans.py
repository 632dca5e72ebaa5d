"""No question reads a whole table that grows: what a busy server asks is on an index, on both.

Flow      a real server on PostgreSQL is used in all its ways; auto_explain writes down how each of
          its statements is run, with scans forbidden, so that one is chosen only where no index
          helps; then SQLite explains the same statements.
"""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from headwater.engines.database import migrate
from headwater.engines.database.schema import metadata
from tests.drills.tus import TUS, Sending
from tests.support import postgres
from tests.support.clips import make_clip
from tests.support.server import Server, serving
from tests.support.videos import upload, wait_for_state

EXPLAINED = """
shared_preload_libraries = 'auto_explain'
auto_explain.log_min_duration = 0
auto_explain.log_format = 'json'
log_line_prefix = ''
enable_seqscan = off
"""
PLAN = re.compile(r"plan:\n((?:\t.*\n)+)")
VALUE = re.compile(r"\$(\d+)(?:::\w+)?")
INDEX = re.compile(r'(?<!")\bindex\b(?!")')  # a column of ours, a word of SQLite's
SCAN = re.compile(r"SCAN (\w+)(?! USING)")
# Few rows by nature, or a sum over everything: no index helps those.
SMALL = {"alembic_version", "demands", "setup_links"}  # people who wait are few
SUMS = (
    "SELECT count(*) AS videos",  # headwater space, kept ten seconds
    "SELECT videos.id, videos.title, videos.owner, videos.source_bytes",  # the same report
)
EVERY_PAGE = (
    "/",
    "/upload",
    "/studio",
    "/studio/operations",
    "/watch/{video}",
    "/studio/videos/{video}",
    "/streams/{video}/master.m3u8",
    "/streams/{video}/manifest.mpd",
    "/api/v1/account",
    "/api/v1/jobs",
    "/api/v1/keys",
    "/api/v1/space",
    "/api/v1/videos",
    "/api/v1/videos?limit=1",
    "/api/v1/videos?mine=true",
    "/api/v1/videos?deleted=true",
    "/api/v1/videos/{video}",
)


@pytest.fixture(scope="module")
def statements(tmp_path_factory: pytest.TempPathFactory, clips: Path) -> dict[str, Any]:
    """Return each statement that a server used in all its ways asked, with its plan."""
    folder = tmp_path_factory.mktemp("plans")
    with postgres.server(conf=EXPLAINED) as engine, postgres.database(engine) as url:
        with serving(folder / "data", database=url, sandbox="none") as server:
            use_everything(server, clips)
        found = PLAN.findall(engine.log)
    plans = [json.loads(" ".join(plan.split())) for plan in found]
    return {plan["Query Text"]: plan["Plan"] for plan in plans}


def use_everything(server: Server, clips: Path) -> None:
    clip = make_clip("h264_moov_last", clips)
    sending = Sending(server, clip.read_bytes(), clip.name)
    sending.send(100_000)
    sending.resume(1_000_000)
    videos = [sending.video, upload(server, clip), upload_in_parts(server, clip)]
    for video in videos:
        wait_for_state(server, video, "ready")
    with server.client() as client:
        for page in EVERY_PAGE:
            address = page.format(video=videos[0])
            assert client.get(address).is_success, address
        client.patch(f"/api/v1/videos/{videos[0]}", json={"title": "x"}).raise_for_status()
        client.delete(f"/api/v1/videos/{videos[0]}").raise_for_status()
        client.post(f"/api/v1/videos/{videos[0]}/restore").raise_for_status()
        once = {"idempotency-key": "1"}
        key = client.post("/api/v1/keys", json={"name": "x"}, headers=once).json()
        client.delete(f"/api/v1/keys/{key['key']['id']}").raise_for_status()
        client.delete("/api/v1/session").raise_for_status()


def upload_in_parts(server: Server, clip: Path) -> str:
    """Put *clip* into the store as one part and return the video's id."""
    content = clip.read_bytes()
    part = {"start": 0, "length": len(content), "sha256": sha256(content).hexdigest()}
    with server.client() as client:
        headers = {**TUS, "upload-length": str(len(content))}
        made = client.post("/api/v1/uploads/", headers=headers).raise_for_status()
        parts = f"{made.headers['location']}/parts"
        [ticket] = client.post(parts, json={"parts": [part]}).raise_for_status().json()["parts"]
        client.put(ticket["url"], content=content, headers=ticket["headers"]).raise_for_status()
        client.put(parts, json={"parts": [part]}).raise_for_status()
    return made.headers["headwater-video"]


def parts_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from parts_of(part)


def is_excused(statement: str, table: str) -> bool:
    return table in SMALL or table.startswith("pg_") or statement.startswith(SUMS)


def tables_of(plan: dict[str, Any]) -> set[str]:
    return {part["Relation Name"] for part in parts_of(plan) if "Relation Name" in part}


def test_every_table_was_asked(statements: dict[str, Any]) -> None:
    """Else the two below would look at nothing."""
    asked = set().union(*map(tables_of, statements.values()))
    assert metadata.tables.keys() - asked == {"heartbeats"}  # of replicas, and one row


def test_postgres_scans_no_table(statements: dict[str, Any]) -> None:
    scans = {
        (part["Relation Name"], text)
        for text, plan in statements.items()
        for part in parts_of(plan)
        if part["Node Type"] == "Seq Scan" and not is_excused(text, part["Relation Name"])
    }
    assert not scans


def test_sqlite_scans_no_table(statements: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "rows.db"
    migrate.to_newest(path)
    scans = set()
    with closing(sqlite3.connect(path)) as connection:
        for text, plan in statements.items():
            if not tables_of(plan) & metadata.tables.keys():
                continue  # about the server itself
            asked = "EXPLAIN QUERY PLAN " + INDEX.sub('"index"', VALUE.sub(r"?\1", text))
            values = [None] * len(set(VALUE.findall(text)))
            for *_, step in connection.execute(asked, values):
                found = SCAN.match(step)
                if found and found[1] in metadata.tables and not is_excused(text, found[1]):
                    scans.add((found[1], text))
    assert not scans

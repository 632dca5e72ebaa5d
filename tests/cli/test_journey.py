"""From an empty folder to a restored copy, by the command line alone."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cli.command import headwater
from tests.cli.running import EMAIL, PASSWORD, Running, serving
from tests.support.clips import make_clip
from tests.support.databases import KINDS, fresh


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of database a whole journey is made with."""
    return str(request.param)


@pytest.fixture(scope="module")
def server(
    kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    owner = {"HEADWATER_OWNER_EMAIL": EMAIL, "HEADWATER_OWNER_PASSWORD": PASSWORD}
    folder = tmp_path_factory.mktemp("cli")
    data = folder / "data"
    data.mkdir()
    with fresh(kind, folder, request) as url:
        (data / "headwater.toml").write_text(f'database = "{url}"\n')
        with serving(data, **owner) as running:
            yield running


@pytest.fixture
def other_database(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with fresh(kind, tmp_path, request) as url:
        yield url


@pytest.fixture(scope="module")
def key(server: Running) -> str:
    answer = headwater("keys", "create", "--name", "laptop", "--data", server.data)
    assert answer.status == 0, answer.err
    return answer.out.removesuffix("\n")


@pytest.fixture(scope="module")
def uploaded(server: Running, key: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One clip, uploaded and waited for until it is ready."""
    video = make_clip("h264_moov_last", tmp_path_factory.mktemp("clips"))
    answer = headwater(
        *("upload", video, "--title", "A walk", "--wait", "ready", "--json"),
        HEADWATER_SERVER=server.url,
        HEADWATER_KEY=key,
    )
    assert answer.status == 0, answer.out + answer.err
    outcome: dict[str, str] = json.loads(answer.out)
    return outcome


def test_a_key_is_alone_on_standard_output(key: str) -> None:
    """So that $(headwater keys create …) is the key."""
    assert key
    assert not key.split()[1:]


def test_a_key_is_listed_without_its_secret_and_revoked(server: Running) -> None:
    secret = headwater("keys", "create", "--name", "phone", "--data", server.data).out.strip()
    listed = headwater("keys", "list", "--data", server.data).out
    row = next(line for line in listed.splitlines() if "\tphone\t" in line)

    assert secret not in listed
    assert headwater("keys", "revoke", row.split("\t")[0], "--data", server.data).status == 0
    assert "phone" not in headwater("keys", "list", "--data", server.data).out


def test_an_upload_says_where_to_watch(server: Running, uploaded: dict[str, str]) -> None:
    assert (uploaded["state"], uploaded["title"]) == ("ready", "A walk")
    assert uploaded["failure"] is None
    assert uploaded["watch_url"] == f"{server.url}/watch/{uploaded['id']}"
    assert 0 <= float(uploaded["playable_s"]) <= float(uploaded["ready_s"])


def test_a_file_that_is_no_video_fails_with_a_reason(
    server: Running, key: str, tmp_path: Path
) -> None:
    """And only it: the status is 1, the reason is a sentence."""
    (tmp_path / "notes.mp4").write_text("not a video at all\n" * 100)
    answer = headwater(
        *("upload", tmp_path / "notes.mp4", "--wait", "ready", "--json"),
        HEADWATER_SERVER=server.url,
        HEADWATER_KEY=key,
    )
    outcome = json.loads(answer.out)

    assert answer.status == 1
    assert outcome["state"] == "failed"
    assert outcome["failure"]["reason"].endswith(".")


def test_space_and_jobs_speak_of_the_video(server: Running, uploaded: dict[str, str]) -> None:
    space = headwater("space", "--data", server.data).out
    assert re.match(r"[12] videos?: ", space)  # beside a text file, if that test came first
    assert "A walk" in space
    assert "over the budget" not in space
    over = headwater("space", "--data", server.data, HEADWATER_STORE_BUDGET_BYTES="1").out
    assert "over the budget: what nobody watched for ten minutes" in over
    jobs = headwater("jobs", "list", "--data", server.data)
    assert jobs.status == 0
    assert uploaded["id"] in jobs.out


def test_check_names_every_engine(server: Running) -> None:
    answer = headwater("check", "--data", server.data)
    parts = {line.split("\t")[0] for line in answer.out.splitlines()}

    assert {"database", "events", "notices", "cache", "blobs", "disk", "codec"} <= parts


def test_a_backup_taken_while_serving_restores_and_plays(
    server: Running, uploaded: dict[str, str], other_database: str, tmp_path: Path
) -> None:
    """Without segments: the restored server makes them again, the same bytes."""
    kept, restored = tmp_path / "kept", tmp_path / "restored"
    assert headwater("backup", kept, "--data", server.data).status == 0
    elsewhere = {"HEADWATER_DATABASE": other_database}
    assert headwater("restore", kept, "--data", restored, **elsewhere).status == 0

    path = uploaded["hls_url"].removeprefix(server.url)
    before = segments(server.url, path)
    with serving(restored, **elsewhere) as other:
        after = segments(other.url, path)

    assert before
    assert before == after


def test_what_is_edited_and_deleted_is_so(
    server: Running, key: str, uploaded: dict[str, str]
) -> None:
    """And a deletion can be taken back."""
    place = f"/api/v1/videos/{uploaded['id']}"
    with httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {key}"}) as http:
        before = http.get(place)
        guard = {"if-match": before.headers["etag"]}
        edited = http.patch(place, json={"title": "Another walk"}, headers=guard)
        assert edited.status_code == 200
        assert http.patch(place, json={"title": "Lost"}, headers=guard).status_code == 412
        assert http.get(place).json()["title"] == "Another walk"
        assert http.delete(place).is_success
        assert http.get(place).json()["deleted_at"] is not None
        assert http.post(f"{place}/restore").is_success
        after = http.get(place).json()
        assert (after["title"], after["deleted_at"]) == ("Another walk", None)


def segments(url: str, master: str) -> list[bytes]:
    """Return the segments of the first playlist of *master*, in order."""
    with httpx.Client(base_url=url, timeout=60) as http:
        names = lines(http, master)
        playlist = str(http.base_url.join(master).join(names[0]))
        places = lines(http, playlist)
        return [
            http.get(httpx.URL(playlist).join(place)).raise_for_status().content for place in places
        ]


def lines(http: httpx.Client, path: str) -> list[str]:
    text = http.get(path).raise_for_status().text
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_a_port_in_use_is_said_in_a_sentence(server: Running, tmp_path: Path) -> None:
    port = server.url.rpartition(":")[2]
    answer = headwater("serve", "--data", tmp_path, "--port", port, HEADWATER_INTERNAL_PORT="0")

    assert answer.status != 0
    assert "Traceback" not in answer.err
    assert port in answer.err
    assert sys.executable not in answer.err


def test_an_idle_server_is_small(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as idle:
        assert idle.resident_bytes <= 150e6


def test_a_server_that_makes_nothing_loads_no_arrays(tmp_path: Path) -> None:
    """numpy is for planning; who only answers has no use for its memory."""
    with serving(tmp_path / "data", "--role", "api") as idle:
        maps = Path(f"/proc/{idle.process.pid}/maps").read_text()

    assert "numpy" not in maps

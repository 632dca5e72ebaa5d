"""Commands answer in plain sentences, with a status scripts can rely on."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from headwater.roles import free_port
from tests.cli.command import COMMAND, bare_environment, headwater
from tests.support.system import system

HOST = "127.0.0.1"
COMMANDS = (
    *("serve", "worker", "upload", "keys", "check", "settings", "operations", "jobs", "events"),
    *("space", "backup", "restore"),
)


def test_help_names_every_command() -> None:
    answer = headwater("--help")

    assert answer.status == 0
    for command in COMMANDS:
        assert command in answer.out


def test_a_mistyped_variable_is_named(tmp_path: Path) -> None:
    """A typo would otherwise be a setting silently not set."""
    answer = headwater("settings", HEADWATER_PROT="1", HEADWATER_DATA=str(tmp_path))

    assert answer.status == 2
    assert answer.err.count("\n") == 1
    assert "HEADWATER_PROT" in answer.err


def test_a_value_that_cannot_be_is_named() -> None:
    answer = headwater("settings", HEADWATER_PORT="many")

    assert answer.status == 2
    assert "HEADWATER_PORT=many: " in answer.err
    assert "Traceback" not in answer.err


def test_settings_say_where_they_come_from_and_hide_secrets(tmp_path: Path) -> None:
    (tmp_path / "headwater.toml").write_text("undo_s = 60\n")
    answer = headwater(
        "settings",
        "--data",
        tmp_path,
        HEADWATER_OWNER_EMAIL="ada@example.org",
        HEADWATER_OWNER_PASSWORD="a long enough password",
    )
    rows = {line.split("\t")[0]: line.split("\t") for line in answer.out.splitlines()}

    assert rows["HEADWATER_DATA"][1:5] == [str(tmp_path), "", "data", "option"]
    assert rows["HEADWATER_UNDO_S"][1:5] == ["60", "seconds", "604800", "headwater.toml"]
    assert rows["HEADWATER_OWNER_EMAIL"][4] == "environment"
    assert rows["HEADWATER_PORT"][4] == "default"
    assert "long enough" not in answer.out


def test_operations_are_printed_for_machines_too() -> None:
    rows = json.loads(headwater("operations", "--json").out)

    assert {"name", "because", "consistency"} <= rows[0].keys()


def test_an_upload_needs_a_key(tmp_path: Path) -> None:
    (tmp_path / "walk.mp4").write_bytes(b"bytes")
    answer = headwater("upload", tmp_path / "walk.mp4")

    assert answer.status == 2
    assert "keys create" in answer.err


def test_an_upload_that_nobody_answers_fails_in_words(tmp_path: Path) -> None:
    """One JSON object per file with exactly the promised keys, and status 1."""
    (tmp_path / "walk.mp4").write_bytes(b"bytes")
    server = f"http://{HOST}:{free_port(HOST)}"
    answer = headwater(
        "upload", tmp_path / "walk.mp4", "--json", HEADWATER_SERVER=server, HEADWATER_KEY="k"
    )
    outcome = json.loads(answer.out)

    assert answer.status == 1
    assert list(outcome) == [
        *("id", "state", "title", "watch_url", "hls_url", "dash_url"),
        *("failure", "damage", "uploaded_s", "playable_s", "ready_s"),
    ]
    assert outcome["failure"]["code"] == "unreachable"
    assert server in outcome["failure"]["reason"]
    assert outcome["title"] == "walk"


@pytest.mark.parametrize("named", ["{server}", "http://{server}/"])
def test_a_server_may_be_named_without_its_scheme(named: str, tmp_path: Path) -> None:
    (tmp_path / "walk.mp4").write_bytes(b"bytes")
    server = f"{HOST}:{free_port(HOST)}"
    answer = headwater(
        *("upload", tmp_path / "walk.mp4", "--key", "k"),
        HEADWATER_SERVER=named.format(server=server),
    )

    assert f"http://{server} does not answer" in answer.out


def test_without_a_server_the_one_of_this_machine_is_asked(tmp_path: Path) -> None:
    (tmp_path / "walk.mp4").write_bytes(b"bytes")
    port = str(free_port(HOST))
    answer = headwater("upload", tmp_path / "walk.mp4", "--key", "k", HEADWATER_PORT=port)

    assert f"http://{HOST}:{port} does not answer" in answer.out


def test_a_folder_is_no_file_to_upload(tmp_path: Path) -> None:
    answer = headwater("upload", tmp_path, "--key", "k")

    assert answer.status == 2
    assert "not their folder" in answer.err


def test_who_has_read_enough_hears_no_complaint() -> None:
    """As `headwater operations --json | head -1`."""
    with subprocess.Popen(
        [COMMAND, "operations", "--json"],
        env=bare_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as command:
        assert command.stdout is not None
        assert command.stderr is not None
        command.stdout.close()

        assert command.stderr.read() == b""


def test_a_codec_that_is_not_there_is_named_as_it_was_typed(tmp_path: Path) -> None:
    answer = headwater("check", "--data", tmp_path, HEADWATER_FFMPEG="no/such/ffmpeg")

    assert "HEADWATER_FFMPEG=no/such/ffmpeg: there is no such file." in answer.out


def test_what_is_empty_is_said(tmp_path: Path) -> None:
    """Beside standard output, where scripts count lines."""

    async def open_once() -> None:
        async with system(tmp_path):
            pass

    asyncio.run(open_once())
    for words, said in (
        (("jobs", "list"), "No jobs.\n"),
        (("jobs", "list", "--state", "dead"), "No jobs are dead.\n"),
        (("events", "list"), "No events were given up.\n"),
        (("keys", "list"), "No keys.\n"),
    ):
        answer = headwater(*words, "--data", tmp_path)
        assert (answer.out, answer.err) == ("", said)


def test_a_state_no_job_can_have_is_refused_with_those_it_can() -> None:
    answer = headwater("jobs", "list", "--state", "foo")

    assert answer.status == 2
    assert "Value error" not in answer.err
    assert "queued" in answer.err


def test_a_restore_into_a_used_folder_is_refused(tmp_path: Path) -> None:
    """And one from a folder that holds no backup."""
    answer = headwater("restore", tmp_path, "--data", tmp_path / "data")

    assert answer.status == 2
    assert "no finished backup" in answer.err


def test_the_printed_settings_are_fresh() -> None:
    """Mend with: headwater settings --markdown > docs/settings.md."""
    page = Path(__file__).parents[2] / "docs" / "settings.md"

    assert page.read_text() == headwater("settings", "--markdown").out

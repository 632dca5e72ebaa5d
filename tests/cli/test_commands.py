"""Commands answer in plain sentences, with a status scripts can rely on."""

import json
from pathlib import Path

from headwater.roles import free_port
from tests.cli.command import headwater

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
    assert "HEADWATER_PORT" in answer.err
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
        *("failure", "uploaded_s", "playable_s", "ready_s"),
    ]
    assert outcome["failure"]["code"] == "unreachable"
    assert server in outcome["failure"]["reason"]
    assert outcome["title"] == "walk"


def test_a_restore_into_a_used_folder_is_refused(tmp_path: Path) -> None:
    """And one from a folder that holds no backup."""
    answer = headwater("restore", tmp_path, "--data", tmp_path / "data")

    assert answer.status == 2
    assert "no finished backup" in answer.err


def test_the_printed_settings_are_fresh() -> None:
    """Mend with: headwater settings --markdown > docs/settings.md."""
    page = Path(__file__).parents[2] / "docs" / "settings.md"

    assert page.read_text() == headwater("settings", "--markdown").out

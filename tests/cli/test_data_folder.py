"""The data folder: never made by a look, never mistaken for another, read by its user alone."""

import asyncio
import stat
from pathlib import Path

import pytest

from headwater.compose.core import open_core
from headwater.settings import load
from tests.cli.command import headwater
from tests.cli.running import serving

LOOKS = (
    *(("backup", "{kept}"), ("space",), ("check",), ("jobs", "list"), ("jobs", "show", "1")),
    *(("events", "list"), ("keys", "list"), ("keys", "create", "--name", "laptop")),
)
PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600


def found(folder: Path) -> Path:
    """Make *folder* the data folder of a new installation."""

    async def open_once() -> None:
        async with open_core(load(data=folder)):
            pass

    asyncio.run(open_once())
    return folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
def test_a_mistyped_folder_is_refused_and_not_made(words: tuple[str, ...], tmp_path: Path) -> None:
    data, kept = tmp_path / "typo", tmp_path / "kept"
    answer = headwater(*(word.format(kept=kept) for word in words), HEADWATER_DATA=str(data))

    assert answer.status != 0
    assert f"There is no Headwater data in {data} (HEADWATER_DATA or --data names it)." in (
        answer.out + answer.err
    )
    assert not list(tmp_path.iterdir())


def test_an_empty_folder_holds_no_data_either(tmp_path: Path) -> None:
    answer = headwater("space", "--data", tmp_path)

    assert answer.status == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [("space",), ("serve", "--port", "0"), ("check",)])
def test_a_file_in_its_place_is_named_with_the_reason(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.write_text("")
    answer = headwater(*words, "--data", data, HEADWATER_SANDBOX="none")

    assert answer.status != 0
    assert f"The data folder {data} " in answer.out + answer.err
    assert "there is a file in its place" in answer.out + answer.err


def test_check_says_the_rest_beside_it(tmp_path: Path) -> None:
    answer = headwater("check", "--data", tmp_path / "typo")
    rows = {line.split("\t")[0]: line.split("\t") for line in answer.out.splitlines()}

    assert answer.status == 1
    assert rows["data"][1] == "MISSING"
    assert rows["codec"][1] == "ok"


def test_a_backup_of_another_installation_is_not_overwritten(tmp_path: Path) -> None:
    """It stays as it was, to the byte; that of its own is renewed."""
    ours, other, kept = found(tmp_path / "ours"), found(tmp_path / "other"), tmp_path / "kept"
    assert headwater("backup", kept, "--data", ours).status == 0
    before = {path.name: path.read_bytes() for path in kept.iterdir() if path.is_file()}

    answer = headwater("backup", kept, "--data", other)

    assert answer.status == 2
    assert "the backup of another installation" in answer.err
    assert {path.name: path.read_bytes() for path in kept.iterdir() if path.is_file()} == before
    assert headwater("backup", kept, "--data", ours).status == 0


def test_what_a_server_keeps_only_its_user_reads(tmp_path: Path) -> None:
    """Nor what is copied of it."""
    data, kept, restored = (tmp_path / name for name in ("data", "kept", "restored"))
    with serving(data, "--role", "api"):
        rows = sorted(path for path in data.iterdir() if path.name.startswith("headwater.sqlite3"))
        modes = {mode(path) for path in rows}
        assert headwater("backup", kept, "--data", data).status == 0
    assert headwater("restore", kept, "--data", restored).status == 0

    assert len(rows) == 3
    assert modes == {PRIVATE_FILE}
    assert {mode(folder) for folder in (data, kept, restored)} == {PRIVATE_FOLDER}
    assert mode(kept / "database") == mode(restored / "headwater.sqlite3") == PRIVATE_FILE

"""Who has died is known at once, and nobody who lives is taken for dead."""

import subprocess
import sys
from pathlib import Path

import pytest

from headwater.engines.lives import Lives, holding
from headwater.model.errors import Conflict

OTHER = """
import sys
from pathlib import Path
from headwater.engines.lives import Lives
lives = Lives(Path(sys.argv[1]), "other")
print("alive", flush=True)
sys.stdin.read()
"""


def test_a_killed_process_is_seen_and_forgotten(tmp_path: Path) -> None:
    """While it lives it is not listed, whoever looks; killed, it is, until it is forgotten."""
    ours = Lives(tmp_path / "lives", "ours")
    with subprocess.Popen(
        [sys.executable, "-c", OTHER, str(tmp_path / "lives")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"alive\n"
        assert ours.ended() == []
        other.kill()
        other.wait()
    assert ours.ended() == ["other"]
    ours.forget("other")
    ours.forget("other")
    assert ours.ended() == []
    ours.close()


def test_the_next_of_the_same_folder_sees_who_was_before(tmp_path: Path) -> None:
    Lives(tmp_path, "first").close()
    second = Lives(tmp_path, "second")
    assert second.ended() == ["first"]
    second.close()


@pytest.mark.parametrize(("ours", "theirs"), [(True, True), (True, False), (False, True)])
def test_who_wants_to_be_alone_shares_with_nobody(
    tmp_path: Path, *, ours: bool, theirs: bool
) -> None:
    with (
        holding(tmp_path, alone=ours),
        pytest.raises(Conflict),
        holding(tmp_path, alone=theirs),
    ):
        pass
    with holding(tmp_path, alone=theirs):
        assert (tmp_path / "held").exists()


def test_others_hold_a_folder_together(tmp_path: Path) -> None:
    with holding(tmp_path, alone=False), holding(tmp_path, alone=False):
        assert (tmp_path / "held").exists()

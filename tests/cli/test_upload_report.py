"""What `headwater upload` says of a file that arrived but is not whole."""

import json
from pathlib import Path

import pytest

from headwater.cli.send_files import Wish, send_files
from headwater.cli.upload_report import Report
from tests.cli.flaky_tus import FlakyTus

pytestmark = pytest.mark.anyio
DAMAGE = "The file stops after 4.2 s; its end is missing."
WATCH = "http://here/watch/video1"


@pytest.mark.parametrize("as_json", [False, True])
async def test_damage_is_said(
    as_json: bool,  # noqa: FBT001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """On the one line of its file."""
    monkeypatch.setenv("HOME", str(tmp_path))
    walk = tmp_path / "walk.mp4"
    walk.write_bytes(b"bytes")
    video: dict[str, object] = {
        "id": "video1",
        "title": "walk",
        "state": "ready",
        "progress": 1.0,
        "failure": None,
        "watch_url": WATCH,
        "hls_url": "",
        "dash_url": "",
        "damage": DAMAGE,
    }
    async with FlakyTus(videos=[video]).listening() as server:
        wish = Wish(server=server.url, key="k", title=None, wait="ready")
        with Report(as_json=as_json, is_terminal=False) as report:
            await send_files([walk], wish=wish, report=report)

    said = capsys.readouterr().out
    if as_json:
        assert json.loads(said)["damage"] == DAMAGE
    else:
        assert said == f"{walk}: ready: {WATCH} ({DAMAGE})\n"

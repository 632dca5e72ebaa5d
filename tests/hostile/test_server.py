"""A real server under a batch of hostile files: it answers, stays small, and gives nothing away."""

import threading
import time
from pathlib import Path
from typing import Self

import httpx
import pytest

from headwater.containers.isobmff.boxes import box
from tests.containers.boxes import u32
from tests.hostile.broken import media_data
from tests.hostile.movies import alias, edit, table, with_data_reference, with_edits
from tests.hostile.outcome import check_sentence
from tests.hostile.reaching import PLAYLIST
from tests.hostile.test_codecs import noise
from tests.hostile.test_lies import giant_parameters, png_bomb
from tests.support.server import Server, serving
from tests.support.videos import upload, wait_for_state

SECRET = "correct-horse-battery-staple-4711"
ANSWER_S = 2.0  # on a machine whose every core is busy, at the worst
SERVER_MIB = 700
CODEC_MIB = 1024
DONE_S = 120.0


class Watch:
    """Asks the server whether it lives, over and over, and looks at how large it and all it
    started became.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.slowest_s = 0.0
        self.answers: list[int] = []
        self.server_mib = self.codec_mib = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        with httpx.Client(base_url=self._server.url, timeout=30) as client:
            while not self._over.wait(0.05):
                began = time.monotonic()
                self.answers.append(client.get("/health/live").status_code)
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)
                self.server_mib = max(self.server_mib, peak_mib(self._server.pid))
                children = [peak_mib(child) for child in children_of(self._server.pid)]
                self.codec_mib = max(self.codec_mib, *children, 0)


def peak_mib(process: int) -> int:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    told = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(told[0].split()[1]) >> 10 if told else 0


def children_of(process: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            found += map(int, task.read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def batch(movie: bytes, secret: Path) -> dict[str, bytes]:
    lo, hi = media_data(movie)
    third = (hi - lo) // 3
    return {
        "playlist.mp4": PLAYLIST.format(path=secret, address="http://127.0.0.1:9/").encode(),
        "alias.mov": with_data_reference(movie, alias(str(secret))),
        "cut.mp4": movie[: len(movie) // 2],
        "giants.mp4": giant_parameters(movie),
        "bomb.mov": png_bomb(2_000, 2_000)(movie),
        "samples.mp4": table(movie, "stsz", 1, 0xFFFFFFFF),
        "equal.mp4": table(movie, "stsz", 0, 3_000_000, *([1] * 3_000_000)),
        "years.mp4": table(movie, "stts", 1, 0xFFFFFFFF, 0x7FFFFFFF),
        "edits.mp4": with_edits(movie, *[(100, 0)] * 3_000),
        "index.mp4": edit(movie, "moov", lambda body: body + box(b"free", bytes(60 << 20))),
        "runs.mp4": table(movie, "stts", 1_000_000, *([1, 1] * 1_000_000)),
        "noise.mov": noise("video", b"SVQ3", 1),
        "text.mp4": b"hello " * 100,
        "zeros.mp4": bytes(1 << 20),
        "header.mp4": b"\0\0\0\x10ftypisom\0\0\0\0" + u32(8) + b"moov",
        "damaged.mp4": movie[: lo + third] + bytes(third) + movie[lo + 2 * third :],
    }


def test_a_batch(movie: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED_IN_THE_ENVIRONMENT", SECRET)
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    with serving(tmp_path / "data", warm="low") as server, Watch(server) as watch:
        videos = {}
        for name, data in batch(movie, secret).items():
            path = tmp_path / name
            path.write_bytes(data)
            videos[name] = upload(server, path)
        found = {
            name: wait_for_state(server, video, "failed", "playable", "ready", within_s=DONE_S)
            for name, video in videos.items()
        }
        damaged = wait_for_state(server, videos["damaged.mp4"], "ready", within_s=DONE_S)
        with server.client() as client:
            pages = [client.get(f"/watch/{video}").text for video in videos.values()]

    for document in found.values():
        if document["state"] == "failed":
            assert document["failure"]["code"] in {"unreadable-media", "refused-media"}
            check_sentence(document["failure"]["reason"])
    played = {name for name, document in found.items() if document["state"] != "failed"}
    assert played >= {"alias.mov", "edits.mp4", "bomb.mov", "damaged.mp4", "giants.mp4"}
    assert not played & {"playlist.mp4", "cut.mp4", "text.mp4", "zeros.mp4", "header.mp4"}
    assert "are damaged" in damaged["damage"]
    assert set(watch.answers) == {200}
    assert watch.slowest_s < ANSWER_S
    assert watch.server_mib < SERVER_MIB
    assert watch.codec_mib < CODEC_MIB
    for told in (*pages, *map(str, found.values()), server.log):
        assert SECRET not in told

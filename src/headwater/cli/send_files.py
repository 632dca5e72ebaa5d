"""Several files to one server: sent one after the other, followed all at once."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx
import msgspec

from headwater.cli.tus_client import Broken, Refused, TusClient, problem
from headwater.cli.unfinished import Unfinished
from headwater.model.video import Failure, VideoState

# The upload itself waits for nothing; a part of 8 MiB over a slow line may take minutes.
TIMEOUT = httpx.Timeout(30.0, write=300.0, read=300.0)
POLLS_S = (0.05, 0.2, 1.0)  # in the first two seconds, the first half minute, later
LOST_S = 60.0  # a server that restarts is back by then
ORDER = [VideoState.UPLOADING, VideoState.PROCESSING, VideoState.PLAYABLE, VideoState.READY]


class Video(msgspec.Struct, kw_only=True):
    """What the command reads of `/api/v1/videos/{id}`."""

    id: str
    title: str
    state: VideoState
    progress: float
    failure: Failure | None
    damage: str | None = None
    watch_url: str
    hls_url: str
    dash_url: str


class Outcome(msgspec.Struct, kw_only=True):
    """One file's end, exactly as `--json` prints it."""

    id: str | None = None
    state: str = "failed"
    title: str
    watch_url: str | None = None
    hls_url: str | None = None
    dash_url: str | None = None
    failure: Failure | None = None
    damage: str | None = None
    uploaded_s: float | None = None
    playable_s: float | None = None
    ready_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Where to, with which key, and what to wait for ("playable", "ready" or nothing).

    *direct*: the bytes go straight to the server's bucket.
    """

    server: str
    key: str
    title: str | None
    wait: str | None
    direct: bool = False


class Report(Protocol):
    """Hears of each file's progress and end."""

    def sending(self, path: Path, sent_bytes: int, size: int) -> None: ...
    def waiting(self, path: Path, after_s: float) -> None: ...
    def making(self, path: Path, share: float) -> None: ...
    def ended(self, path: Path, outcome: Outcome) -> None: ...


async def send_files(files: Sequence[Path], *, wish: Wish, report: Report) -> list[Outcome]:
    """Send *files* in order and return their outcomes; one that fails does not stop the others."""
    headers = {"Authorization": f"Bearer {wish.key}"}
    folder = Path.home() / ".local" / "state" / "headwater"
    async with (
        httpx.AsyncClient(base_url=wish.server, headers=headers, timeout=TIMEOUT) as http,
        httpx.AsyncClient(timeout=TIMEOUT) as bucket,
    ):
        client = TusClient(
            http,
            unfinished=Unfinished(folder, server=wish.server),
            bucket=bucket if wish.direct else None,
        )
        turn = asyncio.Lock()
        files_of = [_File(path, wish, http, client, report) for path in files]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(file.run(turn)) for file in files_of]
    return [task.result() for task in tasks]


class _File:
    """One file on its way from here to ready."""

    def __init__(
        self, path: Path, wish: Wish, http: httpx.AsyncClient, client: TusClient, report: Report
    ) -> None:
        self._path, self._wish, self._report = path, wish, report
        self._http, self._client = http, client
        self._outcome = Outcome(title=wish.title or path.stem)

    async def run(self, turn: asyncio.Lock) -> Outcome:
        """Send when it is this file's turn, then follow its video without holding the turn."""
        outcome = self._outcome
        try:
            async with turn:
                outcome.id = await self._send()
            await self._follow(outcome.id)
        except Refused as error:
            outcome.failure = Failure(error.code, str(error))
        except OSError as error:
            outcome.failure = Failure("file", f"{self._path}: {error.strerror}.")
        self._report.ended(self._path, outcome)
        return outcome

    async def _send(self) -> str:
        size = (await asyncio.to_thread(self._path.stat)).st_size
        started = time.monotonic()
        video = await self._client.send(
            self._path,
            title=self._outcome.title,
            moved=lambda sent_bytes: self._report.sending(self._path, sent_bytes, size),
            waits=lambda after_s: self._report.waiting(self._path, after_s),
        )
        self._outcome.uploaded_s = round(time.monotonic() - started, 3)
        return video

    async def _follow(self, video_id: str) -> None:
        """Ask until the state waited for is there, or the video failed."""
        goal = ORDER.index(VideoState(self._wish.wait)) if self._wish.wait else 0
        began = heard = time.monotonic()
        while True:
            now = time.monotonic()
            try:
                video = await self._look(video_id)
            except Broken as broken:
                if now - heard > LOST_S:
                    raise Refused("unreachable", str(broken)) from None
                await asyncio.sleep(max(POLLS_S[-1], broken.after_s))
                continue
            heard = now
            self._note(video, now - began)
            if video.state is VideoState.FAILED or ORDER.index(video.state) >= goal:
                return
            await asyncio.sleep(_pause_s(now - began))

    async def _look(self, video_id: str) -> Video:
        try:
            answer = await self._http.get(f"/api/v1/videos/{video_id}")
        except httpx.TransportError as error:
            raise Broken(f"{self._wish.server} does not answer ({error}).") from None
        if answer.is_server_error or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise Broken(problem(answer)[1])
        if answer.is_error:
            raise Refused(*problem(answer))
        return msgspec.json.decode(answer.content, type=Video)

    def _note(self, video: Video, after_s: float) -> None:
        outcome = self._outcome
        outcome.state, outcome.title, outcome.failure = video.state, video.title, video.failure
        for name in ("damage", "watch_url", "hls_url", "dash_url"):
            setattr(outcome, name, getattr(video, name))
        if video.state.can_play and outcome.playable_s is None:
            outcome.playable_s = round(after_s, 3)
        if video.state is VideoState.READY and outcome.ready_s is None:
            outcome.ready_s = round(after_s, 3)
        if self._wish.wait == VideoState.READY:
            self._report.making(self._path, video.progress)


def _pause_s(after_s: float) -> float:
    """Ask often at first, when it matters and is likely; seldom in a long warm-up."""
    soon, later, seldom = POLLS_S
    return soon if after_s < 2 else later if after_s < 30 else seldom

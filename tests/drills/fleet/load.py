"""Load: people who upload, edit and watch, and hold the deployment to what it told them.

Flow      a Load's threads ask through one door until stop(); what they were told is in `uploads`,
          `history` and `plays`; whoever gets no answer, or 503, asks again, as real clients do.
Promises  an upload counts from the answer that confirmed its last byte, an edit from its answer.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from math import inf
from random import Random  # noqa: TID251 (seeded: a drill can be repeated)

import httpx

from tests.drills.fleet.histories import History
from tests.drills.player import Player
from tests.drills.tus import Sending
from tests.support.server import Door

PIECE_BYTES = 64 << 10
BETWEEN_UPLOADS_S = 4.0
BETWEEN_EDITS_S = 0.5  # an account may edit 300 times a minute, and all are one here
BETWEEN_SEGMENTS_S = 0.1
AGAIN_S = 0.2
STALL_S = 15.0  # longer, and a player has run out of what it buffered
ANSWER_S = 5.0
AGE = "headwater-age"  # on answers that are older than they should be


@dataclass(frozen=True, slots=True)
class Play:
    """One segment that somebody wanted: how long it took, and what went wrong if anything did."""

    asked_at: float
    took_s: float
    piece: str
    fault: str = ""


@dataclass(slots=True, kw_only=True)
class Load:
    door: Door
    clip: bytes
    seed: int
    editors: int = 2
    players: int = 2
    uploaders: int = 1
    uploads: list[str] = field(default_factory=list)
    history: History = field(default_factory=History)
    plays: list[Play] = field(default_factory=list)
    wrote_at: float = 0.0  # when somebody was last told that something is written
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _faults: list[BaseException] = field(default_factory=list)

    def start(self, edited: list[str], played: list[str]) -> None:
        """Begin to upload, to edit the videos *edited* and to watch those *played*.

        Who watches has their manifests when this returns: what comes after may befall them.
        """
        people: list[Callable[[Random], None]] = [
            *[self._upload] * self.uploaders,
            *[partial(self._edit, videos=edited)] * self.editors,
            *(
                partial(self._play, players=[Player(self.door, video) for video in played])
                for _ in range(self.players)
            ),
        ]
        for number, who in enumerate(people):
            thread = threading.Thread(target=self._be, args=(who, number), daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Let everybody finish what they began. Raises what none of them expected."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self.check()

    def check(self) -> None:
        """Raise what none of them expected, if something came."""
        if self._faults:
            raise self._faults[0]

    def _be(self, who: Callable[[Random], None], number: int) -> None:
        try:
            who(Random(self.seed * 1000 + number))
        except BaseException as error:  # noqa: BLE001 (told by stop())
            self._faults.append(error)
            self._stopping.set()

    def _upload(self, chance: Random) -> None:
        while (sending := self._created()) is not None:
            while sending.acknowledged < len(self.clip):
                self._send(sending)
            self.uploads.append(sending.video)
            self.wrote_at = time.monotonic()
            self._stopping.wait(BETWEEN_UPLOADS_S * chance.uniform(0.5, 1.5))

    def _created(self) -> Sending | None:
        """Begin an upload, asking again until that is answered; None once it is time to stop."""
        while not self._stopping.is_set():
            try:
                return Sending(self.door, self.clip, "load.mp4")
            except httpx.TransportError:
                pass
            except httpx.HTTPStatusError as error:
                if not error.response.is_server_error:
                    raise
            time.sleep(AGAIN_S)
        return None

    def _send(self, sending: Sending) -> None:
        """Send a piece; after a failure take the server's word for how far it is."""
        try:
            if sending.send(PIECE_BYTES) == httpx.codes.NO_CONTENT:
                return
            sending.acknowledged = sending.offset()
        except httpx.TransportError:
            pass
        except httpx.HTTPStatusError as error:
            if not _passes(error.response):
                raise
        time.sleep(AGAIN_S)

    def _edit(self, chance: Random, videos: list[str]) -> None:
        """Change a title, then ask what it is: one's own edit may not be missing."""
        me = threading.get_ident()
        with self.door.client() as client:
            client.timeout = httpx.Timeout(ANSWER_S)
            while not self._stopping.is_set():
                at = f"/api/v1/videos/{chance.choice(videos)}"
                change = {"title": f"{me} at {time.monotonic()}"}

                def write(
                    at: str = at, change: dict[str, str] = change
                ) -> tuple[int, float] | None:
                    return _version(client, "PATCH", at, json=change)

                def read(at: str = at) -> tuple[int, float] | None:
                    return _version(client, "GET", at)

                if self.history.ask("write", me, at, write) is not None:
                    self.wrote_at = time.monotonic()
                for _ in range(chance.randrange(1, 4)):
                    self.history.ask("own", me, at, read)
                self._stopping.wait(BETWEEN_EDITS_S)

    def _play(self, chance: Random, players: list[Player]) -> None:
        """Fetch segments that exist, as a player does: again until it has run dry."""
        with self.door.client() as client:
            client.timeout = httpx.Timeout(ANSWER_S)
            while not self._stopping.is_set():
                player = chance.choice(players)
                piece = chance.choice(player.pieces)
                asked_at = time.monotonic()
                fault = self._fetch(player, piece, client, until=asked_at + STALL_S)
                self.plays.append(Play(asked_at, time.monotonic() - asked_at, piece, fault))
                self._stopping.wait(BETWEEN_SEGMENTS_S)

    @staticmethod
    def _fetch(player: Player, piece: str, client: httpx.Client, *, until: float) -> str:
        fault = ""
        while time.monotonic() < until:
            try:
                player.fetch(piece, client)
            except httpx.TransportError as error:
                fault = repr(error)
            except httpx.HTTPStatusError as error:
                fault = f"{error.response.status_code} {error.response.text}"
                if not _passes(error.response):
                    return fault
            else:
                return ""
            time.sleep(AGAIN_S)
        return fault or "stalled"


def _passes(answer: httpx.Response) -> bool:
    """Say whether asking again is what the answer asks for."""
    return answer.is_server_error or answer.status_code == httpx.codes.TOO_MANY_REQUESTS


def _version(
    client: httpx.Client, method: str, at: str, **said: object
) -> tuple[int, float] | None:
    """Ask and return (version, age in seconds); None where nothing was said."""
    try:
        answer = client.request(method, at, **said)  # type: ignore[arg-type]
    except httpx.TransportError:
        return None
    if _passes(answer):
        return None
    answer.raise_for_status()
    return int(answer.json()["version"]), _seconds(answer.headers.get(AGE, "0"))


def _seconds(age: str) -> float:
    return inf if age == "unknown" else float(age)

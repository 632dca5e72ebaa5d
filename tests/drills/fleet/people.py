"""People who write and read rows through several apis, and write down what each of them was told.

Flow      people(…) starts a thread for everybody, each asking now this api, now that; Crowd.stop()
          ends them; what they were told is in its histories.
Promises  each carries the position it was told as its kind of client does: in a cookie beside the
          session's, in a header beside a key, or not at all.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from random import Random  # noqa: TID251 (seeded: a drill can be repeated)
from typing import Any

import asyncpg
import httpx

from tests.drills.fleet.histories import History, Seen
from tests.drills.tus import BODY, TUS
from tests.support.server import EMAIL, PASSWORD, Server

ANSWER_S = 8.0
EDITS_S = (0.6, 1.2)  # of one account there may be five a second
LOOKS_S = (0.02, 0.08)
LISTS_S = (0.1, 0.4)
UPLOAD_BYTES, PIECES = 1 << 20, 300
AGE, POSITION = "headwater-age", "headwater-position"
Answer = tuple[int, float]  # version, age in seconds


class Person:
    """One client; *key* instead of a session, *forgets* the position it is told."""

    def __init__(
        self, number: int, crowd: "Crowd", *, key: str = "", forgets: bool = False
    ) -> None:
        self.number, self.apis = number, crowd.apis
        self.chance = Random(crowd.seed * 1000 + number)
        self.position = ""
        self.hasty: list[str] = []  # refusals that do not say when to come again
        self._key, self._session, self._forgets = key, "", forgets
        self._client = httpx.Client(timeout=ANSWER_S)

    def log_in(self) -> None:
        said = {"email": EMAIL, "password": PASSWORD}
        answer = self._client.post(f"{self.apis[0].url}/api/v1/session", json=said)
        self._session = answer.raise_for_status().cookies["headwater"]

    def leave(self) -> None:
        self._client.close()

    def ask(self, method: str, path: str, **said: Any) -> httpx.Response | None:
        """Ask one of the apis; None where nobody answered, or asked to come again later."""
        headers = said.pop("headers", {}) | self._known()
        at = f"{self.chance.choice(self.apis).url}{path}"
        try:
            answer = self._client.request(method, at, headers=headers, **said)
        except httpx.TransportError:
            return None
        self._client.cookies.clear()
        if not self._forgets:
            self.position = answer.headers.get(POSITION, self.position)
        if answer.is_server_error or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            if "retry-after" not in answer.headers:
                self.hasty.append(f"{method} {path}: {answer.status_code} {answer.text}")
            return None
        return answer

    def _known(self) -> dict[str, str]:
        if self._key:
            told = {POSITION: self.position} if self.position else {}
            return {"authorization": f"Bearer {self._key}"} | told
        if not self._session:
            return {}
        return {"cookie": f"headwater={self._session}; headwater-position={self.position}"}


@dataclass(slots=True)
class Crowd:
    """Threads, each of one person; *where* is entered by each: the host it asks from."""

    apis: Sequence[Server]
    seed: int
    where: Callable[[], AbstractContextManager[None]]
    history: History = field(default_factory=History)
    forgetful: History = field(default_factory=History)  # of those who keep no position
    jobs: History = field(default_factory=History)
    people: list[Person] = field(default_factory=list)
    wrote_at: dict[str, float] = field(default_factory=dict)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _faults: list[BaseException] = field(default_factory=list)

    def person(self, **kind: Any) -> Person:
        """Bring somebody in, who does nothing yet."""
        self.people.append(Person(len(self.people), self, **kind))
        return self.people[-1]

    def add(self, person: Person, does: Callable[[Person], None]) -> None:
        """Let *person* do that, once and again."""

        def live() -> None:
            try:
                with self.where():
                    while not self._stopping.is_set():
                        does(person)
            except BaseException as error:  # noqa: BLE001 (told by stop())
                self._faults.append(error)
                self._stopping.set()

        thread = threading.Thread(target=live, daemon=True)
        self._threads.append(thread)
        thread.start()

    def pause(self, person: Person, between: tuple[float, float]) -> None:
        self._stopping.wait(person.chance.uniform(*between))

    def stop(self) -> None:
        """Let everybody finish what they began. Raises what none of them expected."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        for person in self.people:
            person.leave()
        if self._faults:
            raise self._faults[0]

    @property
    def is_over(self) -> bool:
        return self._stopping.is_set()


@dataclass(frozen=True, slots=True)
class Editor:
    """Changes titles, and looks at once whether the change is seen: a register for each video."""

    crowd: Crowd
    videos: Sequence[str]
    history: History

    def __call__(self, me: Person) -> None:
        video = me.chance.choice(self.videos)
        at = f"/api/v1/videos/{video}"
        change = {"title": f"{me.number} at {time.monotonic()}"}

        def version(method: str, **said: Any) -> Answer | None:
            answer = me.ask(method, at, **said)
            return _version(answer.raise_for_status().json(), answer) if answer else None

        def listed() -> Answer | None:
            answer = me.ask("GET", "/api/v1/videos?owner=me")
            if answer is None:
                return None
            mine = answer.raise_for_status().json()["videos"]
            return _version(next(one for one in mine if one["id"] == video), answer)

        if self.history.ask("write", me.number, video, lambda: version("PATCH", json=change)):
            self.crowd.wrote_at["title"] = time.monotonic()
        until = time.monotonic() + me.chance.uniform(*EDITS_S)
        while time.monotonic() < until and not self.crowd.is_over:
            look = listed if me.chance.random() < 0.3 else lambda: version("GET")
            self.history.ask("own", me.number, video, look)
            self.crowd.pause(me, LOOKS_S)


class Upload:
    """A file that arrives a few bytes at a time; how many have arrived is a register.

    After PIECES of them another file begins: what is known of one is in one row.
    """

    def __init__(self, crowd: Crowd) -> None:
        self._crowd, self._at = crowd, ""
        self._offset = self._pieces = 0

    def begin(self, me: Person) -> None:
        said = {**TUS, "upload-length": str(UPLOAD_BYTES)}
        answer = me.ask("POST", "/api/v1/uploads/", headers=said)
        if answer is not None:
            self._at = httpx.URL(answer.raise_for_status().headers["location"]).path
            self._offset = self._pieces = 0

    def append(self, me: Person) -> None:
        """Send some bytes; without an answer, ask how far it has come."""
        if self._crowd.history.ask("write", me.number, self._at, lambda: self._sent(me)):
            self._crowd.wrote_at["upload"] = time.monotonic()
            self._pieces += 1
        else:
            found = self._seen(me)
            self._offset = max(self._offset, found.version if found else 0)
        if self._pieces >= PIECES:
            self.begin(me)
        self._crowd.pause(me, LOOKS_S)

    def look(self, me: Person) -> None:
        self._seen(me)
        self._crowd.pause(me, LOOKS_S)

    def _sent(self, me: Person) -> Answer | None:
        start, size = self._offset, me.chance.randrange(1, 5)
        headers = {**BODY, "upload-offset": str(start)}
        answer = me.ask("PATCH", self._at, headers=headers, content=b"x" * size)
        if answer is None or answer.status_code != httpx.codes.NO_CONTENT:
            return None  # it has come further meanwhile, or another has its turn still
        self._offset = int(answer.headers["upload-offset"])
        return self._offset, 0.0

    def _seen(self, me: Person) -> Seen | None:
        at = self._at

        def look() -> Answer | None:
            answer = me.ask("HEAD", at, headers=TUS)
            if answer is None:
                return None
            return int(answer.raise_for_status().headers["upload-offset"]), 0.0

        return self._crowd.history.ask("primary", me.number, at, look)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Looks at the front page."""

    crowd: Crowd
    videos: Sequence[str]

    def __call__(self, me: Person) -> None:
        video = me.chance.choice(self.videos)

        def listed() -> Answer | None:
            answer = me.ask("GET", "/api/v1/videos")
            if answer is None:
                return None
            found = answer.raise_for_status().json()["videos"]
            return _version(next(one for one in found if one["id"] == video), answer)

        self.crowd.history.ask("stale", me.number, video, listed)
        self.crowd.pause(me, LISTS_S)


class Job:
    """A job that an administrator changes, past our own code, and operators look at."""

    def __init__(self, crowd: Crowd, job: str, url: Callable[[], str]) -> None:
        self._crowd, self._job, self._url = crowd, job, url

    def change(self, me: Person) -> None:
        self._crowd.jobs.ask("write", me.number, "job", lambda: asyncio.run(self._changed()))
        self._crowd.pause(me, LISTS_S)

    def look(self, me: Person) -> None:
        def listed() -> Answer | None:
            answer = me.ask("GET", "/api/v1/jobs")
            if answer is None:
                return None
            jobs = answer.raise_for_status().json()["jobs"]
            found = next(one for one in jobs if one["id"] == self._job)
            return int(found["attempts"]), float(answer.headers.get(AGE, 0.0))

        self._crowd.jobs.ask("stale", me.number, "job", listed)
        self._crowd.pause(me, LISTS_S)

    async def _changed(self) -> Answer | None:
        """Give up without a word: a wait that is called off would be seen before it is kept."""
        raw = None
        try:
            async with asyncio.timeout(ANSWER_S):
                raw = await asyncpg.connect(self._url())
                found = await raw.fetchval(
                    "UPDATE jobs SET attempts = attempts + 1 WHERE id = $1 RETURNING attempts",
                    self._job,
                )
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return None
        finally:
            if raw is not None:
                raw.terminate()
        return int(found), 0.0


def _version(found: dict[str, Any], answer: httpx.Response) -> Answer:
    return int(found["version"]), float(answer.headers.get(AGE, 0.0))

"""A crowd: people who upload whether the server keeps up or not, and people who watch meanwhile.

Flow      Crowd.arrive() at a rate, or outnumber() whatever is made → each person creates, is asked
          to come later and does, sends → Crowd.watch() fetches what exists at its own rate.
Promises  nobody slows down because the server does: arrivals and fetches come at their own times,
          but those that outnumber() lets come: so many for each that was made, fast or slowly.
          Everybody keeps to Retry-After, and nobody's answer is forgotten.
"""

import base64
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import anyio
import httpx

CREATIONS = "/api/v1/uploads/"
TUS = {"Tus-Resumable": "1.0.0"}
BODY = {**TUS, "Content-Type": "application/offset+octet-stream"}
SAMPLED_S = 0.1
METADATA = f"filename {base64.b64encode(b'walk.mp4').decode()}"


@dataclass
class Person:
    """One who wants to upload: *told_s* is each Retry-After, *video* what came of it."""

    account: int
    told_s: list[float] = field(default_factory=list)
    video: str = ""


@dataclass
class Crowd:
    """*http* knows the address, *keys* are those of the accounts, *content* is what all upload."""

    http: httpx.AsyncClient
    keys: Sequence[str]
    content: bytes
    people: list[Person] = field(default_factory=list)
    surprises: Counter[str] = field(default_factory=Counter)
    fetched_s: list[float] = field(default_factory=list)

    @property
    def told(self) -> list[Person]:
        """Those who were asked to come later, once or more often."""
        return [person for person in self.people if person.told_s]

    async def arrive(self, rate: float, for_s: float) -> None:
        """Let *rate* people a second come; who is still outside at the end goes home."""
        async with anyio.create_task_group() as group:
            await _at_rate(rate, for_s, lambda n: group.start_soon(self._upload, self._person(n)))
            group.cancel_scope.cancel()

    async def outnumber(self, times: float, made: Callable[[], int], *, until_told: int) -> None:
        """Let *times* as many come as are *made*, until so many were told to come later.

        The first few come at once; whoever came stays until taken in. A surprise ends it too.
        """
        before = made()
        async with anyio.create_task_group() as group:
            while len(self.told) < until_told and not self.surprises:
                due = int(times * (made() - before + 1))
                for number in range(len(self.people), due):
                    group.start_soon(self._upload, self._person(number))
                await anyio.sleep(SAMPLED_S)

    async def keep_busy(self, at_once: int, for_s: float) -> None:
        """Let as many upload at once, each anew when it is playable, and finish what was begun."""
        ends_at = time.monotonic() + for_s

        async def one(number: int) -> None:
            while time.monotonic() < ends_at:
                person = self._person(number)
                await self._upload(person)
                assert person.video, self.surprises
                await self._until_playable(person)

        async with anyio.create_task_group() as group:
            for number in range(at_once):
                group.start_soon(one, number)

    async def watch(self, pieces: Sequence[str], rate: float) -> None:
        """Fetch *pieces* over and over, so many a second, until cancelled."""
        async with anyio.create_task_group() as group:
            await _at_rate(
                rate, float("inf"), lambda n: group.start_soon(self._fetch, pieces[n % len(pieces)])
            )

    def _person(self, number: int) -> Person:
        person = Person(number % len(self.keys))
        self.people.append(person)
        return person

    async def _upload(self, person: Person) -> None:
        headers = {"Authorization": f"Bearer {self.keys[person.account]}"}
        said = {"Upload-Length": str(len(self.content)), "Upload-Metadata": METADATA}
        while True:
            answer = await self.http.post(CREATIONS, headers={**headers, **TUS, **said})
            if answer.status_code == httpx.codes.CREATED:
                break
            told = answer.headers.get("retry-after", "")
            if answer.json().get("code") != "overloaded" or not told.isdecimal() or told == "0":
                self.surprises[f"creation: {answer.status_code} {answer.text[:200]}"] += 1
                return
            person.told_s.append(float(told))
            await anyio.sleep(float(told))
        person.video = answer.headers["headwater-video"]
        with anyio.CancelScope(shield=True):  # who is inside finishes
            sent = await self.http.patch(
                answer.headers["location"],
                headers={**headers, **BODY, "Upload-Offset": "0"},
                content=self.content,
            )
        if sent.status_code != httpx.codes.NO_CONTENT:
            self.surprises[f"upload: {sent.status_code} {sent.text[:200]}"] += 1

    async def _until_playable(self, person: Person) -> None:
        headers = {"Authorization": f"Bearer {self.keys[person.account]}"}
        while True:
            found = await self.http.get(f"/api/v1/videos/{person.video}", headers=headers)
            if found.raise_for_status().json()["state"] in {"playable", "ready", "failed"}:
                return
            await anyio.sleep(SAMPLED_S)

    async def _fetch(self, piece: str) -> None:
        began = time.monotonic()
        answer = await self.http.get(piece, headers={"Authorization": f"Bearer {self.keys[0]}"})
        self.fetched_s.append(time.monotonic() - began)
        if answer.status_code != httpx.codes.OK:
            self.surprises[f"playback: {answer.status_code} {piece}"] += 1


async def _at_rate(rate: float, for_s: float, start: Callable[[int], object]) -> None:
    """Call *start* with 0, 1, 2 … at their times, late ones at once, however long things take."""
    began, number = time.monotonic(), 0
    while (due := number / rate) < for_s:
        await anyio.sleep(max(0.0, began + due - time.monotonic()))
        start(number)
        number += 1

"""Asking the store: tries with a budget, a deadline for each call, and errors of ours.

A call that got no answer may have been carried out. So each is one that may be made twice: reads,
deletes, parts by number; and a conditional put, whose writer knows its own object again.
"""

import asyncio
import re
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from enum import Enum, auto
from typing import Any, TypeVar

from headwater.forces.backoff import jitter, pause_s
from headwater.forces.budget import RetryBudget
from headwater.model.errors import BlobNotFound, StorageFull, Unavailable

T = TypeVar("T")

CALL_S = 12.0  # of a read, with every try: who plays waits no longer than 15 s for anything
PUT_CALL_S = 90.0  # of a put of 16 MB
FIRST_PAUSE_S, MOST_PAUSE_S = 0.05, 2.0
CODE = re.compile(r"<Code>(\w+)</Code>")
STATUS = re.compile(r"status code: (\d{3})")
FULL = {"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "EntityTooLarge"}
ABSENT = {"NoSuchKey", "NoSuchUpload", "NotFound", "404"}
PASSING = {"SlowDown", "RequestTimeout", "ConditionalRequestConflict", "OperationAborted"}
LIBRARIES = {"obstore", "botocore", "urllib3"}
REFUSALS = {  # what whoever typed the address can mend
    "NoSuchBucket": "it has no bucket of that name, and none is made by us",
    "InvalidAccessKeyId": "it does not know the key",
    "SignatureDoesNotMatch": "the secret is not the one of the key",
    "AccessDenied": "the key may not do that in this bucket",
}
NO_ANSWER = "GenericError"  # obstore's word where no HTTP was spoken at all


class Answer(Enum):
    """What an error of either library says, as far as anybody acts on it."""

    ABSENT = auto()
    TAKEN = auto()  # If-None-Match, or If-Match, does not hold
    EMPTY_RANGE = auto()
    FULL = auto()
    REFUSED = auto()
    PASSING = auto()


class Said(Exception):
    """The store's answer to one call, when it is no success; *code* in the store's own words."""

    def __init__(self, answer: Answer, code: str) -> None:
        super().__init__(code)
        self.answer, self.code = answer, code


class Calls:
    """All calls to one store; *threads* are for the library that blocks."""

    def __init__(self, *, threads: int, budget: RetryBudget) -> None:
        self._threads = ThreadPoolExecutor(threads, "blob-s3")
        self._budget = budget
        self._lock = threading.Lock()

    async def ask(self, call: Callable[[], Awaitable[T]], *, within_s: float = CALL_S) -> T:
        """Return what *call* returns, tried again while that may help.

        Raises:
            Said: absent, taken, or an empty range.
            StorageFull: a quota of the store is used up.
            Unavailable: no good answer within *within_s*.
        """
        until = time.monotonic() + within_s
        failures = 0
        while True:
            try:
                async with asyncio.timeout(until - time.monotonic()):
                    done = await call()
            except Exception as error:  # noqa: BLE001 (two libraries, each with a tree of its own)
                failures += 1
                pause = self._pause(said_of(error), failures, until)
            else:
                self._earn()
                return done
            await asyncio.sleep(pause)

    async def run(self, call: Callable[..., T], *args: Any, within_s: float = PUT_CALL_S) -> T:
        """Do the same with a *call* that blocks."""
        loop = asyncio.get_running_loop()
        return await self.ask(
            lambda: loop.run_in_executor(self._threads, call, *args), within_s=within_s
        )

    def ask_blocking(self, call: Callable[[], T]) -> T:
        """Do the same in the caller's thread; each try ends by the client's own time-outs."""
        until = time.monotonic() + CALL_S
        failures = 0
        while True:
            try:
                done = call()
            except Exception as error:  # noqa: BLE001 (see ask)
                failures += 1
                pause = self._pause(said_of(error), failures, until)
            else:
                self._earn()
                return done
            time.sleep(pause)

    def _pause(self, said: Said, failures: int, until: float) -> float:
        """Return how long to wait before the next try; raise if there is none."""
        if said.answer is Answer.FULL:
            raise StorageFull("The blob store takes no more.", retry_after_s=60) from said
        if said.answer is Answer.REFUSED:
            why = REFUSALS.get(said.code, said.code)
            raise Unavailable(f"the blob store refuses us: {why}") from said
        if said.answer is not Answer.PASSING:
            raise said
        pause = pause_s(failures, first_s=FIRST_PAUSE_S, most_s=MOST_PAUSE_S, jitter=jitter())
        with self._lock:
            may = time.monotonic() + pause < until and self._budget.spend()
        if not may:
            code = "" if said.code == NO_ANSWER else f" ({said.code})"
            raise Unavailable(f"the blob store does not answer{code}", retry_after_s=2) from said
        return pause

    def _earn(self) -> None:
        with self._lock:
            self._budget.earn()

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)


def said_of(error: BaseException) -> Said:
    """Return what *error*, of obstore, botocore or a time-out, says."""
    if isinstance(error, Said):
        return error
    home = type(error).__module__.partition(".")[0]
    if home not in LIBRARIES and not isinstance(error, OSError):  # among those: a time-out
        raise error
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore.exceptions.ClientError
        code = str(response.get("Error", {}).get("Code", ""))
        status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    else:
        text = str(error)
        found, number = CODE.search(text), STATUS.search(text)
        code = found[1] if found else type(error).__name__
        status = int(number[1]) if number else 0
    return Said(_answer(code, status, error), code)


def _answer(code: str, status: int, error: BaseException) -> Answer:
    if code in FULL or status == 507:
        return Answer.FULL
    if code in PASSING or status >= 500 or status == 429:
        return Answer.PASSING
    if code == "NoSuchBucket":
        return Answer.REFUSED
    if code in ABSENT or status == 404 or isinstance(error, FileNotFoundError):
        return Answer.ABSENT
    if status in {409, 412} or code in {"AlreadyExistsError", "PreconditionError"}:
        return Answer.TAKEN
    if code == "InvalidRange" or status == 416:
        return Answer.EMPTY_RANGE
    return Answer.REFUSED if 400 <= status < 500 else Answer.PASSING


def not_found(key: str) -> BlobNotFound:
    return BlobNotFound(f"no blob {key}")

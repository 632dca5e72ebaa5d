"""Roll call: one process among those of its deployment."""

import contextlib

import anyio
import structlog

from headwater.engines.lives import Lives
from headwater.model.errors import HeadwaterError, SettingsError
from headwater.model.process import Living, Process
from headwater.pipeline.ask import Ask
from headwater.pipeline.processes import Announced, is_elder

log = structlog.get_logger(__name__)


class RollCall:
    """Announces *process* until it leaves; *lives* are those who share its folder."""

    def __init__(self, ask: Ask, process: Process, lives: Lives, *, least_beat_s: float) -> None:
        self._ask, self._process, self._lives = ask, process, lives
        self._least_beat_s = least_beat_s
        self._beat_s = least_beat_s
        self._turn = anyio.Event()

    @property
    def id(self) -> str:
        """The name under which this process holds rows."""
        return self._process.id

    async def turn_to_keep_house(self) -> None:
        """Return while this process is the one of its deployment that keeps house, else wait."""
        await self._turn.wait()

    async def join(self) -> None:
        """Announce it for the first time.

        Raises:
            SettingsError: those who live already could not work together with it.
        """
        announced = await self._announce()
        for other in announced.others:
            if is_elder(other, self._process):
                try:
                    refuse_strangers(self._process, other)
                except SettingsError:
                    await self.leave()
                    raise

    async def run(self) -> None:
        """Announce it again and again; one that cannot be heard does not keep house."""
        while True:
            await anyio.sleep(self._beat_s)
            try:
                await self._announce()
            except HeadwaterError as error:
                self._keep_house(turn=False)
                log.warning("roll_call", error=str(error), code=error.code)

    async def leave(self) -> None:
        with contextlib.suppress(HeadwaterError):
            await self._ask("processes.leave", id=self._process.id)

    async def _announce(self) -> Announced:
        ended = self._lives.ended()
        announced: Announced = await self._ask(
            "processes.announce",
            process=self._process,
            ended=ended,
            least_beat_s=self._least_beat_s,
        )
        for name in ended:
            self._lives.forget(name)
        if ended:
            log.info("processes.ended", ended=ended)
        self._beat_s = announced.beat_s
        self._keep_house(turn=announced.keeps_house)
        return announced

    def _keep_house(self, *, turn: bool) -> None:
        if turn and not self._turn.is_set():
            log.info("housekeeping.begins")
            self._turn.set()
        elif not turn and self._turn.is_set():
            log.info("housekeeping.ends")
            self._turn = anyio.Event()


def refuse_strangers(process: Process, elder: Living) -> None:
    """Raise SettingsError, with the line to change, unless the two can work together."""
    who = f"The {elder.role} process on {elder.host} (data folder {elder.folder})"
    if elder.store != process.store:
        raise SettingsError(
            f"{who} keeps its blobs in another store. Set HEADWATER_BLOBS of both to one that "
            "both reach: s3://… for several machines, or a folder that all of them mount."
        )
    if elder.alone or process.alone:
        raise SettingsError(
            f"{who} works on the same database, and notices that are kept in memory are not "
            "heard by others: start both with HEADWATER_NOTICES=table: or redis://…."
        )

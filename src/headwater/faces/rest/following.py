"""Following: server-sent events of a video's making, from what is true now to what follows.

Source: HTML Living Standard §9.2 (Server-sent events). After a final state the stream ends; a
browser that comes back with that last event's id gets 204, and stops.
"""

from collections.abc import Awaitable, Callable

import anyio
import msgspec
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from headwater.engines.notices.port import MISSED
from headwater.faces.kit import Faces, principal_of
from headwater.library.changes import VideoNews
from headwater.model.account import Principal
from headwater.model.actor import SYSTEM
from headwater.model.errors import HeadwaterError
from headwater.model.video import VideoState

HEARTBEAT_S = 15.0  # proxies close what is silent for 30 to 60 s
FINAL_ID = "final"
Snapshot = Callable[[], Awaitable[list[VideoNews]]]
MayHear = Callable[[], Awaitable[bool]]
_news = msgspec.json.Decoder(VideoNews)


class Following(Response):
    """Streams the news of *topic* after a *snapshot* taken once we listen, so that none is missed.

    With *ends*, the stream is of one video and ends after a final state. Any stream ends before the
    first news the listener *may_hear* no longer, and within *beat_s* of losing that right.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        faces: Faces,
        topic: str,
        snapshot: Snapshot,
        *,
        may_hear: MayHear,
        ends: bool,
        beat_s: float = HEARTBEAT_S,
    ) -> None:
        super().__init__(
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
            media_type=self.media_type,
        )
        del self.headers["content-length"]
        self._faces, self._topic, self._snapshot, self._ends = faces, topic, snapshot, ends
        self._asked, self._beat_s = may_hear, beat_s
        self._sending = anyio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _ = scope
        async with self._faces.notices.listen(self._topic) as heard:
            first = await self._snapshot()  # before the answer starts: it may yet be an error
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async with anyio.create_task_group() as group:

                async def until(end: Callable[[], Awaitable[object]]) -> None:
                    await end()
                    group.cancel_scope.cancel()

                async def tell() -> None:
                    for news in first:
                        if await self._tell(send, news):
                            return
                    async for topic, body in heard:
                        if topic == MISSED or not await self._may_hear():
                            return  # who comes back hears first what is true
                        if await self._tell(send, _news.decode(body)):
                            return

                async def gone() -> None:
                    while (await receive())["type"] != "http.disconnect":
                        pass

                group.start_soon(until, lambda: self._beat(send))
                group.start_soon(until, self._faces.closing.wait)
                group.start_soon(until, gone)
                await until(tell)
        await self._send(send, b"", more=False)

    async def _may_hear(self) -> bool:
        """Ask again. Who cannot be answered just now comes back and asks as anybody does."""
        try:
            return await self._asked()
        except HeadwaterError:
            return False

    async def _tell(self, send: Send, news: VideoNews) -> bool:
        """Send one event; True if nothing can follow it."""
        is_final = self._ends and news.state in {VideoState.READY, VideoState.FAILED}
        mark = f"id: {FINAL_ID}\n".encode() if is_final else b"id: \n"
        await self._send(
            send, b"event: progress\n" + mark + b"data: " + msgspec.json.encode(news) + b"\n\n"
        )
        return is_final

    async def _beat(self, send: Send) -> None:
        """Keep the line open while there is the right to hear; end without it."""
        while True:
            await anyio.sleep(self._beat_s)
            if not await self._may_hear():
                return
            await self._send(send, b": \n\n")

    async def _send(self, send: Send, body: bytes, *, more: bool = True) -> None:
        async with self._sending:
            await send({"type": "http.response.body", "body": body, "more_body": more})


async def still_stands(faces: Faces, request: HTTPConnection) -> bool:
    """Say whether the session or key that *request* came with is still good; nobody needs none."""
    known = principal_of(request)
    if known is None:
        return True
    found: Principal | None = await faces.runner.run(
        "sessions.recognise", SYSTEM, kind=known.kind, proof=known.proof
    )
    if found is None or (found.account, found.role) != (known.account, known.role):
        return False
    return found.expires_at is None or found.expires_at > faces.clock.now()

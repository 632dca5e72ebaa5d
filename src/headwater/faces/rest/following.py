"""Following: server-sent events of a video's making, from what is true now to what follows.

Source: HTML Living Standard §9.2 (Server-sent events). After a final state the stream ends; a
browser that comes back with that last event's id gets 204, and stops.
"""

from collections.abc import Awaitable, Callable

import anyio
import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from headwater.faces.kit import Faces
from headwater.library.changes import VideoNews
from headwater.model.errors import HeadwaterError
from headwater.model.video import VideoState

HEARTBEAT_S = 15.0  # proxies close what is silent for 30 to 60 s
FINAL_ID = "final"
Snapshot = Callable[[], Awaitable[list[VideoNews]]]
_news = msgspec.json.Decoder(VideoNews)


class Following(Response):
    """Streams the news of *topic* after a *snapshot* taken once we listen, so that none is missed.

    With *ends*, the stream is of one video: it ends after a final state, or before the first news
    the listener may no longer know of. The *snapshot* is what is asked for that right.
    """

    media_type = "text/event-stream"

    def __init__(self, faces: Faces, topic: str, snapshot: Snapshot, *, ends: bool) -> None:
        super().__init__(
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
            media_type=self.media_type,
        )
        del self.headers["content-length"]
        self._faces, self._topic, self._snapshot, self._ends = faces, topic, snapshot, ends
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
                    async for _, body in heard:
                        if self._ends and not await self._may_see():
                            return
                        if await self._tell(send, _news.decode(body)):
                            return

                async def gone() -> None:
                    while (await receive())["type"] != "http.disconnect":
                        pass

                group.start_soon(self._beat, send)
                group.start_soon(until, self._faces.closing.wait)
                group.start_soon(until, gone)
                await until(tell)
        await self._send(send, b"", more=False)

    async def _may_see(self) -> bool:
        """Ask again: it may have been hidden or deleted. A browser that returns hears why."""
        try:
            await self._snapshot()
        except HeadwaterError:
            return False
        return True

    async def _tell(self, send: Send, news: VideoNews) -> bool:
        """Send one event; True if nothing can follow it."""
        is_final = self._ends and news.state in {VideoState.READY, VideoState.FAILED}
        mark = f"id: {FINAL_ID}\n".encode() if is_final else b"id: \n"
        await self._send(
            send, b"event: progress\n" + mark + b"data: " + msgspec.json.encode(news) + b"\n\n"
        )
        return is_final

    async def _beat(self, send: Send) -> None:
        while True:
            await anyio.sleep(HEARTBEAT_S)
            await self._send(send, b": \n\n")

    async def _send(self, send: Send, body: bytes, *, more: bool = True) -> None:
        async with self._sending:
            await send({"type": "http.response.body", "body": body, "more_body": more})

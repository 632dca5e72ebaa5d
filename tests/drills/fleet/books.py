"""What a fleet holds, read from outside: rows by SQL, blobs by a plain client, facts by a queue.

Read past our own code on purpose: what is under test may not vouch for itself.
"""

import asyncio
import contextlib
from datetime import datetime
from hashlib import sha256
from typing import Any

import aio_pika
import msgspec

from headwater.model.upload import Extent
from tests.drills.fleet.whole import Whole
from tests.support.replicas import Server

BLOBS = "blobs"  # the folder of the bucket
EXCHANGE, QUEUE = "headwater.events", "drill"
ANSWER_S = 10.0


class Books:
    """Made before the load begins, so that no fact is missed."""

    def __init__(
        self, whole: Whole, broker_url: str, *, database: str = "headwater", bucket: str = ""
    ) -> None:
        """Read the fleet itself, or what else is in that *database* and *bucket*."""
        self._whole, self._broker_url = whole, broker_url
        self._database, self._bucket = database, bucket or whole.bucket
        self._written: dict[str, datetime] = {}
        self.written_again: list[str] = []
        self._heard: set[str] = set()
        asyncio.run(self._bind())

    def rows(self, query: str, primary: Server) -> list[dict[str, Any]]:
        asked = f"SELECT coalesce(json_agg(found), '[]') FROM ({query}) AS found"
        found: list[dict[str, Any]] = msgspec.json.decode(primary.sql(asked, self._database))
        return found

    def unfinished(self, primary: Server) -> list[dict[str, Any]]:
        """Return what somebody holds or waits for."""
        return [
            *self.rows("SELECT * FROM jobs WHERE state NOT IN ('done', 'cancelled')", primary),
            *self.rows("SELECT * FROM leases", primary),
            *self.rows("SELECT * FROM demands", primary),
        ]

    def damaged(self, videos: list[str], content: bytes, primary: Server) -> list[str]:
        """Return those of *videos* whose source is not *content*, byte for byte."""
        kept = {
            row["video"]: bytes.fromhex(row["extents"])
            for row in self.rows(
                "SELECT video, encode(extents, 'hex') AS extents FROM sources", primary
            )
        }
        whole = sha256(content).digest()
        return [video for video in videos if self._hash(kept.get(video)) != whole]

    def look(self) -> None:
        """Note in `written_again` what the store was given a second time since the last look."""
        pages = self._whole.store.get_paginator("list_objects_v2").paginate(Bucket=self._bucket)
        for one in (one for page in pages for one in page.get("Contents", ())):
            first_at = self._written.setdefault(one["Key"], one["LastModified"])
            if first_at != one["LastModified"] and not one["Key"].startswith(f"{BLOBS}/health/"):
                self.written_again.append(one["Key"])

    def missed(self, primary: Server, since: int = 0) -> list[str]:
        """Return the facts that were committed and did not come, after a moment for the last.

        Asked for are those with numbers above *since*.
        """
        facts = self.rows(f"SELECT id, topic FROM events WHERE id > {since}", primary)
        recorded = {str(row["id"]): row["topic"] for row in facts}
        asyncio.run(self._hear(set(recorded)))
        return [f"{recorded[number]} {number}" for number in recorded.keys() - self._heard]

    async def _bind(self) -> None:
        async with await aio_pika.connect(self._broker_url) as connection:
            channel = await connection.channel()
            await channel.declare_exchange(EXCHANGE, "topic", durable=True)
            queue = await channel.declare_queue(
                QUEUE, durable=True, arguments={"x-queue-type": "quorum"}
            )
            await queue.bind(EXCHANGE, "#")

    async def _hear(self, wanted: set[str]) -> None:
        """Take what came from the queue until *wanted* did, or nothing more comes for a while."""
        async with await aio_pika.connect(self._broker_url) as connection:
            queue = await (await connection.channel()).get_queue(QUEUE)
            async with queue.iterator(timeout=ANSWER_S) as messages:
                with contextlib.suppress(TimeoutError):
                    while not wanted <= self._heard:
                        message = await anext(messages)
                        self._heard.add(message.message_id or "")
                        await message.ack()  # else the broker stops after two thousand

    def _hash(self, extents: bytes | None) -> bytes:
        if extents is None:
            return b""
        found = sha256()
        for extent in msgspec.msgpack.decode(extents, type=list[Extent]):
            answer = self._whole.store.get_object(Bucket=self._bucket, Key=f"{BLOBS}/{extent.key}")
            found.update(answer["Body"].read())
        return found.digest()

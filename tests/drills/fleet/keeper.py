"""A keeper of the database, as Patroni is one: sees that the primary is gone, and makes another.

Flow      a thread asks the primary again and again; after PATIENCE_S without an answer it fences
          the old one (kill -9: one that may come back cannot be trusted to stay quiet), promotes
          the replica that received most, and lets the other follow.
Promises  `primary` is who takes writes now; rejoin() brings the fenced one back as a replica.
"""

import socket
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime

from tests.support.replicas import CAUGHT_UP_S, Cluster, Server
from tests.support.waiting import until

PATIENCE_S = 2.0
POLL_S = 0.2
ANSWER_S = 1.0
SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"  # answered by every server that still works


class Keeper:
    """Looks after *rows* from a thread that is where it was made."""

    def __init__(self, rows: Cluster) -> None:
        self._rows = rows
        self.primary = rows.primary
        self.changes = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._fault: BaseException | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        if self._fault is not None:
            raise self._fault

    @property
    def replicas(self) -> list[Server]:
        return [one for one in self._rows.all if one is not self.primary]

    def rejoin(self, old: Server) -> None:
        """Bring *old* back, without what only it had, and wait until it has everything."""
        old.rejoin(self.primary)
        until(lambda: old.has_all_of(self.primary), within_s=CAUGHT_UP_S)

    def _watch(self) -> None:
        answered_at = time.monotonic()
        try:
            while not self._stopping.wait(POLL_S):
                if answers(self.primary):
                    answered_at = time.monotonic()
                elif time.monotonic() - answered_at > PATIENCE_S:
                    self._change()
                    answered_at = time.monotonic()
        except BaseException as error:  # noqa: BLE001 (told by stop())
            self._fault = error

    def _change(self) -> None:
        self.primary.kill()
        following = [one for one in self.replicas if answers(one)]
        new = max(following, key=_received)
        self._rows.synchronous(new)  # from its first commit on
        new.promote()
        for one in following:
            if one is not new:
                one.follow(new)
        self.primary = new
        self.changes += 1
        sys.stderr.write(f"{datetime.now(UTC):%T} {new.name} is the primary now\n")


def answers(server: Server) -> bool:
    """Say whether *server* works; a frozen one takes a connection too, and says nothing."""
    place = (server.on.address, server.port)
    with suppress(OSError), socket.create_connection(place, ANSWER_S) as line:
        line.sendall(SSL_REQUEST)
        return line.recv(1) in (b"S", b"N")
    return False


def _received(server: Server) -> int:
    return int(server.sql("SELECT (pg_last_wal_receive_lsn() - '0/0')::bigint"))

"""Started before its database, as after a power cut: a server waits, says so, and comes up."""

import threading
from pathlib import Path

from tests.support import postgres
from tests.support.server import Server
from tests.support.waiting import until

WAITS_S = 20.0


def test_a_server_waits_for_its_database(tmp_path: Path) -> None:
    with postgres.server() as engine, postgres.database(engine) as url:
        server = Server(tmp_path / "data", {"database": url, "sandbox": "none"})
        engine.kill()
        starting = threading.Thread(target=server.start)
        starting.start()
        try:
            until(lambda: "Waiting: the database cannot be reached" in server.log, within_s=WAITS_S)
        finally:
            engine.start()
            starting.join()
            server.stop()
    assert server.log.count("Waiting") == 1
    assert "Headwater is at" in server.log

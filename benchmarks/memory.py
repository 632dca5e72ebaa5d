"""memory: what an idle `headwater serve` holds, before anybody came and after a video was made."""

import time
from pathlib import Path

from benchmarks.clips import Clips
from benchmarks.measure import resident_bytes
from benchmarks.report import Row
from benchmarks.serving import send, server, wait_for

ABOUT = (
    "Proportional set size of the server and everything it started, seconds after the last work."
)
REST_S = 3.0
LIMIT_MB = 150.0


def measure(clips: Clips, folder: Path) -> list[Row]:
    with server(folder / "data", log_level="warning") as ours:
        time.sleep(REST_S)
        fresh = resident_bytes(ours.pid)
        with ours.client() as client:
            wait_for(client, send(client, clips.megabytes(), "Megabytes"), "ready")
        time.sleep(REST_S)
        used = resident_bytes(ours.pid)
    return [
        Row(what=what, figure=value / 1e6, unit="MB", target=LIMIT_MB)
        for what, value in (("idle after the start", fresh), ("idle after one video", used))
    ]

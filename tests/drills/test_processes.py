"""The drills blame a killed server for what it left running, and for nothing else."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.drills.processes import Orphans, adopting_orphans

WAITS = (sys.executable, "-c", "import signal; signal.pause()")
LEAVES_ONE = f"import subprocess; print(subprocess.Popen({WAITS!r}).pid, flush=True)"
MOMENT_S = 0.1


@contextmanager
def running(*, alone: bool) -> Iterator[None]:
    """Keep a process of this test run, which leads a session if it is *alone*."""
    with subprocess.Popen(WAITS, start_new_session=alone) as process:
        yield
        process.kill()


@pytest.fixture
def orphans() -> Iterator[Orphans]:
    """The block of a drill beside another test's server and the driver of a browser."""
    with running(alone=True), adopting_orphans() as orphans, running(alone=False):
        yield orphans


def test_what_a_server_left_is_found(orphans: Orphans) -> None:
    """And no longer once it is gone."""
    server = (sys.executable, "-c", LEAVES_ONE)
    with subprocess.Popen(server, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        left = int(process.stdout.readline())

    found = orphans.survivors(within_s=MOMENT_S)
    os.kill(left, signal.SIGKILL)

    assert found == [" ".join(WAITS)]
    assert orphans.survivors() == []


def test_the_processes_of_other_tests_are_not_blamed(orphans: Orphans) -> None:
    assert orphans.survivors(within_s=MOMENT_S) == []

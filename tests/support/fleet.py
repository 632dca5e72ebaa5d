"""Whole deployments: the processes of one installation, started as people start them.

Flow      one_process() · one_host() · fleet() start their processes at the same time, wait until
          each says that it is ready, put a balancer before several, and end all of it after.
Promises  no process shares a folder with another unless the deployment says so; nothing outlives
          the block; what they wrote is in `Deployment.log` when a test fails.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.balancer import balancing
from tests.support.network import HERE, Host
from tests.support.server import EMAIL, PASSWORD, Door, Server

API, WORKER, SCHEDULER = "api", "worker", "scheduler"
OWNER = {"owner_email": EMAIL, "owner_password": PASSWORD}


class Deployment(Door):
    """Processes of one installation; people come in by its own address."""

    def __init__(self, processes: Sequence[Server], on: Host = HERE) -> None:
        super().__init__(on)
        self.processes = list(processes)

    @property
    def log(self) -> str:
        return "\n".join(f"--- {one.role}\n{one.log}" for one in self.processes)

    def of_role(self, role: str) -> list[Server]:
        return [one for one in self.processes if one.role == role]


@contextmanager
def running(processes: Sequence[Server], door: Host = HERE) -> Iterator[Deployment]:
    """Run *processes*, which are started at once, behind one address at the *door*."""
    deployment = Deployment(processes, door)
    try:
        with ThreadPoolExecutor(len(processes)) as pool, ExitStack() as stack:
            for one in processes:
                stack.callback(pool.submit, one.stop)
            list(pool.map(Server.start, processes))
            apis = [one.url for one in processes if one.role in {"all", API}]
            stack.enter_context(balancing(deployment.url, apis))
            yield deployment
    finally:
        for one in processes:
            one.kill()


@contextmanager
def one_process(folder: Path, **settings: str) -> Iterator[Deployment]:
    """Everything in one process, nothing beside it."""
    with running([Server(folder / "data", OWNER | settings)]) as deployment:
        yield deployment


@contextmanager
def one_host(folder: Path, database: str, **settings: str) -> Iterator[Deployment]:
    """PostgreSQL, and three processes on one data folder."""
    shared = OWNER | {"database": database} | settings
    roles = (API, WORKER, SCHEDULER)
    with running([Server(folder / "data", shared, role, name=role) for role in roles]) as deployed:
        yield deployed


@contextmanager
def fleet(
    folder: Path, *, on: Sequence[Host] = (HERE,) * 5, door: Host = HERE, **settings: str
) -> Iterator[Deployment]:
    """Two apis, two workers and a scheduler, each *on* a machine of its own, or as if."""
    roles = (API, API, WORKER, WORKER, SCHEDULER)
    machines = [folder / f"{role}{n}" for n, role in enumerate(roles)]
    for machine in machines:
        machine.mkdir()
    processes = [
        Server(machine / "data", OWNER | settings, role, on=host)
        for machine, role, host in zip(machines, roles, on, strict=True)
    ]
    with running(processes, door) as deployment:
        yield deployment

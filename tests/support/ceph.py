"""A Ceph cluster of the tests' own, with the S3 gateway before it: monitor, OSDs, gateways.

Flow      cluster() makes and starts one below a temporary folder; bucket() makes a bucket in it.
Promises  nothing outlives the block; it listens on free ports of this machine and nowhere else;
          every wait has a deadline and fails with the end of the log of who did not answer.
Source    docs.ceph.com, "Manual deployment"; what the unobvious lines are for stands beside them.
"""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any
from uuid import uuid4

import httpx

from headwater.engines.entropy import public_id
from headwater.roles import free_port
from tests.support.network import HERE, Host
from tests.support.shared import Started

START_S = 60.0
POLL_S = 0.05
LOG_BYTES = 4000
ACCESS_KEY, SECRET_KEY = "app", "appsecret"  # of a cluster that lasts as long as a test
REGION = "us-east-1"
# Secure mode, the gateway's default, does not get on with "auth none"; a delayed acknowledgement
# costs each small answer 44 ms; a monitor on a nearly full disk ends itself; a "day" of a
# lifecycle rule lasts 5 s.
CONF = """
[global]
fsid = {fsid}
mon_host = [v2:127.0.0.1:{monitor},v1:127.0.0.1:{old_monitor}]
mon_initial_members = a
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_mon_client_mode = crc
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
run_dir = {folder}
admin_socket = {folder}/$name.asok
log_file = {folder}/$name.log
mon_cluster_log_file = {folder}/cluster.log
mon_data = {folder}/mon
osd_data = {folder}/osd$id
osd_objectstore = {store}
bluestore_block_create = true
bluestore_block_size = 2147483648
memstore_device_bytes = 8589934592
osd_memory_target = 939524096
osd_pool_default_size = {copies}
osd_pool_default_min_size = {least}
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
mon_max_pg_per_osd = 1000
mon_osd_min_down_reporters = 1
mon_osd_adjust_heartbeat_grace = false
mon_data_avail_crit = 0
mon_data_avail_warn = 0
paxos_propose_interval = 0.05
osd_heartbeat_interval = 1
osd_heartbeat_grace = 3
osd_class_load_list = *
osd_class_default_list = *
rgw_enable_apis = s3, admin
rgw_thread_pool_size = 32
rgw_run_sync_thread = false
rgw_lc_debug_interval = 5
rgw_bucket_quota_ttl = 1
rgw_bucket_quota_soft_threshold = 0
rgw_dns_name = localhost
"""
GATEWAY = """
[client.rgw{number}]
rgw_frontends = beast endpoint={address}:{port} tcp_nodelay=1
rgw_data = {folder}/rgw{number}
"""


class Ceph:
    """A cluster; its processes are known by name: "mon", "osd0", "rgw0" and so on."""

    def __init__(
        self,
        folder: Path,
        *,
        store: str = "memstore",
        osds: int = 1,
        gateways: int = 1,
        on: Host = HERE,
    ) -> None:
        """Only its gateways listen for other hosts than *on*."""
        self.folder, self.on = folder, on
        self.ports = [free_port("127.0.0.1") for _ in range(gateways)]
        self._osds = osds
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        copies = min(osds, 3)
        conf = CONF.format(
            fsid=uuid4(),
            folder=folder,
            store=store,
            copies=copies,
            least=(copies + 1) // 2,
            monitor=free_port("127.0.0.1"),
            old_monitor=free_port("127.0.0.1"),
        )
        for number, port in enumerate(self.ports):
            conf += GATEWAY.format(number=number, address=on.address, port=port, folder=folder)
            (folder / f"rgw{number}").mkdir()
        (folder / "mon").mkdir()
        (folder / "ceph.conf").write_text(conf)

    @property
    def names(self) -> list[str]:
        osds = [f"osd{number}" for number in range(self._osds)]
        return ["mon", *osds, *(f"rgw{number}" for number in range(len(self.ports)))]

    @property
    def groups(self) -> list[int]:
        return [process.pid for process in self._processes.values()]

    def endpoint(self, gateway: int = 0) -> str:
        return f"http://{self.on.address}:{self.ports[gateway]}"

    def make(self) -> None:
        """Make and start everything; once."""
        self._make_monitor()
        self.start("mon")
        self._until(lambda: self._asks("ceph", "--connect-timeout", "2", "-s"), "mon")
        for number in range(self._osds):
            self._make_osd(number)
        self.start(*(name for name in self.names if name.startswith("osd")))
        up = f"{self._osds} up"
        self._until(lambda: up in self.run("ceph", "osd", "stat"), "osd0")
        gateways = [name for name in self.names if name.startswith("rgw")]
        self.start(*gateways)
        keys = ("--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY)
        self.run("radosgw-admin", "user", "create", "--uid", "app", "--display-name", "app", *keys)
        for gateway in gateways:
            self.await_gateway(gateway)

    def start(self, *names: str) -> None:
        for name in names:
            program, *words = self._command(name)
            with (self.folder / f"{name}.out").open("ab") as out, self.on.entered():
                self._processes[name] = subprocess.Popen(
                    [program, *words, "-c", self.folder / "ceph.conf", "-f"],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    cwd="/",
                    start_new_session=True,
                )

    def await_gateway(self, name: str = "rgw0") -> None:
        """Wait until the gateway *name* answers a request."""
        address = self.endpoint(int(name.removeprefix("rgw")))
        self._until(lambda: _answers(address), name)

    def freeze(self, name: str) -> None:
        self._signal(name, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        self._signal(name, signal.SIGCONT)

    def kill(self, name: str) -> None:
        """End *name* as a crash does; start() brings it back."""
        process = self._processes.pop(name, None)
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def close(self) -> None:
        for name in list(self._processes):
            self.kill(name)

    def run(self, program: str, *words: str | Path) -> str:
        """Run a command of an administrator and return what it said."""
        done = self._done(program, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _make_monitor(self) -> None:
        conf = (self.folder / "ceph.conf").read_text()
        fsid, hosts = (
            next(line.partition(" = ")[2] for line in conf.splitlines() if line.startswith(name))
            for name in ("fsid", "mon_host")
        )
        monmap = self.folder / "monmap"
        self.run(
            "monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a", hosts, monmap
        )
        self.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap)

    def _make_osd(self, number: int) -> None:
        identity = str(uuid4())
        (self.folder / f"osd{number}").mkdir()
        self.run("ceph", "osd", "new", identity)
        self.run("ceph-osd", "-i", str(number), "--mkfs", "--osd-uuid", identity)

    @staticmethod
    def _command(name: str) -> list[str]:
        if name == "mon":
            return ["ceph-mon", "-i", "a"]
        if name.startswith("osd"):
            return ["ceph-osd", "-i", name.removeprefix("osd")]
        return ["radosgw", "-n", f"client.{name}"]

    def _signal(self, name: str, number: signal.Signals) -> None:
        os.killpg(self._processes[name].pid, number)

    def _asks(self, *words: str) -> bool:
        return self._done(*words).returncode == 0

    def _done(self, program: str, *words: str | Path) -> "subprocess.CompletedProcess[str]":
        # monmaptool alone takes no configuration
        conf = [] if program == "monmaptool" else ["-c", str(self.folder / "ceph.conf")]
        with self.on.entered():
            return subprocess.run(
                [program, *conf, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                text=True,
                cwd="/",
                timeout=START_S,
            )

    def _until(self, is_so: Callable[[], bool], name: str) -> None:
        deadline = time.monotonic() + START_S
        while not is_so():
            if time.monotonic() > deadline or self._processes[name].poll() is not None:
                raise AssertionError(f"{name} does not answer: {self._tail(name)}")
            time.sleep(POLL_S)

    def _tail(self, name: str) -> str:
        with (self.folder / f"{name}.out").open("rb") as out:
            out.seek(max(out.seek(0, os.SEEK_END) - LOG_BYTES, 0))
            return out.read().decode(errors="replace")


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=2.0).is_success
    except httpx.TransportError:
        return False


@contextmanager
def cluster(
    *, store: str = "memstore", osds: int = 1, gateways: int = 1, on: Host = HERE
) -> Iterator[Ceph]:
    """Make and start a cluster, and end it after."""
    folder = Path(tempfile.mkdtemp(prefix="headwater-ceph-"))
    running = Ceph(folder, store=store, osds=osds, gateways=gateways, on=on)
    try:
        running.make()
        yield running
    finally:
        running.close()
        rmtree(folder, ignore_errors=True)


_shared: list[Ceph] = []  # so that its processes are not taken for forgotten ones


def start() -> Started:
    """Start the cluster the tests of one run share; for shared.shared()."""
    folder = Path(tempfile.mkdtemp(prefix="headwater-ceph-"))
    running = Ceph(folder)
    try:
        running.make()
    except BaseException:
        running.close()
        rmtree(folder, ignore_errors=True)
        raise
    _shared.append(running)
    return Started(f"{running.endpoint()} {folder}", running.groups, str(folder))


@dataclass(frozen=True, slots=True)
class Gateway:
    """The shared cluster, as those know it who have not started it."""

    endpoint: str
    folder: Path

    @classmethod
    def at(cls, address: str) -> "Gateway":
        endpoint, _, folder = address.partition(" ")
        return cls(endpoint, Path(folder))

    def limit(self, name: str, *, objects: int) -> None:
        """Let the bucket *name* have so many objects and no more."""
        quota = ("--bucket", name, "--quota-scope", "bucket")
        for words in (("set", *quota, "--max-objects", str(objects)), ("enable", *quota)):
            conf = str(self.folder / "ceph.conf")
            subprocess.run(
                ["radosgw-admin", "-c", conf, "quota", *words],
                check=True,
                capture_output=True,
                timeout=START_S,
            )


def client(endpoint: str) -> Any:
    """Return a plain client of the store, to look at it past our own."""
    import boto3  # noqa: PLC0415 (takes a while, and most tests do without)
    from botocore.config import Config  # noqa: PLC0415

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )


def bucket(endpoint: str) -> str:
    """Make a bucket of the test's own and return its name; it goes with the cluster."""
    name = "t" + public_id().lower().replace("_", "a").replace("-", "b")
    client(endpoint).create_bucket(Bucket=name)
    return name


def url(endpoint: str, name: str, prefix: str = "", **terms: str) -> str:
    """Return HEADWATER_BLOBS for *prefix* of the bucket *name*."""
    query = "".join(f"&{term}={value}" for term, value in terms.items())
    place = f"{name}/{prefix}" if prefix else name
    return f"s3://{ACCESS_KEY}:{SECRET_KEY}@{place}?endpoint={endpoint}&region={REGION}{query}"

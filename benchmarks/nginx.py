"""nginx beside us: one worker, sendfile, and PUT through its dav module."""

import getpass
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from headwater.roles import free_port

CONFIG = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; {user}
error_log {folder}/error.log crit; {modules}
events {{ worker_connections 512; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
  client_max_body_size 0; client_body_temp_path {folder}/body; client_body_buffer_size 64k;
  proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  open_file_cache max=1000;
  server {{
    listen 127.0.0.1:{port};
    location / {{ root {files}; }}
    location /put/ {{ root {folder}; dav_methods PUT; create_full_put_path on; }}
  }}
}}
"""
START_S = 10.0


class Nginx:
    def __init__(self, url: str, pid: int, put_folder: Path) -> None:
        self.url, self.pid, self.put_folder = url, pid, put_folder


@contextmanager
def nginx(folder: Path, files: Path, *, cores: str | None = None) -> Iterator[Nginx]:
    """Serve *files*, and take PUTs below /put/, while the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port("127.0.0.1")
    user = f"user {getpass.getuser()};" if getpass.getuser() == "root" else ""
    config = folder / "nginx.conf"
    config.write_text(
        CONFIG.format(folder=folder, files=files, port=port, user=user, modules=""),
        encoding="utf-8",
    )
    program = shutil.which("nginx", path="/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin")
    assert program, "nginx is missing: apt install nginx"
    command = [program, "-p", str(folder), "-c", str(config)]
    if cores is not None:
        command = ["taskset", "-c", cores, *command]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_up(url)
        yield Nginx(url, process.pid, folder / "put")
    finally:
        process.terminate()
        process.wait()


def _wait_until_up(url: str) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("nginx did not start")

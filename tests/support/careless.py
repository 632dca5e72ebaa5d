"""A gateway that forgets: it hands every request on but for the headers it was told to lose.

What a store without conditional writes looks like from outside. It also leaves PUTs unanswered.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support.ceph import ACCESS_KEY, REGION, SECRET_KEY

SIGNED_ANEW = {"authorization", "x-amz-date", "x-amz-content-sha256"}
KEPT_BACK = {"transfer-encoding", "connection", "content-length"}


class Careless:
    """*loses* are lower-case names of headers; *failing* the first so many PUTs, after the store
    has carried them out, are answered by nothing at all.
    """

    def __init__(self, behind: str, *, loses: frozenset[str], failing: int) -> None:
        self.behind = urlsplit(behind)
        self.loses = loses
        self.failing = failing
        self.lock = threading.Lock()

    def answers_nothing(self, method: str) -> bool:
        with self.lock:
            if method != "PUT" or not self.failing:
                return False
            self.failing -= 1
            return True


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    careless: Careless

    def _pass_on(self) -> None:
        careless = self.careless
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        behind = HTTPConnection(careless.behind.hostname or "", careless.behind.port, timeout=30)
        behind.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self._kept(body).items():
            behind.putheader(name, value)
        behind.endheaders(body)
        answer = behind.getresponse()
        content = answer.read()
        behind.close()
        if careless.answers_nothing(self.command):
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in KEPT_BACK:
                self.send_header(name, value)
        size = answer.getheader("Content-Length") if self.command == "HEAD" else len(content)
        self.send_header("Content-Length", str(size or 0))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(content)

    def _kept(self, body: bytes) -> dict[str, str]:
        """Return the headers that go on, signed anew where one of the signed ones is lost."""
        headers = dict(self.headers.items())
        kept = {n: v for n, v in headers.items() if n.lower() not in self.careless.loses}
        if len(kept) == len(headers):
            return kept
        kept = {n: v for n, v in kept.items() if n.lower() not in SIGNED_ANEW}
        address = f"http://{self.headers['Host']}{self.path}"
        request = AWSRequest(method=self.command, url=address, headers=kept, data=body)
        S3SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", REGION).add_auth(request)
        return dict(request.headers.items())

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass_on  # noqa: N815 (http.server's names)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@contextmanager
def gateway(behind: str, *, loses: frozenset[str] = frozenset(), failing: int = 0) -> Iterator[str]:
    """Yield the address of a careless gateway before the one at *behind*."""
    careless = Careless(behind, loses=loses, failing=failing)
    handler = type("Bound", (Handler,), {"careless": careless})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

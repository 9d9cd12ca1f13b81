"""An object store for tests: moto's S3 server, behind a proxy on the loopback address that fails as it is told to."""

from __future__ import annotations

import http.client
import socket
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

BUSY = (503, "SlowDown", "Please reduce your request rate.")
BROKEN = (500, "InternalError", "We encountered an internal error. Please try again.")
DENIED = (403, "AccessDenied", "Access Denied")
SKEWED = (403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
MOST = 20_000
"""Requests of a session at most, so that a loop that does not end fails."""


@dataclass
class Fault:
    """Requests that fail: of a method (any if empty), with a part in their path, so many times."""

    method: str
    part: str = ""
    times: int = 10**6
    answer: tuple[int, str, str] | None = None
    cut: str = ""
    """`sending`: the connection ends before the body was read; `answering`: once the request was carried out."""


@dataclass
class Plan:
    """What fails, and every request that came."""

    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def met(self, method: str, path: str) -> Fault | None:
        with self.lock:
            self.requests.append((method, path))
            assert len(self.requests) < MOST
            for fault in self.faults:
                if fault.times > 0 and fault.method in ("", method) and fault.part in path:
                    fault.times -= 1
                    return fault
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *_: object) -> None:
        pass

    def _any(self) -> None:
        plan: Plan = self.server.plan  # type: ignore[attr-defined]
        fault = plan.met(self.command, self.path)
        size = int(self.headers.get("Content-Length") or 0)
        if fault is not None and fault.cut == "sending":
            self.rfile.read(size // 2)
            self._hang_up()
            return
        body = self.rfile.read(size)
        if fault is not None and fault.answer is not None:
            status, code, message = fault.answer
            text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
            self._reply(status, {"Content-Type": "application/xml"}, text)
            return
        answer, content = self._forward(body)
        if fault is not None and fault.cut == "answering":
            self._hang_up()
            return
        self._reply(answer.status, dict(answer.getheaders()), content)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _any  # noqa: N815  # as http.server names them

    def _forward(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(*self.server.target, timeout=60)  # type: ignore[attr-defined]
        try:
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def _reply(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


class Server:
    """The S3 server and the proxy before it; a context manager."""

    def __enter__(self) -> Server:
        from moto.server import ThreadedMotoServer

        self.moto = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
        self.moto.start()
        self.proxy = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.proxy.daemon_threads = True
        self.proxy.target = self.moto.get_host_and_port()  # type: ignore[attr-defined]
        self.proxy.plan = self.plan = Plan()  # type: ignore[attr-defined]
        self.thread = Thread(target=self.proxy.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.proxy.shutdown()
        self.proxy.server_close()
        self.thread.join()
        self.moto.stop()

    @property
    def variables(self) -> dict[str, str]:
        """The environment in which the server is used."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.proxy.server_port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        }

    def make(self, name: str) -> None:
        """Make a bucket."""
        connection = http.client.HTTPConnection(*self.moto.get_host_and_port(), timeout=60)
        scope = "test/20260101/us-east-1/s3/aws4_request"
        headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"}
        connection.request("PUT", f"/{name}", headers=headers)
        assert connection.getresponse().status == 200
        connection.close()

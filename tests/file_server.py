"""A local HTTP server with the faults of public ones."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Shelf:
    """What the server holds and how it behaves; every request is noted as (path, Range header or None, status)."""

    files: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)  # ETags by path; a file without one has a Last-Modified only
    redirects: dict[str, str] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)  # answered first, one a request
    cuts: list[int] = field(default_factory=list)  # bytes after which a connection is dropped, one a request
    stalls: list[int] = field(default_factory=list)  # bytes after which nothing comes any more, one a request
    corrupted: int = 0  # so many answers have a byte flipped
    ranges: bool = True
    heeds_if_range: bool = True
    lengths: bool = True  # whether answers say their length
    pause: float = 0.0  # seconds between chunks
    requests: list[tuple[str, str | None, int]] = field(default_factory=list)
    address: str = ""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    shelf: Shelf

    def log_message(self, *args) -> None:
        pass

    def do_GET(self) -> None:
        shelf, path = self.shelf, self.path
        if shelf.statuses:
            status = shelf.statuses.pop(0)
            self._answer(status, b"", {"Retry-After": "7"} if status == 503 else {})
        elif path in shelf.redirects:
            self._answer(302, b"", {"Location": shelf.redirects[path]})
        elif path not in shelf.files:
            self._answer(404, b"no such file")
        else:
            self._send(shelf.files[path])

    def _send(self, content: bytes) -> None:
        shelf, asked = self.shelf, self.headers.get("Range")
        tag = shelf.tags.get(self.path)
        headers = {"ETag": f'"{tag}"'} if tag else {"Last-Modified": f"Mon, 01 Jan 2024 00:00:{len(content) % 60:02} GMT"}
        current = self.headers.get("If-Range") in (None, *headers.values()) or not shelf.heeds_if_range
        if asked and shelf.ranges and current:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self._answer(416, b"")
                return
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self._answer(206, content[start:], headers)
        else:
            self._answer(200, content, headers)

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        shelf = self.shelf
        shelf.requests.append((self.path, self.headers.get("Range"), status))
        if body and status in (200, 206) and shelf.corrupted:
            shelf.corrupted -= 1
            body = bytes([body[0] ^ 1]) + body[1:]
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if shelf.lengths or status not in (200, 206):
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self._write(body, status)

    def _write(self, body: bytes, status: int) -> None:
        shelf = self.shelf
        whole = status in (200, 206)
        cut = shelf.cuts.pop(0) if whole and shelf.cuts else None
        stall = shelf.stalls.pop(0) if whole and shelf.stalls else None
        body = body[: cut if cut is not None else stall]
        for start in range(0, len(body), 16384):
            self.wfile.write(body[start : start + 16384])
            time.sleep(shelf.pause)
        if cut is not None:
            self.close_connection = True
        if stall is not None:
            self.wfile.flush()
            time.sleep(3)
            self.close_connection = True


@contextlib.contextmanager
def serving(shelf: Shelf) -> Iterator[Shelf]:
    """Serve the shelf on a free port of this machine."""
    handler = type("ShelfHandler", (Handler,), {"shelf": shelf})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    shelf.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield shelf
    finally:
        server.shutdown()
        server.server_close()

"""A local server of one file that can be made to misbehave."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from vidclass.datasets.download import download
from vidclass.errors import DownloadError

DATA = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(DATA).hexdigest()


@dataclass
class Script:
    """Behaviour of the server, and the requests it has received."""

    data: bytes = DATA
    etag: str | None = '"one"'
    modified: str | None = None
    ranges: bool = True
    cuts: list[int | None] = field(default_factory=list)  # bytes after which each answer is cut
    statuses: list[int] = field(default_factory=list)  # sent before the file is
    length: int | None = None  # the lie about Content-Length
    framing: str = "length"  # or "chunked", or "close"
    content_range: str | None = None  # the lie about Content-Range
    location: str | None = None
    slow: threading.Event | None = None
    asked: list[dict[str, str]] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        script: Script = self.server.script  # type: ignore[attr-defined]
        self.close_connection = True
        script.asked.append(dict(self.headers))
        if script.statuses:
            self.send_response(script.statuses.pop(0))
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if script.location and self.path != "/moved":
            self.send_response(302)
            self.send_header("Location", script.location)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        body = self.head(script)
        cut = script.cuts.pop(0) if script.cuts else None
        if script.framing == "chunked":
            chunks = [body[i : i + 100_000] for i in range(0, len(body), 100_000)]
            body = b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"
        try:
            self.wfile.write(body if cut is None else body[:cut])
            if script.slow:
                self.wfile.flush()
                script.slow.wait(5)
        except OSError:
            pass  # the client has gone away
        return None

    def head(self, script: Script) -> bytes:
        """Send status and headers; return the bytes that belong to them."""
        start, wanted = 0, self.headers.get("Range", "")
        same = self.headers.get("If-Range") in (script.etag, script.modified)
        if script.ranges and wanted and same:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        body = script.data[start:]
        if start >= len(script.data) > 0:
            self.send_response(416)
        elif start or script.content_range:
            self.send_response(206)
            span = f"bytes {start}-{len(script.data) - 1}/{len(script.data)}"
            self.send_header("Content-Range", script.content_range or span)
        else:
            self.send_response(200)
        if script.framing == "length":
            self.send_header("Content-Length", str(script.length or len(body)))
        if script.framing == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        if script.etag:
            self.send_header("ETag", script.etag)
        if script.modified:
            self.send_header("Last-Modified", script.modified)
        self.end_headers()
        return body


@dataclass(frozen=True)
class Site:
    url: str
    script: Script

    @property
    def ranges(self) -> list[str | None]:
        """The Range of each request."""
        return [headers.get("Range") for headers in self.script.asked]


@contextmanager
def serve() -> Iterator[Site]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        script = Script()
        server.script = script  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield Site(f"http://127.0.0.1:{server.server_port}/set.bin", script)
        finally:
            server.shutdown()
            thread.join()


def left(target: Path) -> list[str]:
    return sorted(entry.name for entry in target.parent.iterdir())


def interrupt(site: Site, target: Path, *, after: int) -> None:
    """Leave the part file of a download that broke after so many bytes."""
    site.script.cuts = [after]
    with pytest.raises(DownloadError, match=f"ended after {after} of {len(DATA)} bytes"):
        download(site.url, target, attempts=1)
    assert target.with_name("set.bin.part").read_bytes() == DATA[:after]
    assert not target.exists()
    site.script.asked.clear()

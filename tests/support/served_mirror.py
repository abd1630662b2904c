"""A local server of archives, as a mirror of data sets."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from vidclass.datasets.record import RECORD_NAME


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        with suppress(ConnectionError):  # the client may be killed meanwhile
            super().do_GET()


class Mirror:
    """A local server that has the archives below /mirror/."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.asked: list[str] = []
        server.asked = self.asked  # type: ignore[attr-defined]
        self.base_url = f"http://127.0.0.1:{server.server_port}/mirror/"


@contextmanager
def serve_mirror(root: Path, archives: Mapping[str, bytes]) -> Iterator[Mirror]:
    """Serve these files, by their names, from below `root`."""
    (root / "mirror").mkdir()
    for name, data in archives.items():
        (root / "mirror" / name).write_bytes(data)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield Mirror(server)
        finally:
            server.shutdown()
            thread.join()


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    tree = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    tree.pop(RECORD_NAME)
    return tree


def beside(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.parent.iterdir())

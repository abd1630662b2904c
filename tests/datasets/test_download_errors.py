"""Downloads that are refused or fail, and their messages."""

from __future__ import annotations

import socket
import ssl
import threading
import urllib.error
from pathlib import Path
from typing import Any

import pytest

from served_file import DATA, SHA256, Site, left
from vidclass.datasets import download as module
from vidclass.datasets.download import download
from vidclass.datasets.part_file import PartFile
from vidclass.errors import ConfigError, DownloadError

pytestmark = pytest.mark.usefixtures("impatient")


def test_a_connection_that_always_breaks_keeps_what_came(site: Site, target: Path) -> None:
    site.script.cuts = [1000] * 4
    with pytest.raises(DownloadError) as caught:
        download(site.url, target)
    text = str(caught.value)
    assert f"cannot download {site.url}: the connection ended after 4000 of 1024000 bytes" in text
    assert "(attempt 4 of 4). Run the same command again later; or fetch the file" in text
    assert f"put it at {target}: the same command continues from there" in text
    assert download(site.url, target).resumed_from_bytes == 4000


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_in_trouble_is_asked_again(site: Site, target: Path, status: int) -> None:
    site.script.statuses = [status, status]
    assert download(site.url, target).sha256 == SHA256
    assert len(site.ranges) == 3


def test_a_server_in_trouble_for_good(site: Site, target: Path) -> None:
    site.script.statuses = [503] * 4
    with pytest.raises(DownloadError, match=r"answered 503 Service Unavailable \(attempt 4 of 4\)"):
        download(site.url, target)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_final(site: Site, target: Path, status: int) -> None:
    site.script.statuses = [status] * 4
    with pytest.raises(DownloadError, match=rf"{site.url}: the server answered {status} "):
        download(site.url, target)
    assert len(site.ranges) == 1
    assert left(target) == []


def test_a_wrong_checksum_removes_the_file_and_names_both(site: Site, target: Path) -> None:
    wrong = "0" * 64
    with pytest.raises(DownloadError, match=f"its SHA-256 is {SHA256} instead of {wrong}. What"):
        download(site.url, target, sha256=wrong)
    assert left(target) == []


def test_a_wrong_size_is_not_even_fetched(site: Site, target: Path) -> None:
    with pytest.raises(DownloadError, match="announces 1024000 bytes instead of 7: not fetched"):
        download(site.url, target, size_bytes=7)
    assert left(target) == []


def test_a_length_that_was_too_large_is_a_broken_connection(site: Site, target: Path) -> None:
    site.script.length, site.script.ranges = len(DATA) + 5, False
    with pytest.raises(DownloadError, match="ended after 1024000 of 1024005 bytes"):
        download(site.url, target, attempts=2)
    assert not target.exists()


def test_more_than_announced_is_not_read(site: Site, target: Path) -> None:
    site.script.length = 1000
    assert download(site.url, target).size_bytes == 1000
    target.unlink()
    with pytest.raises(DownloadError, match="is not the file it should be: its SHA-256 is"):
        download(site.url, target, sha256=SHA256)


def test_chunks_without_end_are_stopped(site: Site, target: Path) -> None:
    site.script.framing = "chunked"
    with pytest.raises(DownloadError, match="sends more than 1000 bytes: stopped, and what came"):
        download(site.url, target, size_bytes=1000)
    assert left(target) == []


def test_too_few_chunks(site: Site, target: Path) -> None:
    site.script.framing = "chunked"
    with pytest.raises(DownloadError, match="it has 1024000 bytes instead of 2000000"):
        download(site.url, target, size_bytes=2_000_000)


def test_no_length_at_all_needs_a_checksum(site: Site, target: Path) -> None:
    site.script.framing = "close"
    with pytest.raises(DownloadError, match="gives no length, so a cut cannot be told from the"):
        download(site.url, target)
    assert download(site.url, target, sha256=SHA256).size_bytes == len(DATA)


def test_a_file_larger_than_any_may_be(
    site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    with pytest.raises(DownloadError, match="announces 1024000 bytes, more than the 1000 allowed"):
        download(site.url, target)


def test_silence_counts_as_a_broken_connection(site: Site, target: Path) -> None:
    site.script.slow, site.script.cuts = threading.Event(), [10, 10]
    try:
        with pytest.raises(DownloadError, match="broke after 20 bytes: TimeoutError"):
            download(site.url, target, attempts=2, timeout_s=0.5)
    finally:
        site.script.slow.set()
    assert download(site.url, target).resumed_from_bytes == 20


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x"])
def test_a_redirect_elsewhere_is_refused(site: Site, target: Path, location: str) -> None:
    site.script.location = location
    with pytest.raises(DownloadError, match=f"302 .*edirection to url '{location}' is not allowed"):
        download(site.url, target)
    assert left(target) == []


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a/b", "data:,x", "set.bin", "http:///x"]
)
def test_other_addresses_are_refused(target: Path, url: str) -> None:
    with pytest.raises(ConfigError, match=f"url='{url}' is not an address that starts with http"):
        download(url, target)


def test_an_address_that_cannot_be_read(target: Path) -> None:
    with pytest.raises(ConfigError, match=r"url='http://\[x/' cannot be read"):
        download("http://[x/", target)
    with pytest.raises(DownloadError, match="http://127.0.0.1/a b: the address cannot be used"):
        download("http://127.0.0.1/a b", target)


def test_nobody_listens(target: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/set.bin"
        with pytest.raises(DownloadError, match=f"{url}: no connection: .*refused.* {target}: the"):
            download(url, target)
    assert left(target) == []


def test_no_such_host(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(DownloadError, match="nowhere.*: no connection: .*not known.*put it at"):
        download("http://nowhere.invalid/x", target)


def test_a_bad_certificate_is_final(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Opener:
        calls = 0

        def open(self, *_: Any, **__: Any) -> None:
            Opener.calls += 1
            raise urllib.error.URLError(ssl.SSLCertVerificationError("self-signed"))

    monkeypatch.setattr(module, "http_opener", Opener)
    with pytest.raises(DownloadError, match="certificate is not valid .*self-signed"):
        download("https://127.0.0.1/x", target)
    assert Opener.calls == 1


def test_the_opener_handles_http_only() -> None:
    assert {"file", "ftp", "data", "unknown"}.isdisjoint(module.http_opener().handle_open)


def test_invalid_arguments(target: Path) -> None:
    with pytest.raises(ConfigError, match="sha256='abc' is not a SHA-256: give 64 hexadecimal"):
        download("http://127.0.0.1/x", target, sha256="abc")
    with pytest.raises(ConfigError, match="attempts=0 must be at least 1"):
        download("http://127.0.0.1/x", target, attempts=0)


def test_a_target_that_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="is a folder: name a file to download into"):
        download("http://127.0.0.1/x", tmp_path)


def test_a_target_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadError, match=r"cannot write .*set\.bin: .*choose a folder that can"):
        download("http://127.0.0.1/x", tmp_path / "file" / "set.bin")


def test_a_disk_without_room_is_seen_before(
    site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 1000

    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: Usage)
    with pytest.raises(DownloadError, match="it needs 1024000 bytes and 1000 are free"):
        download(site.url, target)
    assert left(target) == []


def test_a_disk_that_fills_up_is_told_from_a_broken_connection(
    site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(PartFile, "append", full)
        with pytest.raises(DownloadError, match="cannot write .*: No space left on device. Free"):
            download(site.url, target)
    assert len(site.ranges) == 1
    assert download(site.url, target).sha256 == SHA256


def test_bytes_before_the_beginning(target: Path) -> None:
    with pytest.raises(DownloadError, match="3 bytes came before the download began"):
        PartFile(target, "http://x/").append(b"abc")

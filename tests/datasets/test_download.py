"""Downloads that succeed, at once or after a resume."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from served_file import DATA, SHA256, Site, interrupt, left
from vidclass.datasets.download import download
from vidclass.errors import DownloadError

pytestmark = pytest.mark.usefixtures("impatient")


def test_a_file_comes_whole_and_checked(site: Site, target: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    got = download(
        site.url,
        target,
        sha256=SHA256.upper(),
        size_bytes=len(DATA),
        progress=lambda *step: seen.append(step),
    )
    assert (got.path, got.size_bytes, got.sha256) == (target, len(DATA), SHA256)
    assert (got.url, got.resumed_from_bytes) == (site.url, 0)
    assert target.read_bytes() == DATA
    assert left(target) == ["set.bin"]
    assert seen[0] == (0, len(DATA)) and seen[-1] == (len(DATA), len(DATA))
    assert seen == sorted(seen)


def test_an_empty_file(site: Site, target: Path) -> None:
    site.script.data = b""
    site.script.framing = "chunked"
    assert download(site.url, target).size_bytes == 0
    assert target.read_bytes() == b""


def test_a_file_that_is_there_needs_no_network(target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(DATA)
    got = download("http://127.0.0.1:9/x", target, sha256=SHA256, size_bytes=len(DATA))
    assert (got.sha256, got.size_bytes, got.resumed_from_bytes) == (SHA256, len(DATA), 0)


def test_a_wrong_file_that_is_there_is_named_and_kept(target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"other")
    other = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(DownloadError, match=f"already there, but its SHA-256 is {other} instead"):
        download("http://127.0.0.1:9/x", target, sha256=SHA256)
    with pytest.raises(DownloadError, match="it has 5 bytes instead of 6. Remove it to have it"):
        download("http://127.0.0.1:9/x", target, size_bytes=6)
    assert target.read_bytes() == b"other"


def test_a_broken_connection_is_continued_in_the_same_call(site: Site, target: Path) -> None:
    site.script.cuts = [1000, 500_000]
    got = download(site.url, target, sha256=SHA256)
    assert site.ranges == [None, "bytes=1000-", "bytes=501000-"]
    assert site.script.asked[1]["If-Range"] == '"one"'
    assert got.resumed_from_bytes == 501_000
    assert target.read_bytes() == DATA


def test_a_broken_download_is_continued_by_the_next_call(site: Site, target: Path) -> None:
    interrupt(site, target, after=300_000)
    seen: list[tuple[int, int | None]] = []
    got = download(site.url, target, progress=lambda *step: seen.append(step))
    assert site.ranges == ["bytes=300000-"]
    assert (got.resumed_from_bytes, got.sha256) == (300_000, SHA256)
    assert seen[0] == (300_000, len(DATA))
    assert left(target) == ["set.bin"]


def test_the_date_serves_where_the_etag_is_weak(site: Site, target: Path) -> None:
    site.script.etag, site.script.modified = 'W/"one"', "Wed, 21 Oct 2015 07:28:00 GMT"
    interrupt(site, target, after=10)
    assert download(site.url, target).resumed_from_bytes == 10
    assert site.script.asked[0]["If-Range"] == "Wed, 21 Oct 2015 07:28:00 GMT"


def test_without_etag_or_date_it_starts_anew(site: Site, target: Path) -> None:
    site.script.etag = None
    interrupt(site, target, after=10)
    assert download(site.url, target).resumed_from_bytes == 0
    assert site.ranges == [None]
    assert target.read_bytes() == DATA


def test_a_server_that_ignores_range_starts_anew(site: Site, target: Path) -> None:
    interrupt(site, target, after=10)
    site.script.ranges = False
    assert download(site.url, target).resumed_from_bytes == 0
    assert site.ranges == ["bytes=10-"]
    assert target.read_bytes() == DATA


def test_a_file_that_changed_starts_anew(site: Site, target: Path) -> None:
    interrupt(site, target, after=10)
    site.script.etag, site.script.data = '"two"', b"changed" * 10
    assert download(site.url, target).resumed_from_bytes == 0
    assert target.read_bytes() == b"changed" * 10


@pytest.mark.parametrize(
    "lie", ["bytes 0-9/1024000", "bytes 10-19/20", "bytes 10-19/*", "nonsense"]
)
def test_another_part_than_asked_for_starts_anew(site: Site, target: Path, lie: str) -> None:
    interrupt(site, target, after=10)
    site.script.content_range = lie
    with pytest.raises(DownloadError, match="the server sent another part of the file"):
        download(site.url, target, attempts=2)
    assert site.ranges == ["bytes=10-", None]
    site.script.content_range = None
    assert download(site.url, target).sha256 == SHA256


def test_a_part_longer_than_the_file_starts_anew(site: Site, target: Path) -> None:
    interrupt(site, target, after=500)
    target.with_name("set.bin.part").write_bytes(DATA + b"more")
    assert download(site.url, target).sha256 == SHA256
    assert site.ranges == [None]


def test_a_file_that_became_shorter_starts_anew(site: Site, target: Path) -> None:
    interrupt(site, target, after=500)
    site.script.data = DATA[:400]
    assert download(site.url, target).size_bytes == 400
    assert site.ranges == ["bytes=500-", None]  # 416 in between


def test_a_whole_part_only_lacks_its_name(site: Site, target: Path) -> None:
    interrupt(site, target, after=500)
    target.with_name("set.bin.part").write_bytes(DATA)
    assert download(site.url, target).sha256 == SHA256
    assert site.ranges == []


@pytest.mark.parametrize("note", ["", "{", "[1]", '{"url": "http://elsewhere/"}'])
def test_a_part_of_unknown_origin_is_not_used(site: Site, target: Path, note: str) -> None:
    interrupt(site, target, after=500)
    target.with_name("set.bin.part.json").write_text(note)
    target.with_name("set.bin.part").write_bytes(b"x" * 500)
    assert download(site.url, target).sha256 == SHA256
    assert site.ranges == [None]


def test_chunks_without_a_length(site: Site, target: Path) -> None:
    site.script.framing = "chunked"
    assert download(site.url, target).sha256 == SHA256


def test_chunks_that_break_off_are_continued(site: Site, target: Path) -> None:
    site.script.framing, site.script.cuts = "chunked", [200_050]
    got = download(site.url, target)
    framing = 3 * len("186a0\r\n") + 2 * len("\r\n")
    assert (got.sha256, got.resumed_from_bytes) == (SHA256, 200_050 - framing)


def test_a_redirect_is_followed_with_its_range(site: Site, target: Path) -> None:
    interrupt(site, target, after=10)
    site.script.location = "/moved"
    assert download(site.url, target).resumed_from_bytes == 10
    assert site.ranges == ["bytes=10-", "bytes=10-"]


def test_an_interrupt_keeps_what_came(site: Site, target: Path) -> None:
    def stop(done: int, _: int | None) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(site.url, target, progress=stop)
    assert not target.exists()
    assert download(site.url, target).resumed_from_bytes > 0
    assert target.read_bytes() == DATA


def test_two_processes_never_make_a_wrong_file(site: Site, target: Path) -> None:
    """Whoever sees that the other began anew stops; what gets the name is whole."""
    site.script.etag = None

    def meanwhile(done: int, _: int | None) -> None:
        if 0 < done < len(DATA) and not site.script.cuts and len(site.ranges) == 1:
            site.script.cuts = [10]
            with pytest.raises(DownloadError, match="ended after 10 of"):
                download(site.url, target, attempts=1)

    with pytest.raises(DownloadError, match="holds 10 bytes instead of 1024000: another process"):
        download(site.url, target, progress=meanwhile)
    assert not target.exists()
    assert download(site.url, target).sha256 == SHA256


def test_the_note_says_what_the_part_is_a_part_of(site: Site, target: Path) -> None:
    interrupt(site, target, after=10)
    note = json.loads(target.with_name("set.bin.part.json").read_text())
    assert note == {"url": site.url, "validator": '"one"', "total_bytes": len(DATA)}

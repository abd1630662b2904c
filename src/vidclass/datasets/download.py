"""Download one file over HTTP: resumable, verified, never half under its final name."""

from __future__ import annotations

import hashlib
import re
import shutil
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPMessage, HTTPResponse, InvalidURL
from pathlib import Path
from typing import IO
from urllib import request as urllib_request
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from vidclass.datasets.part_file import CHUNK_BYTES, PartFile
from vidclass.errors import ConfigError, DownloadError

Progress = Callable[[int, int | None], None]

MAX_BYTES = 1 << 40
"""Limit of the size of a file, whatever a server sends."""

BACKOFF_S = 0.5
"""Pause before the second attempt; it doubles with each further one."""

_PASSING_STATUS = frozenset({408, 416, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Downloaded:
    """A whole, checked file.

    Attributes:
        path: The file.
        size_bytes: Its size.
        sha256: Its hash, in hexadecimal.
        url: Where it came from.
        resumed_from_bytes: Where the last connection continued; 0 if it brought the whole file,
            or if the file was already there.
    """

    path: Path
    size_bytes: int
    sha256: str
    url: str
    resumed_from_bytes: int


@dataclass(frozen=True)
class _Job:
    """Arguments of one call of `download`."""

    url: str
    target: Path
    sha256: str | None
    size_bytes: int | None
    progress: Progress
    timeout_s: float


class _BrokenTransferError(Exception):
    """One attempt failed, and another one may succeed."""


def download(
    url: str,
    target: Path,
    *,
    sha256: str | None = None,
    size_bytes: int | None = None,
    progress: Progress | None = None,
    attempts: int = 4,
    timeout_s: float = 30.0,
) -> Downloaded:
    """Download `url` into the file `target`, or accept the file that is already there.

    Bytes go to `<target>.part` and are kept when the transfer breaks, so that the next attempt,
    in this call or in a later one, continues there if the server still has the same version.

    Args:
        url: An http or https address.
        target: The file to write; missing parent folders are created.
        sha256: Expected hash of the file, in hexadecimal.
        size_bytes: Expected size of the file.
        progress: Called with the bytes received so far and their total, if known.
        attempts: Connections made before giving up.
        timeout_s: Seconds of silence after which a connection counts as broken.

    Raises:
        ConfigError: `url`, `sha256` or `attempts` is invalid.
        DownloadError: the file could not be fetched or written, or is not what it should be.
    """
    _require_http(url)
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise ConfigError(f"sha256={sha256!r} is not a SHA-256: give 64 hexadecimal digits.")
    if attempts < 1:
        raise ConfigError(f"attempts={attempts} must be at least 1.")
    expected = sha256.lower() if sha256 else None
    job = _Job(url, target, expected, size_bytes, progress or (lambda *_: None), timeout_s)
    try:
        if target.exists():
            return _already_there(job)
        target.parent.mkdir(parents=True, exist_ok=True)
        with PartFile(target, url) as part:
            _fetch(job, part, attempts)
            return _finish(job, part)
    except OSError as error:
        raise DownloadError(
            f"cannot write {target}: {error.strerror or error}. "
            "Free some space or choose a folder that can be written, and run the command again."
        ) from error


def _already_there(job: _Job) -> Downloaded:
    if not job.target.is_file():
        raise DownloadError(f"{job.target} is a folder: name a file to download into.")
    size_bytes = job.target.stat().st_size
    with job.target.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if mismatch := _mismatch(job, size_bytes, sha256):
        raise DownloadError(
            f"{job.target} is already there, but {mismatch}. "
            "Remove it to have it downloaded, or put the right file in its place."
        )
    PartFile(job.target, job.url).discard()  # a killed process may have left one
    return Downloaded(job.target, size_bytes, sha256, job.url, 0)


def _finish(job: _Job, part: PartFile) -> Downloaded:
    if mismatch := _mismatch(job, part.size_bytes, part.sha256):
        part.discard()
        raise DownloadError(
            f"{job.url} is not the file it should be: {mismatch}. What came was removed. "
            "Run the command again, and if this repeats, correct the expected value."
        )
    part.finish()
    return Downloaded(job.target, part.size_bytes, part.sha256, job.url, part.resumed_from_bytes)


def _mismatch(job: _Job, size_bytes: int, sha256: str) -> str:
    """Return how the file differs from the expected one, as a clause; '' if it does not."""
    if job.size_bytes is not None and size_bytes != job.size_bytes:
        return f"it has {size_bytes} bytes instead of {job.size_bytes}"
    if job.sha256 is not None and sha256 != job.sha256:
        return f"its SHA-256 is {sha256} instead of {job.sha256}"
    return ""


def _fetch(job: _Job, part: PartFile, attempts: int) -> None:
    cause: Exception | None = None
    for attempt in range(attempts):
        if part.is_whole:
            return
        if attempt:
            time.sleep(BACKOFF_S * 2 ** (attempt - 1))
        try:
            _receive(job, part)
            return
        except _BrokenTransferError as error:
            cause = error
    raise _give_up(job, f"{cause} (attempt {attempts} of {attempts})") from cause


def _receive(job: _Job, part: PartFile) -> None:
    with _open(job, part) as response:
        _start_or_continue(job, part, response)
        job.progress(part.size_bytes, part.total_bytes)
        while chunk := _next_chunk(part, response):
            part.append(chunk)
            if part.total_bytes is None and part.size_bytes > _ceiling_bytes(job):
                part.discard()
                raise DownloadError(
                    f"{job.url} sends more than {_ceiling_bytes(job)} bytes: stopped, and what "
                    "came was removed. Check that this is the right address."
                )
            job.progress(part.size_bytes, part.total_bytes)
    if part.total_bytes is not None and not part.is_whole:
        raise _BrokenTransferError(
            f"the connection ended after {part.size_bytes} of {part.total_bytes} bytes"
        )


def _next_chunk(part: PartFile, response: HTTPResponse) -> bytes:
    limit_bytes = CHUNK_BYTES
    if part.total_bytes is not None:
        # Never read past the announced end: read1 does not stop there by itself everywhere.
        limit_bytes = min(limit_bytes, part.total_bytes - part.size_bytes)
    try:
        return response.read1(limit_bytes) if limit_bytes else b""
    except (OSError, HTTPException) as error:
        raise _BrokenTransferError(
            f"the connection broke after {part.size_bytes} bytes: {error!r}"
        ) from error


def _open(job: _Job, part: PartFile) -> HTTPResponse:
    headers = {"User-Agent": "vidclass"}
    if part.size_bytes and part.validator:
        headers |= {"Range": f"bytes={part.size_bytes}-", "If-Range": part.validator}
    request = urllib_request.Request(job.url, headers=headers)  # noqa: S310 - checked: http only
    try:
        response: HTTPResponse = http_opener().open(request, timeout=job.timeout_s)
    except HTTPError as error:
        with error:
            cause = f"the server answered {error.code} {error.reason}"
        if error.code == 416:
            part.discard()
        if error.code in _PASSING_STATUS:
            raise _BrokenTransferError(cause) from error
        raise _give_up(job, cause) from error
    except (InvalidURL, ValueError) as error:
        raise _give_up(job, f"the address cannot be used ({error})") from error
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise _give_up(job, f"the server's certificate is not valid ({reason})") from error
        raise _BrokenTransferError(f"no connection: {reason or repr(error)}") from error
    return response


def _start_or_continue(job: _Job, part: PartFile, response: HTTPResponse) -> None:
    """Continue the part file or start it anew, as the response demands."""
    if response.status == 206:
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        start, total = (int(span[1]), int(span[2])) if span else (-1, -1)
        if not start == part.size_bytes > 0 or part.total_bytes not in (None, total):
            part.discard()
            raise _BrokenTransferError("the server sent another part of the file than requested")
        part.resumed_from_bytes, part.total_bytes = start, total
        return
    total_bytes = _announced_bytes(job, response)
    if None not in (total_bytes, job.size_bytes) and total_bytes != job.size_bytes:
        raise DownloadError(
            f"{job.url} announces {total_bytes} bytes instead of {job.size_bytes}: not fetched. "
            "Correct the expected size, or the address."
        )
    if (total_bytes or 0) > _ceiling_bytes(job):
        raise DownloadError(
            f"{job.url} announces {total_bytes} bytes, more than the {MAX_BYTES} allowed."
        )
    part.discard()
    free_bytes = shutil.disk_usage(job.target.parent).free
    if (total_bytes or 0) > free_bytes:
        raise DownloadError(
            f"cannot write {job.target}: it needs {total_bytes} bytes and {free_bytes} are free. "
            "Free some space or choose another folder, and run the command again."
        )
    part.restart(validator=_validator(response.headers), total_bytes=total_bytes)


def _announced_bytes(job: _Job, response: HTTPResponse) -> int | None:
    text = response.headers.get("Content-Length", "")
    if text.isascii() and text.isdigit():
        return int(text)
    chunked = response.headers.get("Transfer-Encoding", "").lower() == "chunked"
    if not chunked and job.sha256 is None and job.size_bytes is None:
        raise _give_up(job, "the server gives no length, so a cut cannot be told from the end")
    return None


def _validator(headers: Message) -> str | None:
    """Return what If-Range may carry: a strong ETag, else the date of the last change."""
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified")


def _ceiling_bytes(job: _Job) -> int:
    return MAX_BYTES if job.size_bytes is None else job.size_bytes


def _give_up(job: _Job, cause: str) -> DownloadError:
    return DownloadError(
        f"cannot download {job.url}: {cause}. Run the same command again later; or fetch the "
        f"file some other way and put it at {job.target.absolute()}: the same command "
        "continues from there."
    )


def _require_http(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigError(f"url={url!r} cannot be read: {error}.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"url={url!r} is not an address that starts with http:// or https://.")


def http_opener() -> urllib_request.OpenerDirector:
    """Return an opener without the handlers for files, ftp and data that the usual one has."""
    opener = urllib_request.OpenerDirector()
    for handler in (
        urllib_request.ProxyHandler(),
        urllib_request.HTTPHandler(),
        urllib_request.HTTPSHandler(),
        urllib_request.HTTPDefaultErrorHandler(),
        urllib_request.HTTPErrorProcessor(),
        _HttpRedirects(),
    ):
        opener.add_handler(handler)
    return opener


class _HttpRedirects(urllib_request.HTTPRedirectHandler):
    """Follow redirects to http and https only; the base class also follows ftp."""

    def redirect_request(
        self,
        req: urllib_request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib_request.Request | None:
        """Refuse the redirect, or build the request that follows it."""
        if urlsplit(newurl).scheme not in ("http", "https"):
            reason = f"{msg} - Redirection to url {newurl!r} is not allowed"
            raise HTTPError(newurl, code, reason, headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)

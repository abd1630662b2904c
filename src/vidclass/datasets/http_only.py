"""A way to open addresses that knows http and https, and nothing else."""

from __future__ import annotations

from http.client import HTTPMessage
from typing import IO
from urllib import request as urllib_request
from urllib.error import HTTPError
from urllib.parse import urlsplit

from vidclass.errors import ConfigError


def require_http(url: str) -> None:
    """Check that `url` is an http or https address with a host.

    Raises:
        ConfigError: it is not.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigError(f"url={url!r} cannot be read: {error}.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"url={url!r} is not an address that starts with http:// or https://.")


def http_opener() -> urllib_request.OpenerDirector:
    """An opener without the handlers for files, ftp and data that the usual one has."""
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
    """Follows redirects to http and https alone; the base class also follows ftp."""

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

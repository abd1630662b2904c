"""Every error that vidclass raises on purpose.

```
VidclassError
 ├─ ConfigError          a setting or a combination of settings is not allowed
 ├─ ShapeError           an array has a wrong shape or type
 ├─ ManifestError        the list of labelled clips cannot be used
 │   └─ SplitError       no honest split can be made of it
 │       └─ LeakError    a given split has the same group on two sides
 ├─ VideoError           one video cannot be read; the rest of the work goes on
 │   └─ StoppedError     it ended the work, as `strict` asks
 ├─ DownloadError        a file could not be downloaded, or its content is wrong
 ├─ ArchiveError         an archive is damaged or would write outside its folder
 ├─ WeightsError         pretrained weights are missing or wrong
 ├─ RuntimeRouteError    a network cannot run, or differs from its reference
 ├─ StoreError           the feature store cannot be read or written
 ├─ BundleError          a file is not a whole, readable bundle
 ├─ RunError             a run folder is missing, incomplete or of another configuration
 └─ JobFailedError       the work ended without any usable result
```
"""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

__all__ = [
    "ArchiveError",
    "BundleError",
    "ConfigError",
    "DownloadError",
    "JobFailedError",
    "LeakError",
    "ManifestError",
    "RunError",
    "RuntimeRouteError",
    "ShapeError",
    "SplitError",
    "StoppedError",
    "StoreError",
    "VidclassError",
    "VideoError",
    "WeightsError",
]


class VidclassError(Exception):
    """Base of all errors that vidclass raises on purpose."""


class ConfigError(VidclassError):
    """A setting or a combination of settings is not allowed."""


class ShapeError(VidclassError):
    """An array has a wrong shape or type."""


class ManifestError(VidclassError):
    """The list of labelled clips cannot be used."""


class SplitError(ManifestError):
    """No honest split can be made of the clips at hand."""


class LeakError(SplitError):
    """A given split has the same group on two sides."""


class VideoError(VidclassError):
    """One video cannot be read.

    Args:
        path: The file.
        cause: What is wrong with it, as a clause without a full stop.
        hint: What to do, as a sentence; may be empty.
        stage: Where it failed: `probe`, `decode` or `extract`.
        lasting: The content of the video is at fault, so another attempt would fail too.
    """

    def __init__(
        self,
        path: object,
        cause: str,
        *,
        hint: str = "",
        stage: str = "decode",
        lasting: bool = True,
    ) -> None:
        self.path = str(path)
        self.cause = cause
        self.hint = hint
        self.stage = stage
        self.lasting = lasting
        super().__init__(f"{self.path}: {cause}." + (f" {hint}" if hint else ""))

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the keyword arguments when the error crosses a process border."""
        parts = (self.path, self.cause, self.hint, self.stage, self.lasting)
        return _rebuild_video_error, (type(self), parts, self.__dict__)


def _rebuild_video_error(
    kind: type[VideoError], parts: tuple[str, str, str, str, bool], facts: dict[str, object]
) -> VideoError:
    path, cause, hint, stage, lasting = parts
    error = kind(path, cause, hint=hint, stage=stage, lasting=lasting)
    error.__dict__.update(facts)
    return error


class StoppedError(VideoError):
    """A video that cannot be read ended the work, because `strict` was set.

    Attributes:
        ok: Clips completed before it.
    """

    ok: int = 0

    @classmethod
    def from_error(cls, error: VideoError, *, ok: int) -> StoppedError:
        """Return `error` as the one that stopped the work after `ok` completed clips."""
        stopped = cls(
            error.path, error.cause, hint=error.hint, stage=error.stage, lasting=error.lasting
        )
        stopped.ok = ok
        return stopped


class DownloadError(VidclassError):
    """A file could not be downloaded, or its content is wrong."""


class ArchiveError(VidclassError):
    """An archive is damaged or would write outside its folder."""


class WeightsError(VidclassError):
    """Pretrained weights are missing or wrong."""


class RuntimeRouteError(VidclassError):
    """A network cannot run by this route, or differs from its reference."""


class StoreError(VidclassError):
    """The feature store cannot be read or written."""


class BundleError(VidclassError):
    """A file is not a whole, readable bundle."""


class RunError(VidclassError):
    """A run folder is missing, incomplete or of another configuration."""


class JobFailedError(VidclassError):
    """The work ended without any usable result.

    Attributes:
        failures: Ledger rows, if clips failed.
    """

    def __init__(self, message: str, *, failures: Collection[Any] = ()) -> None:
        self.failures = tuple(failures)
        super().__init__(message)


def require_choice(name: str, value: str, allowed: Collection[str]) -> str:
    """Return `value` if it is allowed, else raise and name the nearest spelling.

    Raises:
        ConfigError: `value` is not in `allowed`.
    """
    if value in allowed:
        return value
    near = get_close_matches(value, allowed, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ConfigError(f"{name}={value!r} is not one of {sorted(allowed)}.{hint}")

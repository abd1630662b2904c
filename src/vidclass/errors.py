"""Every error that vidclass raises on purpose.

```
VidclassError
 ├─ ConfigError          an option, a setting or a combination of them is not allowed
 ├─ ShapeError           an array does not have the shape it must have
 ├─ ManifestError        the list of labelled clips cannot be used
 │   └─ SplitError       no honest split can be made of it
 │       └─ LeakError    a given split has the same group on two sides
 ├─ VideoError           one video cannot be read; the rest of the work goes on
 │   └─ StoppedError     it was to end the work, and did
 ├─ DownloadError        a file could not be fetched, or is not what it should be
 ├─ ArchiveError         an archive is damaged or would write outside its folder
 ├─ WeightsError         pretrained weights are missing or not what they should be
 ├─ RuntimeRouteError    a network cannot run, or does not agree with its reference
 ├─ StoreError           the feature store cannot be read or written
 ├─ BundleError          a file is not a whole, readable bundle
 ├─ RunError             a run folder is missing, incomplete or of another configuration
 └─ JobFailedError       the work was done, and nothing usable came out of it
```
"""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from typing import Any


class VidclassError(Exception):
    """Base of all errors that vidclass raises on purpose."""


class ConfigError(VidclassError):
    """An option, a setting or a combination of them is not allowed."""


class ShapeError(VidclassError):
    """An array does not have the shape it must have."""


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
        hint: What its owner can do, as a sentence; may be empty.
        stage: Where it failed: `probe`, `decode` or `extract`.
        lasting: The bytes of the video are at fault, so another try would end the same.
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
    """A video that cannot be read ended the work, as it was told to.

    Attributes:
        ok: How many clips were done by then.
    """

    ok: int = 0

    @classmethod
    def at(cls, error: VideoError, *, ok: int) -> StoppedError:
        """The same error, after so many clips that were done."""
        stopped = cls(
            error.path, error.cause, hint=error.hint, stage=error.stage, lasting=error.lasting
        )
        stopped.ok = ok
        return stopped


class DownloadError(VidclassError):
    """A file could not be fetched, or is not what it should be."""


class ArchiveError(VidclassError):
    """An archive is damaged or would write outside its folder."""


class WeightsError(VidclassError):
    """Pretrained weights are missing or not what they should be."""


class RuntimeRouteError(VidclassError):
    """A network cannot run by this route, or does not agree with its reference."""


class StoreError(VidclassError):
    """The feature store cannot be read or written."""


class BundleError(VidclassError):
    """A file is not a whole, readable bundle."""


class RunError(VidclassError):
    """A run folder is missing, incomplete or of another configuration."""


class JobFailedError(VidclassError):
    """The work was done, and nothing usable came out of it.

    Attributes:
        failures: The rows of the ledger, where it was the clips that failed.
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

"""What a split needs before it is worth trying."""

from __future__ import annotations

from vidclass._core.text import counted, listed
from vidclass.data.balance import Units
from vidclass.data.manifest import Manifest
from vidclass.errors import ConfigError, SplitError


def require_fraction(name: str, value: float) -> None:
    """Refuse a share that is outside [0, 1)."""
    if not 0 <= value < 1:
        raise ConfigError(f"{name}={value} must be at least 0 and less than 1.")


def require_seed(seed: int) -> None:
    """Refuse a negative seed."""
    if seed < 0:
        raise ConfigError(f"seed={seed} must not be negative.")


def require_two_classes(manifest: Manifest) -> None:
    """Refuse clips among which there is nothing to tell apart."""
    if len(manifest.labels) < 2:
        raise SplitError(
            f"only one class, {manifest.labels}: a classifier needs at least two. Was the folder "
            "above the classes meant?"
            if len(manifest)
            else "the manifest has no clips: there is nothing to split."
        )


def require_units(units: Units, need: int, noun: str, what: str, advice: str) -> None:
    """Refuse classes with fewer than `need` groups (or videos, or clips: the noun)."""
    short = [
        f"{label!r} has {counted(int(count), noun)}"
        + (f" ({counted(int(size), 'clip')})" if noun != "clip" else "")
        for label, count, size in zip(
            units.labels, units.per_class(), units.class_sizes, strict=True
        )
        if count < need
    ]
    if short:
        raise SplitError(
            f"{counted(len(short), 'class')} too small for {what}: at least "
            f"{counted(need, noun)} a class are needed, but {listed(short)}. {advice}"
        )

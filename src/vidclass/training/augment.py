"""Changes to stored features before a head learns from them: pure functions of arrays and chance.

All take features (B,T,D) and mask (B,T) and return new ones of the same shapes, in which the real
steps come first and padding is zero.  A clip with a real step keeps at least one; a clip without
any stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vidclass.config import AugmentConfig
from vidclass.errors import ConfigError, require_choice
from vidclass.heads.registry import heads, parse_head

Features = NDArray[np.float32]
Mask = NDArray[np.bool_]
Rng = np.random.Generator

# Of a class whose clips are never played backwards.
NEVER = -1


def frame_drop(features: Features, mask: Mask, rng: Rng, *, share: float) -> tuple[Features, Mask]:
    """Leave out a share of the real steps of each clip, rounded down; what is left moves up."""
    counts = mask.sum(1)
    left = counts - np.floor(share * counts).astype(np.int64)
    # Chance puts the real steps in an order; the first ones stay, in the order of time.
    lots = np.where(np.arange(mask.shape[1]) < counts[:, None], rng.random(mask.shape), np.inf)
    ranks = lots.argsort(1).argsort(1)
    places = np.argsort(ranks >= left[:, None], axis=1, kind="stable")
    return _picked(features, mask, places, left)


def jitter(features: Features, mask: Mask, rng: Rng, *, most: float) -> tuple[Features, Mask]:
    """Cut up to a share `most` of each clip off its ends, and stretch the rest to its length.

    What stands at each moment is the nearest stored step, so some steps come twice.
    """
    counts = mask.sum(1)
    length = counts * (1 - most * rng.random(len(mask)))
    start = rng.random(len(mask)) * (counts - length)
    return _picked(features, mask, _stretched(mask, start, length), counts)


def reverse(
    features: Features,
    mask: Mask,
    targets: NDArray[np.int64],
    rng: Rng,
    *,
    probability: float,
    becomes: NDArray[np.int64],
) -> tuple[Features, Mask, NDArray[np.int64]]:
    """Play some clips backwards; `becomes` (K,) is each class's class then, or `NEVER`."""
    turned = (rng.random(len(mask)) < probability) & (becomes[targets] != NEVER)
    counts = mask.sum(1)
    steps = np.arange(mask.shape[1])
    places = np.where(turned[:, None], counts[:, None] - 1 - steps, steps)
    features, mask = _picked(features, mask, places, counts)
    return features, mask, np.where(turned, becomes[targets], targets)


def mixup(
    features: Features, mask: Mask, targets: NDArray[np.float32], rng: Rng, *, alpha: float
) -> tuple[Features, Mask, NDArray[np.float32]]:
    """Mix each clip with another of the batch, and their targets (B,K) (Zhang et al. 2018).

    The other clip is first stretched to the length of this one, so that beginnings meet beginnings
    and ends meet ends, and nothing is mixed with padding; the mask is this clip's own.  Where one
    of the two has no real step, the clip stays alone.
    """
    other = rng.permutation(len(mask))
    share = rng.beta(alpha, alpha, len(mask)).astype(np.float32)
    share = np.where(mask.any(1) & mask[other].any(1), share, np.float32(1))
    counts, lengths = mask.sum(1), mask[other].sum(1)
    places = _stretched(mask, np.zeros(len(mask)), lengths.astype(float))
    mine, real = _picked(features, mask, np.arange(mask.shape[1])[None], counts)
    theirs, _ = _picked(features[other], mask[other], places, np.where(lengths > 0, counts, 0))
    weight = share[:, None, None]
    mixed_targets = share[:, None] * targets + (1 - share[:, None]) * targets[other]
    return weight * mine + (1 - weight) * theirs, real, mixed_targets


def _stretched(
    mask: Mask, start: NDArray[np.float64], length: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Places (B,T): the middle of each real step falls on [start, start + length) of real steps."""
    counts = np.maximum(mask.sum(1), 1)[:, None]
    middles = (np.arange(mask.shape[1]) + 0.5) / counts
    return np.asarray(np.floor(start[:, None] + length[:, None] * middles), np.int64)


def _picked(
    features: Features, mask: Mask, places: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[Features, Mask]:
    """The real steps at `places` (B,T), as many of them as `counts` (B,) says, then padding."""
    real_first = np.argsort(~mask, axis=1, kind="stable")
    places = np.clip(np.broadcast_to(places, mask.shape), 0, mask.shape[1] - 1)
    steps = np.take_along_axis(real_first, places, 1)
    real = np.arange(mask.shape[1]) < counts[:, None]
    picked = features[np.arange(len(mask))[:, None], steps]
    picked[~real] = 0
    return picked, real


def reversed_classes(config: AugmentConfig, head: str, labels: Sequence[str]) -> NDArray[np.int64]:
    """Return the class (K,) of each class's clips played backwards; `NEVER` if none fits.

    Raises:
        ConfigError: the head does not see the order of frames, or `reverse_labels` names a class
            that there is not.
    """
    if not config.reverse:
        return np.full(len(labels), NEVER)
    if not parse_head(head)[0].ordered:
        raise ConfigError(
            f"augment.reverse={config.reverse} would change nothing: the head {head!r} does not "
            f"see the order of the frames. Leave it out, or take one of {_ordered_heads()}."
        )
    if config.reverse_labels == "all":
        return np.arange(len(labels))
    becomes = np.full(len(labels), NEVER)
    for label, other in (config.reverse_labels or {}).items():
        for name in (label, other):
            require_choice("label in augment.reverse_labels", name, labels)
        becomes[labels.index(label)] = labels.index(other)
    return becomes


def _ordered_heads() -> list[str]:
    return [found.name for found in heads().values() if found.ordered]


def augmented(
    features: Features,
    mask: Mask,
    targets: NDArray[np.int64],
    rng: Rng,
    *,
    config: AugmentConfig,
    becomes: NDArray[np.int64],
) -> tuple[Features, Mask, NDArray[np.int64]]:
    """Reversal, jitter, dropped frames, in that order; mixup comes later, for it needs targets."""
    if config.reverse:
        features, mask, targets = reverse(
            features, mask, targets, rng, probability=config.reverse, becomes=becomes
        )
    if config.jitter:
        features, mask = jitter(features, mask, rng, most=config.jitter)
    if config.frame_drop:
        features, mask = frame_drop(features, mask, rng, share=config.frame_drop)
    return features, mask, targets

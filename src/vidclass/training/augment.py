"""Augmentation of stored features: pure functions of arrays and a random generator.

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

# Class of the reversed clips of a class that is never reversed.
NEVER = -1


def frame_drop(features: Features, mask: Mask, rng: Rng, *, share: float) -> tuple[Features, Mask]:
    """Leave out a share of the real steps of each clip, rounded down; the others move up."""
    counts = mask.sum(1)
    kept = counts - np.floor(share * counts).astype(np.int64)
    # Real steps are ranked at random; the first ones stay, in the order of time.
    lots = np.where(np.arange(mask.shape[1]) < counts[:, None], rng.random(mask.shape), np.inf)
    ranks = lots.argsort(1).argsort(1)
    steps = np.argsort(ranks >= kept[:, None], axis=1, kind="stable")
    return _take_steps(features, mask, steps, kept)


def jitter(features: Features, mask: Mask, rng: Rng, *, share: float) -> tuple[Features, Mask]:
    """Cut at most this share of each clip off its ends, and stretch the rest to its length.

    Each step is the nearest stored one, so some steps come twice.
    """
    counts = mask.sum(1)
    length = counts * (1 - share * rng.random(len(mask)))
    start = rng.random(len(mask)) * (counts - length)
    return _take_steps(features, mask, _stretched_steps(mask, start, length), counts)


def reverse(
    features: Features,
    mask: Mask,
    targets: NDArray[np.int64],
    rng: Rng,
    *,
    probability: float,
    becomes: NDArray[np.int64],
) -> tuple[Features, Mask, NDArray[np.int64]]:
    """Play some clips backwards; `becomes` (K,) is the class that reversal makes of each class."""
    is_reversed = (rng.random(len(mask)) < probability) & (becomes[targets] != NEVER)
    counts = mask.sum(1)
    forwards = np.arange(mask.shape[1])
    steps = np.where(is_reversed[:, None], counts[:, None] - 1 - forwards, forwards)
    features, mask = _take_steps(features, mask, steps, counts)
    return features, mask, np.where(is_reversed, becomes[targets], targets)


def mixup(
    features: Features, mask: Mask, targets: NDArray[np.float32], rng: Rng, *, alpha: float
) -> tuple[Features, Mask, NDArray[np.float32]]:
    """Mix each clip with another of the batch, and their targets (B,K) (Zhang et al. 2018).

    The other clip is first stretched to the length of this one, so that nothing is mixed with
    padding; the mask is this clip's own.  If one of the two has no real step, the clip is not
    mixed.
    """
    other = rng.permutation(len(mask))
    share = rng.beta(alpha, alpha, len(mask)).astype(np.float32)
    share = np.where(mask.any(1) & mask[other].any(1), share, np.float32(1))
    counts, lengths = mask.sum(1), mask[other].sum(1)
    steps = _stretched_steps(mask, np.zeros(len(mask)), lengths.astype(float))
    own, real = _take_steps(features, mask, np.arange(mask.shape[1])[None], counts)
    others, _ = _take_steps(features[other], mask[other], steps, np.where(lengths > 0, counts, 0))
    weight = share[:, None, None]
    mixed_targets = share[:, None] * targets + (1 - share[:, None]) * targets[other]
    return weight * own + (1 - weight) * others, real, mixed_targets


def _stretched_steps(
    mask: Mask, start: NDArray[np.float64], length: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return steps (B,T) that stretch [start, start + length) to all real steps of a clip."""
    counts = np.maximum(mask.sum(1), 1)[:, None]
    middles = (np.arange(mask.shape[1]) + 0.5) / counts
    return np.asarray(np.floor(start[:, None] + length[:, None] * middles), np.int64)


def _take_steps(
    features: Features, mask: Mask, steps: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[Features, Mask]:
    """Return the real steps number `steps` (B,T), the first `counts` (B,) of them, then padding."""
    real_first = np.argsort(~mask, axis=1, kind="stable")
    steps = np.clip(np.broadcast_to(steps, mask.shape), 0, mask.shape[1] - 1)
    real = np.arange(mask.shape[1]) < counts[:, None]
    taken = features[np.arange(len(mask))[:, None], np.take_along_axis(real_first, steps, 1)]
    taken[~real] = 0
    return taken, real


def require_reversible(config: AugmentConfig, head: str, labels: Sequence[str]) -> None:
    """Require that a head and the labels allow the reversal that is configured.

    Raises:
        ConfigError: The head does not see the order of frames, or `reverse_labels` names a label
            that does not exist.
    """
    if not config.reverse:
        return
    if not parse_head(head)[0].ordered:
        ordered = [name for name, other in heads().items() if other.ordered]
        raise ConfigError(
            f"augment.reverse={config.reverse} would change nothing: the head {head!r} does not "
            f"see the order of the frames. Leave it out, or take one of {ordered}."
        )
    if isinstance(config.reverse_labels, dict):
        for name in (*config.reverse_labels, *config.reverse_labels.values()):
            require_choice("label in augment.reverse_labels", name, labels)


def reversed_classes(config: AugmentConfig, head: str, labels: Sequence[str]) -> NDArray[np.int64]:
    """Return the class that reversal makes of each class, (K,); `NEVER` for no reversal.

    Raises:
        ConfigError: As `require_reversible`.
    """
    require_reversible(config, head, labels)
    if config.reverse and config.reverse_labels == "all":
        return np.arange(len(labels))
    becomes = np.full(len(labels), NEVER)
    if config.reverse and isinstance(config.reverse_labels, dict):
        for label, other in config.reverse_labels.items():
            becomes[labels.index(label)] = labels.index(other)
    return becomes


def augmented(
    features: Features,
    mask: Mask,
    targets: NDArray[np.int64],
    rng: Rng,
    *,
    config: AugmentConfig,
    becomes: NDArray[np.int64],
) -> tuple[Features, Mask, NDArray[np.int64]]:
    """Apply reversal, jitter and frame dropping; mixup, which takes loss targets, comes later."""
    if config.reverse:
        features, mask, targets = reverse(
            features, mask, targets, rng, probability=config.reverse, becomes=becomes
        )
    if config.jitter:
        features, mask = jitter(features, mask, rng, share=config.jitter)
    if config.frame_drop:
        features, mask = frame_drop(features, mask, rng, share=config.frame_drop)
    return features, mask, targets

"""The tables that `extraction.py` prints: times, ratios against their targets, closeness."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from measuring import median, table

INCEPTION, LITE0 = "InceptionV3", "efficientnet_lite0"
LEAST_COSINE = 0.99
# How many times quicker vidclass is to be, by precision.
AGAINST_EXAMPLE = {
    ("bf16", "TensorFlow"): 12,
    ("bf16", "JAX"): 6,
    ("int8", "TensorFlow"): 20,
    ("int8", "JAX"): 10,
}
DEFAULT_AGAINST_EXAMPLE = 25
BF16_AGAINST_TORCH = 2
MOST_OVERHEAD = 1.25


@dataclass(frozen=True)
class Subject:
    """One variant: whose it is, which part of the work, and with which network.

    Of the example, `precision` is Keras's back end, which computes in float32.
    """

    who: str
    part: str
    backbone: str
    precision: str

    @property
    def name(self) -> str:
        """For a table."""
        if self.part == "decode":
            return f"{self.who} decode"
        return f"{self.who} {self.part} {self.backbone} {self.precision}"

    @property
    def file(self) -> str:
        """For the name of a file."""
        return self.name.replace(" ", "-")

    @property
    def makes_features(self) -> bool:
        """Whether it can keep its features."""
        return self.part in ("extract", "pipeline")


@dataclass
class Results:
    """What was measured, in the order in which it was."""

    cores: int
    features: Path
    repeats: dict[Subject, list[dict[str, Any]]] = field(default_factory=dict)
    failures: dict[Subject, str] = field(default_factory=dict)

    def ms_per_clip(self, subject: Subject) -> list[float]:
        """Milliseconds a clip, one number a turn."""
        return [1e3 * one["seconds"] / one["clips"] for one in self.repeats[subject]]

    def ms(self, *subject: str) -> float | None:
        """Median milliseconds a clip; None where that was not measured."""
        wanted = Subject(*subject)
        return median(self.ms_per_clip(wanted)) if wanted in self.repeats else None

    def extractions(self) -> list[Subject]:
        """What was measured of vidclass's extraction."""
        return [s for s in self.repeats if (s.who, s.part) == ("vidclass", "extract")]


def times_table(results: Results) -> str:
    """Every variant."""
    rows = []
    for subject, repeats in results.repeats.items():
        times = results.ms_per_clip(subject)
        frames = repeats[0].get("frames")
        each = f"{median(times) * repeats[0]['clips'] / frames:.1f}" if frames else "–"
        clips = repeats[0]["clips"]
        span = f"{min(times):.0f} – {max(times):.0f}"
        rows.append((subject.name, f"{median(times):.0f}", span, each, clips, len(times)))
    for subject, why in results.failures.items():
        rows.append((subject.name, "–", f"failed: {why}", "–", "–", "–"))
    headers = ("variant", "ms a clip", "least – most", "ms a frame", "clips", "turns")
    return table(headers, rows)


def ratio_table(results: Results) -> str:
    """How many times quicker, and how near to the work itself."""
    rows = [*against_example(results), *against_torch(results), *against_work(results)]
    headers = ("ratio", "target", "measured", "with process start", "met")
    return table(headers, rows)


Row = tuple[str, str, str, str, str]


def against_example(results: Results) -> Iterator[Row]:
    """The example's loop with InceptionV3."""
    for backend in ("TensorFlow", "JAX"):
        slow = results.ms("example", "loop", INCEPTION, backend)
        if slow is None:
            continue
        for ours in results.extractions():
            target = None
            if ours.backbone == INCEPTION:
                target = AGAINST_EXAMPLE.get((ours.precision, backend))
            elif (ours.precision, backend) == ("auto", "JAX"):
                target = DEFAULT_AGAINST_EXAMPLE
            name = f"example {backend} : vidclass {ours.backbone} {ours.precision}"
            yield _times_quicker(results, ours, name=name, slow_ms=slow, target=target)


def against_torch(results: Results) -> Iterator[Row]:
    """The quickest of the PyTorch pipelines with the same backbone."""
    for ours in results.extractions():
        pipelines = {
            median(results.ms_per_clip(subject)): subject.precision
            for subject in results.repeats
            if (subject.who, subject.part, subject.backbone)
            == ("PyTorch", "pipeline", ours.backbone)
        }
        if not pipelines:
            continue
        slow = min(pipelines)
        target = BF16_AGAINST_TORCH if ours.precision == "bf16" else None
        name = f"PyTorch {ours.backbone} {pipelines[slow]} : vidclass {ours.precision}"
        yield _times_quicker(results, ours, name=name, slow_ms=slow, target=target)


def _times_quicker(
    results: Results, ours: Subject, *, name: str, slow_ms: float, target: float | None
) -> Row:
    ratio = slow_ms / median(results.ms_per_clip(ours))
    command = results.ms("vidclass", "command", ours.backbone, ours.precision)
    whole = f"{slow_ms / command:.2f}" if command else "–"
    met = "" if target is None else "yes" if ratio >= target else "no"
    return name, f"≥ {target}" if target else "–", f"{ratio:.2f}", whole, met


def against_work(results: Results) -> Iterator[Row]:
    """Wall time of the extraction against that of its two halves, each alone on all cores.

    With every core busy in both, their sum is the total work divided by the cores: nothing that
    does the same work can be quicker.  The larger of the two is what cores of their own for
    decoding would allow.
    """
    decode = results.ms("vidclass", "decode", LITE0, "f32")
    for ours in results.extractions():
        network = results.ms("vidclass", "network", ours.backbone, ours.precision)
        if network is None or decode is None:
            continue
        wall = median(results.ms_per_clip(ours))
        name = f"vidclass {ours.backbone} {ours.precision} : "
        share = wall / (decode + network)
        met = "yes" if share <= MOST_OVERHEAD else "no"
        target = f"≤ {MOST_OVERHEAD}"
        yield f"{name}total work / {results.cores} cores", target, f"{share:.2f}", "–", met
        larger = wall / max(decode, network)
        yield f"{name}max(decode, network)", "–", f"{larger:.2f}", "–", ""


def closeness_table(results: Results) -> str:
    """Cosines with vidclass's f32 features, frame by frame, on the same clips."""
    rows = []
    for ours in results.extractions():
        reference = _features(results, ours)
        if ours.precision != "f32" or not reference:
            continue
        for other in results.repeats:
            # Random weights differ between libraries; only Lite0's are the same.
            same = other.who == "vidclass" or other.backbone == LITE0
            if other == ours or other.backbone != ours.backbone or not same:
                continue
            cosines = _cosines(reference, _features(results, other))
            if len(cosines):
                rows.append((other.name, *_judged(other, cosines)))
        apart = _between_clips(reference)
        rows.append((f"one clip and the next, {ours.backbone} f32", "–", f"{apart:.5f}", "–", ""))
    return table(("cosine with vidclass f32", "target", "mean", "least", "met"), rows)


def _judged(subject: Subject, cosines: np.ndarray) -> tuple[str, str, str, str]:
    mean, least = float(cosines.mean()), float(cosines.min())
    if subject.precision != "int8":
        return "–", f"{mean:.5f}", f"{least:.5f}", ""
    return (
        f"≥ {LEAST_COSINE}",
        f"{mean:.5f}",
        f"{least:.5f}",
        "yes" if mean >= LEAST_COSINE else "no",
    )


def _features(results: Results, subject: Subject) -> dict[str, np.ndarray]:
    path = results.features / f"{subject.file}.npz"
    return dict(np.load(path)) if path.exists() else {}


def _cosines(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> np.ndarray:
    shared = [name for name in one if name in other and len(one[name]) == len(other[name])]
    return np.array([value for name in shared for value in _cosine(one[name], other[name])])


def _between_clips(features: dict[str, np.ndarray]) -> float:
    """How alike different clips are: what a cosine is to be judged by (median of first frames)."""
    first = np.stack([clip[0] for clip in features.values()])
    return float(np.median(_cosine(first, np.roll(first, 1, axis=0))))


def _cosine(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    return (one * other).sum(-1) / lengths

"""Tables of `extraction.py`: times, ratios with their targets, cosines of features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from measuring import median, table

INCEPTION, LITE0 = "InceptionV3", "efficientnet_lite0"
LEAST_COSINE = 0.99
# Target speed-up of vidclass, by precision and Keras back end of the example.
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
    """One variant: library, part of the work, and network.

    For the example, `precision` is Keras's back end, which computes in float32.
    """

    library: str
    part: str
    backbone: str
    precision: str

    @property
    def name(self) -> str:
        """Name in tables."""
        if self.part == "decode":
            return f"{self.library} decode"
        return f"{self.library} {self.part} {self.backbone} {self.precision}"

    @property
    def file(self) -> str:
        """Name without blanks, for files."""
        return self.name.replace(" ", "-")

    @property
    def has_features(self) -> bool:
        """True if the variant can save its features."""
        return self.part in ("extract", "pipeline")


@dataclass
class Results:
    """Measurements and failures of each variant, in order."""

    cores: int
    features: Path
    repeats: dict[Subject, list[dict[str, Any]]] = field(default_factory=dict)
    failures: dict[Subject, str] = field(default_factory=dict)

    def ms_per_clip(self, subject: Subject) -> list[float]:
        """Return milliseconds per clip, one number per round."""
        return [1e3 * repeat["seconds"] / repeat["clips"] for repeat in self.repeats[subject]]

    def ms(self, *subject: str) -> float | None:
        """Return the median milliseconds per clip; None if not measured."""
        key = Subject(*subject)
        return median(self.ms_per_clip(key)) if key in self.repeats else None

    def extractions(self) -> list[Subject]:
        """Return the measured variants of vidclass's extraction."""
        return [s for s in self.repeats if (s.library, s.part) == ("vidclass", "extract")]


def times_table(results: Results) -> str:
    """Return a table of all variants."""
    rows = []
    for subject, repeats in results.repeats.items():
        times = results.ms_per_clip(subject)
        frames = repeats[0].get("frames")
        each = f"{median(times) * repeats[0]['clips'] / frames:.1f}" if frames else "–"
        clips = repeats[0]["clips"]
        span = f"{min(times):.0f} – {max(times):.0f}"
        rows.append((subject.name, f"{median(times):.0f}", span, each, clips, len(times)))
    for subject, error in results.failures.items():
        rows.append((subject.name, "–", f"failed: {error}", "–", "–", "–"))
    headers = ("variant", "ms a clip", "least – most", "ms a frame", "clips", "rounds")
    return table(headers, rows)


def ratio_table(results: Results) -> str:
    """Return a table of speed-ups, and of wall time relative to the work itself."""
    rows = [*against_example(results), *against_torch(results), *against_work(results)]
    headers = ("ratio", "target", "measured", "with process start", "met")
    return table(headers, rows)


Row = tuple[str, str, str, str, str]


def against_example(results: Results) -> Iterator[Row]:
    """Yield speed-ups over the example's loop with InceptionV3."""
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
            yield _speed_up(results, ours, name=name, slow_ms=slow, target=target)


def against_torch(results: Results) -> Iterator[Row]:
    """Yield speed-ups over the fastest PyTorch pipeline with the same backbone."""
    for ours in results.extractions():
        pipelines = {
            median(results.ms_per_clip(subject)): subject.precision
            for subject in results.repeats
            if (subject.library, subject.part, subject.backbone)
            == ("PyTorch", "pipeline", ours.backbone)
        }
        if not pipelines:
            continue
        slow = min(pipelines)
        target = BF16_AGAINST_TORCH if ours.precision == "bf16" else None
        name = f"PyTorch {ours.backbone} {pipelines[slow]} : vidclass {ours.precision}"
        yield _speed_up(results, ours, name=name, slow_ms=slow, target=target)


def _speed_up(
    results: Results, ours: Subject, *, name: str, slow_ms: float, target: float | None
) -> Row:
    ratio = slow_ms / median(results.ms_per_clip(ours))
    command = results.ms("vidclass", "command", ours.backbone, ours.precision)
    whole = f"{slow_ms / command:.2f}" if command else "–"
    met = "" if target is None else "yes" if ratio >= target else "no"
    return name, f"≥ {target}" if target else "–", f"{ratio:.2f}", whole, met


def against_work(results: Results) -> Iterator[Row]:
    """Yield wall times of the extraction relative to its two halves, each alone on all cores.

    With every core busy in both, their sum is the total work divided by the cores: nothing that
    does the same work can be faster.  The larger of the two is the bound if decoding had cores of
    its own.
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


def cosine_table(results: Results) -> str:
    """Return a table of cosines with vidclass's f32 features, frame by frame, on the same clips."""
    rows = []
    for ours in results.extractions():
        reference = _features(results, ours)
        if ours.precision != "f32" or not reference:
            continue
        for other in results.repeats:
            # Random weights differ between libraries; only Lite0's are the same.
            same = other.library == "vidclass" or other.backbone == LITE0
            if other == ours or other.backbone != ours.backbone or not same:
                continue
            cosines = _cosines(reference, _features(results, other))
            if len(cosines):
                rows.append((other.name, *_cosine_cells(other, cosines)))
        different = _between_clips(reference)
        rows.append(
            (f"one clip and the next, {ours.backbone} f32", "–", f"{different:.5f}", "–", "")
        )
    return table(("cosine with vidclass f32", "target", "mean", "least", "met"), rows)


def _cosine_cells(subject: Subject, cosines: np.ndarray) -> tuple[str, str, str, str]:
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
    """Return the median cosine between first frames of different clips, for comparison."""
    first = np.stack([clip[0] for clip in features.values()])
    return float(np.median(_cosine(first, np.roll(first, 1, axis=0))))


def _cosine(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    return (one * other).sum(-1) / lengths

"""Demo: generate clips, then train and evaluate on them as on any data set."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidclass._core.files import write_text
from vidclass.config import RunConfig
from vidclass.data.manifest import Manifest
from vidclass.demo.clips import REVERSAL_PAIRS, make_demo_clips
from vidclass.evaluation.page import data_uri, render
from vidclass.features.extract import Extraction, extract
from vidclass.features.extractor import feature_extractor
from vidclass.inference.classifier import Classifier, Prediction
from vidclass.inference.draw import draw_gif
from vidclass.tasks.metrics import Metrics
from vidclass.tasks.single_label import SingleLabelTask
from vidclass.training.examples import load_examples
from vidclass.training.fit import fit_head
from vidclass.training.presets import run_config
from vidclass.training.run import divide, train
from vidclass.training.run_folder import RunResult
from vidclass.types import Progress

HEADS = {"mean": "mean over time + linear", "gru": "the Keras example's GRU"}
PAGE = "summary.html"
GIF = "prediction.gif"


SMALL = {"train_groups": 6, "test_groups": 4}


@dataclass(frozen=True)
class HeadResult:
    """Result of a head on the test clips, whose groups it was not trained on.

    Attributes:
        head: Name of the head.
        title: Description of the head.
        metrics: Metrics on all test clips.
        pairs_accuracy: Accuracy on the classes of `REVERSAL_PAIRS`.
    """

    head: str
    title: str
    metrics: Metrics
    pairs_accuracy: float


@dataclass(frozen=True)
class DemoResult:
    """Results of the demo and the files it wrote.

    Attributes:
        folder: Folder of the demo.
        run: Training run of the default head.
        heads: Results of the compared heads, the default last.
        prediction: Prediction of one test clip.
        label: True label of that clip.
        gif: Animation of the prediction.
        page: HTML summary.
        seconds: Duration of the whole demo.
    """

    folder: Path
    run: RunResult
    heads: list[HeadResult]
    prediction: Prediction
    label: str
    gif: Path
    page: Path
    seconds: float


def run_demo(
    folder: Path, *, seed: int, small: bool = False, say: Callable[[str], None], progress: Progress
) -> DemoResult:
    """Generate clips, train three heads, test them on unseen groups, predict and draw one clip.

    Args:
        folder: Folder of the demo; results of an earlier demo are replaced.
        seed: Seed of clips and training.
        small: Generate half of the groups.
        say: Callback; prints a line.
        progress: Callback; reports stages `clips`, `hash`, `extract` and `train`.

    Raises:
        RunError: `folder` holds something else.
    """
    started = time.monotonic()
    clips = folder / "clips"
    say(f"1. writing labelled videos into {clips}")
    make_demo_clips(
        clips,
        seed=seed,
        **(SMALL if small else {}),
        progress=lambda done, total: progress("clips", done, total),
    )
    manifest = Manifest.from_source(clips)
    say(f"2. {len(manifest)} clips, classes {', '.join(manifest.labels)}; training the default")
    config = run_config(training={"seed": seed})
    store = folder / "features"
    run = train(
        manifest, folder / "run", config, store_folder=store, overwrite=True, progress=progress
    )
    say("3. the same features, without a view of time, and with the Keras example's head")
    extraction = extract(manifest, feature_extractor(config.features, manifest), store_folder=store)
    heads = [
        _measure_head(head, title, extraction, config, progress) for head, title in HEADS.items()
    ]
    heads.append(_head_result(run.choices[0].name, "vidclass's default", run.metrics["test"]))
    say("4. predicting one test clip")
    prediction, label, gif = _predict_one(folder, run, manifest)
    result = DemoResult(
        folder, run, heads, prediction, label, gif, folder / PAGE, time.monotonic() - started
    )
    _write_page(result)
    return result


def _measure_head(
    head: str, title: str, extraction: Extraction, config: RunConfig, progress: Progress
) -> HeadResult:
    """Train a head on the clips that the default was trained on, and test it."""
    clips = divide(extraction.manifest, config.split, seed=config.training.seed)
    task = SingleLabelTask(tuple(clips.labels))
    data = load_examples(extraction, task, config.features.sampling.total_frames)
    splits = np.array(clips.table["split"].to_list())
    examples_by_split = {name: data.at(np.flatnonzero(splits == name)) for name in set(splits)}
    fitted = fit_head(
        head,
        examples_by_split["train"],
        run_config(head=head, training={"seed": config.training.seed}).training,
        task=task,
        validation=examples_by_split["validation"],
        progress=progress,
    )
    probabilities = fitted.probabilities(examples_by_split["test"])
    metrics = task.metrics(probabilities, examples_by_split["test"].targets)
    return _head_result(head, title, metrics)


def _head_result(head: str, title: str, metrics: Metrics) -> HeadResult:
    counts = np.array(metrics.confusion)
    rows = [metrics.labels.index(label) for pair in REVERSAL_PAIRS for label in pair]
    accuracy = counts[rows, rows].sum() / counts[rows].sum()
    return HeadResult(head, title, metrics, float(accuracy))


def _predict_one(folder: Path, run: RunResult, manifest: Manifest) -> tuple[Prediction, str, Path]:
    clips = manifest.where(split="test").clips()
    clip = next(clip for clip in clips if clip.label in REVERSAL_PAIRS[-1])
    prediction = Classifier.load(run.bundle).predict(clip.video)
    draw_gif(folder / GIF, prediction)
    return prediction, clip.label, folder / GIF


def _write_page(result: DemoResult) -> None:
    from vidclass.evaluation.figures import confusion_figure

    text = render(
        "demo.html",
        title="vidclass demo",
        result=result,
        pairs=[" and ".join(pair) for pair in REVERSAL_PAIRS],
        confusion=data_uri(confusion_figure(result.heads[-1].metrics)),
    )
    write_text(result.page, text)

"""Runs of every kind of labels, from a list to the answer, on tiny videos."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tiny_set import QUICK, QUICK_OPTIONS, write_clip, write_set
from vidclass.bundle.read import Bundle
from vidclass.cli.main import app
from vidclass.data.manifest import Manifest
from vidclass.errors import ConfigError, ManifestError
from vidclass.evaluation.evaluate import evaluate
from vidclass.inference.classifier import Classifier
from vidclass.tasks.hierarchy import HierarchyMetrics
from vidclass.tasks.multi_label import MultiLabelTask
from vidclass.tasks.multi_label_metrics import MultiLabelMetrics
from vidclass.tasks.single_label import SingleLabelTask
from vidclass.training.crossval import cross_validate
from vidclass.training.presets import run_config
from vidclass.training.run import train

Listed = Callable[..., Path]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("kinds") / "clips", groups=6)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture
def listed(clips: Path, tmp_path: Path) -> Listed:
    """Writes a list of the clips with other labels: by folder, and of every other group."""

    def write(by_class: dict[str, str], other: dict[str, str] | None = None) -> Path:
        path = tmp_path / "clips.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["video", "label", "group"])
            for video in sorted(clips.rglob("*.avi")):
                odd = int(video.stem.split("_g")[1][:2]) % 2
                labels = other if odd and other is not None else by_class
                writer.writerow([video, labels[video.parent.name], video.stem])
        return path

    return write


def config(**task: Any) -> Any:
    return run_config(
        features=QUICK,
        head="temporal",
        training={"epochs": 12, "learning_rate": 0.1},
        task=task or None,
    )


def run(*arguments: object, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(app, list(map(str, arguments)))
    if result.exit_code != exit_code:
        raise AssertionError(f"{result.exit_code}: {result.output}") from result.exception
    return result


@pytest.mark.slow
def test_several_labels_from_a_list_to_the_answer(
    listed: Listed, clips: Path, store: Path, tmp_path: Path
) -> None:
    source = listed({"dark": "night|noise", "light": "day|noise"})
    out, dark = tmp_path / "run", next(clips.glob("dark/*"))
    options = [*QUICK_OPTIONS, "--epochs", 12, "--store", store]
    done = run("train", source, "--out", out, *options)
    assert "note: a multi-label classifier: 12 of 12 clips have several labels" in done.stderr
    assert "test: mAP " in done.stdout
    assert "threshold" in done.stdout
    written = json.loads((out / "config.json").read_text())
    assert written["task"]["kind"] == "auto"  # it follows from the labels
    task = Bundle.load(out / "model.vidclass").task
    assert isinstance(task, MultiLabelTask)
    assert task.labels == ("day", "night", "noise")
    assert len(task.thresholds) == 3

    prediction = Classifier.load(out / "model.vidclass").predict(dark)
    values = prediction.to_json()
    assert values["labels"] == [
        label
        for label, score in prediction.scores.items()
        if score >= task.thresholds[task.labels.index(label)]
    ]
    assert set(values["labels"]) == {"night", "noise"}
    assert values["none_of_these"] is False
    assert sum(prediction.scores.values()) > 1.2  # each has a probability of its own
    shown = run("predict", out, dark).stdout.splitlines()
    assert shown[0] == f"{dark}: {', '.join(values['labels'])}"
    table = run("predict", out, dark, "--csv", "-").stdout
    row = next(csv.DictReader(io.StringIO(table)))
    assert row["labels"] == "|".join(values["labels"])
    assert row["none_of_these"] == "false"

    done = run("evaluate", out, source, "--store", store, "--json", "-",
               "--report", tmp_path / "page.html")  # fmt: skip
    measured = json.loads(done.stdout)
    assert measured["task"] == "multi-label"
    assert measured["mean_average_precision"] > 0.9
    assert "mean average precision" in (tmp_path / "page.html").read_text()
    done = run("evaluate", out, clips, "--store", store, exit_code=1)
    assert "does not know these labels: ['dark', 'light']" in done.stderr
    done = run("predict", out, dark, "--unknown", exit_code=2)
    assert "only single-label classifiers can have it, and this one is multi-label" in (done.stderr)


@pytest.mark.slow
def test_cross_validation_tells_average_precision_by_fold(
    listed: Listed, store: Path, tmp_path: Path
) -> None:
    source = listed({"dark": "night|noise", "light": "noise|day"})
    done = run("crossval", source, "--folds", 2, "--epochs", 6, *QUICK_OPTIONS, "--store", store,
               "--json", tmp_path / "folds.json")  # fmt: skip
    assert "mAP" in done.stdout
    assert "all folds together: mAP" in done.stdout
    assert "by fold" in done.stdout
    values = json.loads((tmp_path / "folds.json").read_text())
    each = [fold["mean_average_precision"] for fold in values["folds"]]
    assert values["mean_average_precision_mean"] == pytest.approx(sum(each) / 2)
    assert values["task"] == "multi-label"
    assert set(values["per_class"]) == {"day", "night", "noise"}


@pytest.mark.slow
def test_one_class_against_the_background(
    listed: Listed, clips: Path, store: Path, tmp_path: Path
) -> None:
    source = listed({"dark": "nothing", "light": "day"})
    manifest = Manifest.from_source(source)
    result = train(manifest, tmp_path / "run", config(none_label="nothing"), store_folder=store)
    classifier = Classifier.load(result.bundle)
    assert classifier.labels == ["day"]
    metrics = result.metrics["test"]
    assert isinstance(metrics, MultiLabelMetrics)
    assert metrics.none_of_these is not None
    assert metrics.none_of_these["recall"] == 1
    dark = next(clips.glob("dark/*"))
    prediction = classifier.predict(dark)
    assert (prediction.label, prediction.probability) == (None, prediction.scores["day"])
    assert prediction.to_json()["none_of_these"] is True
    assert classifier.predict(next(clips.glob("light/*"))).label == "day"
    assert run("predict", result.bundle, dark).stdout.splitlines()[0] == f"{dark}: none of these"
    run("predict", result.bundle, dark, "--gif", tmp_path / "a.gif")
    assert (tmp_path / "a.gif").exists()
    again = evaluate(classifier.bundle, manifest, store_folder=store)
    assert again.metrics.to_json()["none_of_these"]["videos"] == 6


@pytest.mark.slow
def test_a_hierarchy_with_clips_known_by_their_parent(
    listed: Listed, clips: Path, store: Path, tmp_path: Path
) -> None:
    source = listed({"dark": "time/night", "light": "time/day"}, {"dark": "time", "light": "time"})
    manifest = Manifest.from_source(source)
    result = train(manifest, tmp_path / "run", config(kind="hierarchy"), store_folder=store)
    assert any(note.endswith("6 clips labelled with a parent only") for note in result.notes)
    metrics = result.metrics["test"]
    assert isinstance(metrics, HierarchyMetrics)
    assert metrics.levels[0]["accuracy"] == 1.0
    assert metrics.levels[0]["videos"] > metrics.videos
    dark = next(clips.glob("dark/*"))
    values = Classifier.load(result.bundle).predict(dark).to_json()
    assert values["label"] == "time/night"
    assert [row["label"] for row in values["levels"]] == ["time", "time/night"]
    assert values["levels"][0]["probability"] == pytest.approx(1.0)
    shown = run("predict", result.bundle, dark).stdout.splitlines()[0]
    assert shown.startswith(f"{dark}: time (100.0 %), time/night (")
    table = run("predict", result.bundle, dark, "--csv", "-").stdout
    row = next(csv.DictReader(io.StringIO(table)))
    assert (row["level_1"], row["level_2"]) == ("time", "time/night")
    done = run("evaluate", result.bundle, source, "--store", store, "--report", tmp_path / "a.html")
    assert "level 1: accuracy 100.0 %" in done.stdout
    assert "level 1: accuracy 100.0 %" in (tmp_path / "a.html").read_text()


@pytest.mark.slow
def test_unknown_clips_from_training_to_measuring(clips: Path, store: Path, tmp_path: Path) -> None:
    grey = tmp_path / "other" / "grey"
    for seed in range(2):
        write_clip(grey / f"v_grey_g{seed:02}_c01.avi", "dark", 500 + seed)
    out = tmp_path / "run"
    options = [*QUICK_OPTIONS, "--epochs", 12, "--store", store]
    done = run("train", clips, "--out", out, "--unknown", *options)
    assert "test: accuracy" in done.stdout
    assert "  unknown below " in done.stdout
    bundle = Bundle.load(out / "model.vidclass")
    task = bundle.task
    assert isinstance(task, SingleLabelTask)
    assert task.unknown_below is not None
    assert json.loads((out / "config.json").read_text())["task"]["unknown"] is True
    assert "rejection" in json.loads((out / "metrics.json").read_text())["test"]

    plain = Classifier(bundle).predict(next(clips.glob("dark/*"))).to_json()
    assert "unknown" not in plain
    rejecting = Classifier(bundle, unknown=True).predict(next(clips.glob("dark/*"))).to_json()
    accepted = plain["probability"] >= task.unknown_below
    assert rejecting["unknown"] is not accepted
    assert rejecting["label"] == (plain["label"] if accepted else None)
    table = run("predict", out, next(clips.glob("dark/*")), "--unknown", "--csv", "-").stdout
    assert next(csv.DictReader(io.StringIO(table)))["unknown"] == str(not accepted).lower()

    with pytest.raises(ManifestError, match=r"no clip that could be read is of a known class"):
        evaluate(bundle, Manifest.from_source(tmp_path / "other"), store_folder=store, unknown=True)
    (tmp_path / "other" / "dark").symlink_to(clips / "dark")
    with pytest.raises(ManifestError, match=r"does not know these labels: \['grey'\]"):
        evaluate(bundle, Manifest.from_source(tmp_path / "other"), store_folder=store)
    done = run("evaluate", out, tmp_path / "other", "--unknown", "--store", store,
               "--report", tmp_path / "page.html")  # fmt: skip
    assert " of 2 refused; AUROC of the highest probability " in done.stdout
    assert "of 2 refused; AUROC" in (tmp_path / "page.html").read_text()


@pytest.mark.slow
def test_folds_have_thresholds_for_unknown_clips_of_their_own(clips: Path, store: Path) -> None:
    manifest = Manifest.from_source(clips)
    asked = config(unknown=True, unknown_precision=0.5)
    values = cross_validate(manifest, asked, folds=2, store_folder=store).to_json()
    assert values["rejection"]["unknown_below"] is None
    assert all(fold["rejection"]["unknown_below"] > 0 for fold in values["folds"])
    assert "task" not in values
    assert values["config"]["task"]["unknown_precision"] == 0.5
    plain = cross_validate(manifest, config(), folds=2, store_folder=store).to_json()
    assert set(plain) == {
        "schema", "accuracy_mean", "accuracy_std", "folds", "head", "backbone", "seed", "videos",
        "failed", "failed_by_class", "macro_f1", "labels", "confusion", "config",
    }  # fmt: skip
    assert set(plain["folds"][0]) == {"fold", "accuracy", "videos"}


def test_a_bundle_without_a_threshold_has_no_unknown(tiny_run: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=r"has no probability below which a clip is unknown: train it with unknown=True",
    ):
        Classifier.load(tiny_run / "model.vidclass", unknown=True)


def test_heads_are_refused_before_the_work(listed: Listed, tmp_path: Path) -> None:
    source = listed({"dark": "night|noise", "light": "day|noise"})
    done = run("train", source, "--out", tmp_path / "run", "--head", "rolling_average", exit_code=2)
    assert "shares out one probability among all classes" in done.stderr
    assert not (tmp_path / "run").exists()
    done = run("crossval", source, "--hierarchy", "--multi-label", exit_code=2)
    assert "--hierarchy and --multi-label" in done.stderr

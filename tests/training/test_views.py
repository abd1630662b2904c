"""Several heads, views and mirror images: one bundle answers with their mean."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tiny_set import QUICK
from vidclass.bundle.read import Bundle
from vidclass.config import RunConfig
from vidclass.data.manifest import Manifest
from vidclass.errors import BundleError, ConfigError, ShapeError
from vidclass.evaluation.evaluate import evaluate
from vidclass.features.decoding import decode_for, pad_clips
from vidclass.heads.registry import load_head
from vidclass.inference.classifier import Classifier
from vidclass.training import run_folder as names
from vidclass.training.presets import run_config
from vidclass.training.run import train
from vidclass.training.run_folder import RunResult
from vidclass.training.views import swapped_classes
from vidclass.types import ClipFeatures, Span


def config() -> RunConfig:
    """Two views that differ in their number of frames, each with its mirror image."""
    one = run_config(
        features=QUICK, head="auto(mean, temporal)", flip=True, swap_labels={"dark": "light"}
    )
    other = run_config(features=QUICK | {"frames": 3}).features
    return one.model_copy(update={"more": (other,)})


@pytest.fixture(scope="module")
def result(tiny_set: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    folder = tmp_path_factory.mktemp("views")
    return train(Manifest.from_source(tiny_set), folder / "run", config())


@pytest.fixture(scope="module")
def bundle(result: RunResult) -> Bundle:
    return Bundle.load(result.bundle)


@pytest.mark.slow
def test_a_run_of_two_views_leaves_two_heads(result: RunResult, bundle: Bundle) -> None:
    folder = result.folder
    views = json.loads((folder / names.CHOICES).read_text())["views"]
    assert [view["heads"] for view in views] == [list(choice.heads) for choice in result.choices]
    facts = json.loads((folder / names.COMPLETE).read_text())
    assert facts["heads"] == [choice.name for choice in result.choices]
    heads = [head for choice in result.choices for head in choice.heads]
    assert [member.info.head for member in bundle.ensemble] == [
        head for head in heads for _ in range(2)
    ]
    for index in range(len(heads)):
        # Logistic regressions have no epochs to draw.
        for name in (names.HEAD_WEIGHTS, names.HISTORY):
            assert (folder / names.numbered(name, index)).is_file()
    mirrored = [member.info.features.geometry.mirror for member in bundle.ensemble]
    assert mirrored == [False, True] * len(heads)
    assert {member.info.swap for member in bundle.ensemble} == {(), (1, 0)}


@pytest.mark.slow
def test_networks_that_are_the_same_are_kept_once(result: RunResult) -> None:
    with zipfile.ZipFile(result.bundle) as archive:
        held = archive.namelist()
    assert sum(name.endswith("backbone.bin") for name in held) == 1
    heads = sum(len(choice.heads) for choice in result.choices)
    assert sum(name.endswith("head.bin") for name in held) == heads


@pytest.mark.slow
def test_the_answer_is_the_mean_over_heads_views_and_mirror_images(
    result: RunResult, bundle: Bundle, tiny_set: Path
) -> None:
    video = sorted(tiny_set.rglob("*.avi"))[0]
    probabilities = []
    for index, member in enumerate(bundle.ensemble):
        info = member.info
        frames = decode_for(info.features, video, Span())
        features = member.extractor().open().network.run(frames=frames.frames)
        weights = result.folder / names.numbered(names.HEAD_WEIGHTS, index // 2)
        clip = ClipFeatures(features.astype(np.float16), frames.timestamps_s)
        values, mask = pad_clips([clip], info.frames)
        head = load_head(info.head, info.frames, info.width, 2, str(weights))
        logits = np.asarray(head.predict({"features": values, "mask": mask}, verbose=0))[0]
        exps = np.exp(logits - logits.max())
        # What its mirror image says of light, the clip says of dark.
        probabilities.append((exps / exps.sum())[::-1] if info.swap else exps / exps.sum())
    scores = Classifier.load(result.bundle).predict(video).scores
    np.testing.assert_allclose(
        [scores["dark"], scores["light"]], np.mean(probabilities, 0), atol=1e-4
    )


@pytest.mark.slow
def test_many_videos_bad_ones_among_them(result: RunResult, tiny_set: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.avi"
    bad.write_bytes(b"")
    videos = sorted(tiny_set.rglob("*.avi"))
    order = [*videos[:5], bad, *videos[5:], bad]  # more than the networks take at a turn
    classifier = Classifier.load(result.bundle)
    predictions = list(classifier.predict_each(order))
    assert [item.video for item in predictions] == list(map(str, order))
    assert [item.error is None for item in predictions] == [path != bad for path in order]
    assert predictions[0].frames_used == 5
    assert predictions[7].scores == pytest.approx(classifier.predict(order[7]).scores, abs=1e-6)


@pytest.mark.slow
def test_evaluation_is_that_of_the_run(result: RunResult, bundle: Bundle) -> None:
    split = Manifest.from_source(result.folder / names.SPLIT).where(split="test")
    evaluation = evaluate(bundle, split)
    assert evaluation.metrics.to_json() == result.metrics["test"].to_json()


@pytest.mark.slow
def test_features_for_every_member_are_needed(bundle: Bundle) -> None:
    clip = ClipFeatures(np.zeros((5, 1280), np.float16), np.arange(5.0))
    with pytest.raises(ShapeError, match=r"features for 1 heads, but .* has 4"):
        bundle.probabilities([clip])


@pytest.mark.slow
def test_a_wrong_order_of_scores_is_refused(result: RunResult, tmp_path: Path) -> None:
    with zipfile.ZipFile(result.bundle) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    info = json.loads(parts["bundle.json"])
    info["ensemble"][1]["swap"] = [0, 0]
    parts["bundle.json"] = json.dumps(info).encode()
    with zipfile.ZipFile(tmp_path / "x.vidclass", "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    with pytest.raises(BundleError, match=r"swap=\(0, 0\) is no permutation of its labels"):
        Bundle.load(tmp_path / "x.vidclass")


@pytest.mark.parametrize(
    ("swap", "expected"),
    [
        ({}, [0, 1, 2, 3]),
        ({"left": "right"}, [1, 0, 2, 3]),
        ({"left": "right", "up": "wave"}, [1, 0, 3, 2]),
    ],
)
def test_swapped_classes(swap: dict[str, str], expected: list[int]) -> None:
    assert swapped_classes(["left", "right", "up", "wave"], swap).tolist() == expected


def test_a_label_to_swap_must_exist() -> None:
    with pytest.raises(ConfigError, match=r"label in swap_labels='rigth' .*Did you mean 'right'"):
        swapped_classes(["left", "right", "wave"], {"left": "rigth"})

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from vidclass.bundle import format as names
from vidclass.bundle.read import Bundle
from vidclass.bundle.write import TrainedHead, write_bundle
from vidclass.config import FeatureConfig
from vidclass.data.manifest import Manifest
from vidclass.errors import BundleError, RuntimeRouteError, WeightsError
from vidclass.evaluation.evaluate import evaluate
from vidclass.features import extractor
from vidclass.features.decoding import pad_clips
from vidclass.features.extractor import feature_extractor
from vidclass.heads.registry import load_head
from vidclass.inference.classifier import Classifier
from vidclass.tasks.activations import softmax
from vidclass.tasks.single_label import SingleLabelTask
from vidclass.types import ClipFeatures

TASK = SingleLabelTask(("a", "b"))
Change = Callable[[dict[str, bytes]], None]


@pytest.fixture(scope="module")
def bundle_file(tiny_run: Path) -> Path:
    return tiny_run / "model.vidclass"


@pytest.fixture(scope="module")
def parts(bundle_file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(bundle_file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path: Path, parts: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


def clips_of(lengths: list[int]) -> list[ClipFeatures]:
    rng = np.random.default_rng(3)
    return [
        ClipFeatures(rng.normal(0, 1, (n, 1280)).astype(np.float16), np.arange(float(n)))
        for n in lengths
    ]


@pytest.mark.slow
def test_a_bundle_says_what_the_keras_head_says(bundle_file: Path, tiny_run: Path) -> None:
    bundle = Bundle.load(bundle_file)
    clips = clips_of([1, 5, 3, 9])
    features, mask = pad_clips(clips, 5)
    model = load_head("temporal", 5, 1280, 2, str(tiny_run / "head.weights.h5"))
    expected = softmax(np.asarray(model.predict({"features": features, "mask": mask}, verbose=0)))
    np.testing.assert_allclose(bundle.probabilities(clips), expected, atol=1e-4)


@pytest.mark.slow
def test_clips_go_through_the_head_in_batches(
    bundle_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, clips = Bundle.load(bundle_file), clips_of([1, 2, 3, 4, 5])
    together = bundle.probabilities(clips)
    monkeypatch.setattr("vidclass.bundle.read.BATCH_CLIPS", 2)
    np.testing.assert_allclose(bundle.probabilities(clips), together, atol=1e-6)


@pytest.mark.slow
def test_what_a_bundle_holds(bundle_file: Path, parts: dict[str, bytes]) -> None:
    assert set(parts) == {
        names.INFO, names.HEAD_XML, names.HEAD_BIN, names.HEAD_WEIGHTS, names.BACKBONE_XML,
        names.BACKBONE_BIN,
    }  # fmt: skip
    info = Bundle.load(bundle_file).info
    assert set(info.sha256) == set(parts) - {names.INFO}
    assert (info.schema_version, info.first.route, info.first.width, info.first.frames) == (
        2,
        "openvino",
        1280,
        5,
    )
    assert set(info.versions) == {"vidclass", "keras", "openvino", "av"}


def _drop(name: str) -> Change:
    return lambda parts: parts.pop(name) and None


def _set(**values: object) -> Change:
    def change(parts: dict[str, bytes]) -> None:
        parts[names.INFO] = json.dumps(json.loads(parts[names.INFO]) | values).encode()

    return change


def _replace(name: str, data: bytes) -> Change:
    return lambda parts: parts.update({name: data})


def _forget(name: str) -> Change:
    """Take a part out of the archive and out of the list of parts."""

    def change(parts: dict[str, bytes]) -> None:
        del parts[name]
        info = json.loads(parts[names.INFO])
        del info["sha256"][name]
        parts[names.INFO] = json.dumps(info).encode()

    return change


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_drop(names.HEAD_BIN), r"is not a whole bundle: .*no item named 'head\.bin'"),
        (_drop(names.INFO), r"is not a whole bundle: .*no item named 'bundle\.json'"),
        (_replace(names.HEAD_BIN, b"other"), r"its file 'head\.bin' is damaged: copy the bundle"),
        (_set(schema_version=1), "of another version of vidclass: schema_version=1, this one re"),
        (_set(surprise=1), "the description inside is damaged: surprise=1: Extra inputs"),
        (_replace(names.INFO, b"{"), "description inside is damaged.*Invalid JSON"),
        (_forget(names.HEAD_XML), r"lists no file 'head\.xml'"),
        (_forget(names.BACKBONE_BIN), r"lists no file 'backbone\.bin'"),
    ],
)
def test_a_damaged_bundle_is_refused(
    parts: dict[str, bytes], tmp_path: Path, change: Change, message: str
) -> None:
    changed = dict(parts)
    change(changed)
    with pytest.raises(BundleError, match=message):
        Bundle.load(packed(tmp_path / "x.vidclass", changed))


@pytest.mark.slow
def test_what_is_no_bundle_is_refused(bundle_file: Path, tiny_run: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"missing\.vidclass: there is no such bundle"):
        Bundle.load(tmp_path / "missing.vidclass")
    with pytest.raises(BundleError, match=r"is a folder: .*the bundle of a run .*model\.vidclass"):
        Bundle.load(tiny_run)
    (tmp_path / "x.vidclass").write_bytes(b"not a zip")
    with pytest.raises(BundleError, match="is not a whole bundle: File is not a zip file"):
        Bundle.load(tmp_path / "x.vidclass")
    whole = bundle_file.read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "x.vidclass").write_bytes(whole[:size])
        with pytest.raises(BundleError, match="is not a whole bundle"):
            Bundle.load(tmp_path / "x.vidclass")


DIGITS = b"0123456789" * 20


@pytest.mark.slow
def test_every_flipped_bit_is_noticed_or_of_no_matter(tmp_path: Path) -> None:
    head = names.HeadInfo(
        features=FeatureConfig(), feature_fingerprint="f", head="mean", width=4, route="keras"
    )
    info = names.BundleInfo(
        task=TASK, ensemble=(head,), versions={}, data_fingerprint="d", trained_on=1,
        sha256={name: _sha(DIGITS) for name in (names.HEAD_XML, names.HEAD_BIN)},
    )  # fmt: skip
    parts = {names.INFO: info.model_dump_json().encode()}
    parts |= dict.fromkeys((names.HEAD_XML, names.HEAD_BIN), DIGITS)
    path = packed(tmp_path / "x.vidclass", parts)
    whole = path.read_bytes()
    for where in range(8 * len(whole)):
        data = bytearray(whole)
        data[where // 8] ^= 1 << where % 8
        path.write_bytes(data)
        with suppress(BundleError):  # any other error is a defect
            assert Bundle.load(path).info == info


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


LIGHT = """
import sys
from vidclass.inference.classifier import Classifier
prediction = Classifier.load(sys.argv[1]).predict(sys.argv[2])
heavy = {"keras", "jax", "tensorflow", "torch", "polars", "pyarrow", "lance", "sklearn", "scipy"}
loaded = heavy & sys.modules.keys()
print(prediction.label, sorted(loaded))
"""


@pytest.mark.slow
def test_predicting_loads_no_training_or_table_library(bundle_file: Path, tiny_set: Path) -> None:
    video = next((tiny_set / "light").iterdir())
    command = [sys.executable, "-c", LIGHT, str(bundle_file), str(video)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "light []\n"


@pytest.mark.slow
def test_python_and_evaluation_say_the_same(
    bundle_file: Path, tiny_set: Path, tmp_path: Path
) -> None:
    manifest = Manifest.from_source(tiny_set)
    result = evaluate(Bundle.load(bundle_file), manifest, store_folder=tmp_path)
    classifier = Classifier.load(bundle_file)
    for row, clip in enumerate(manifest.clips()):
        scores = classifier.predict(clip.video).scores
        alone = [scores[label] for label in classifier.labels]
        np.testing.assert_allclose(alone, result.probabilities[row], atol=1e-4)


@pytest.mark.slow
def test_a_bundle_is_replaced_only_by_a_whole_one(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.vidclass"
    path.write_bytes(b"old")
    extractor = Bundle.load(tiny_run / "model.vidclass").extractor()
    (tmp_path / "w.h5").write_bytes(b"no weights")
    member = TrainedHead("temporal", tmp_path / "w.h5", extractor)
    with pytest.raises(WeightsError, match=r"w\.h5 does not hold weights of the head temporal"):
        write_bundle(path, [member], task=TASK, data_fingerprint="d", trained_on=1)
    assert path.read_bytes() == b"old"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["w.h5", "x.vidclass"]


@pytest.mark.slow
def test_a_backbone_without_an_openvino_form_stays_outside(
    tiny_run: Path, tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(spec: object) -> object:
        raise RuntimeRouteError("it differs")

    monkeypatch.setattr(extractor, "ensure_ir", refuse)
    whole = Bundle.load(tiny_run / "model.vidclass")
    made = feature_extractor(whole.info.first.features)
    info = write_bundle(
        tmp_path / "x.vidclass",
        [TrainedHead("temporal", tiny_run / "head.weights.h5", made)],
        task=whole.task,
        data_fingerprint="d",
        trained_on=1,
    )
    assert info.first.route == "keras"
    assert names.BACKBONE_XML not in info.sha256
    video = next((tiny_set / "dark").iterdir())
    mine = Classifier.load(tmp_path / "x.vidclass").predict(video).scores
    assert mine == pytest.approx(Classifier(whole).predict(video).scores, abs=1e-4)

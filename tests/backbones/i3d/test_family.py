from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from made_checkpoints import write_checkpoint
from vidclass._core.files import sha256_of
from vidclass.backbones import get_backbone
from vidclass.backbones.i3d.family import (
    I3D,
    STREAMS,
    checkpoint_prefix,
    classifier_weights,
    fetch,
    kinetics_labels,
)
from vidclass.backbones.i3d.tf_checkpoint import read_index
from vidclass.bundle.read import Bundle
from vidclass.errors import ConfigError, WeightsError
from vidclass.inference.classifier import Classifier
from vidclass.inference.pretrained import pretrained_bundle

NAMES = """
import json, sys
from vidclass.backbones.i3d.network import build_i3d, checkpoint_names
shapes_by_scope = {}
for scope, channels in (("RGB", 3), ("Flow", 2)):
    model = build_i3d(frames=16, size=32, channels=channels, classes=400)
    names = checkpoint_names(model, scope)
    shapes_by_scope[scope] = {name: list(shape) for name, (_, shape) in names.items()}
json.dump(shapes_by_scope, sys.stdout)
"""


@pytest.fixture(scope="module")
def names() -> dict[str, dict[str, list[int]]]:
    """Return the shape of every variable by its checkpoint name, for both networks."""
    # NumPy draws initial weights at once, where JAX compiles a function for every shape.
    environment = os.environ | {"KERAS_BACKEND": "numpy"}
    done = subprocess.run(
        [sys.executable, "-c", NAMES], env=environment, check=True, capture_output=True, timeout=120
    )
    shapes: dict[str, dict[str, list[int]]] = json.loads(done.stdout)
    return shapes


@pytest.mark.slow
@pytest.mark.parametrize(("scope", "file"), [("RGB", "rgb"), ("Flow", "flow")])
def test_every_variable_of_the_published_checkpoints_is_assigned(
    names: dict[str, dict[str, list[int]]], shared: Path, scope: str, file: str
) -> None:
    index = shared / "reference" / "kinetics_i3d" / f"{file}_imagenet__model.ckpt.index"
    stream = STREAMS[f"i3d_{file}"]
    assert sha256_of(index) == stream.index_sha256
    entries = read_index(index)
    assert {name: list(entry.shape) for name, entry in entries.items()} == names[scope]
    assert max(entry.offset + entry.size for entry in entries.values()) == stream.data_bytes


@pytest.mark.slow
def test_the_networks_differ_only_in_their_first_layer(
    names: dict[str, dict[str, list[int]]],
) -> None:
    rgb, flow = ({name.split("/", 1)[1]: shape for name, shape in names[s].items()} for s in names)
    first = "inception_i3d/Conv3d_1a_7x7/conv_3d/w"
    assert (rgb.pop(first), flow.pop(first)) == ([7, 7, 7, 3, 64], [7, 7, 7, 2, 64])
    assert rgb == flow
    for name, shapes in (("i3d_rgb", names["RGB"]), ("i3d_flow", names["Flow"])):
        without = [shape for key, shape in shapes.items() if "/Logits/" not in key]
        assert sum(int(np.prod(shape)) for shape in without) == STREAMS[name].parameters


def test_the_labels_are_those_of_kinetics(shared: Path) -> None:
    labels = kinetics_labels()
    assert (len(labels), len(set(labels)), labels[0]) == (400, 400, "abseiling")
    text = (shared / "reference" / "kinetics_i3d" / "label_map.txt").read_text()
    assert labels == text.split("\n")[:400]


ASSIGN = """
import sys
from pathlib import Path
import numpy as np
from vidclass.backbones.i3d.network import assign_checkpoint, build_i3d, checkpoint_names
from vidclass.errors import WeightsError
model = build_i3d(frames=9, size=32, channels=2, classes=5)
rng = np.random.default_rng(0)
tensors = {
    name: rng.normal(size=shape).astype("float32")
    for name, (_, shape) in checkpoint_names(model, "Flow").items()
}
assign_checkpoint(model, tensors, "Flow")
for name, (weight, shape) in checkpoint_names(model, "Flow").items():
    assert (np.reshape(np.asarray(weight), shape) == tensors[name]).all(), name
for change, words in (("drop", "has no tensor"), ("cut", "expected shape (64,), received: (63,)")):
    broken = dict(tensors)
    name = "Flow/inception_i3d/Conv3d_1a_7x7/batch_norm/beta"
    value = broken.pop(name)
    if change == "cut":
        broken[name] = value[:-1]
    try:
        assign_checkpoint(model, broken, "Flow")
    except WeightsError as error:
        assert name in str(error) and words in str(error), error
    else:
        raise SystemExit("nothing was refused")
"""


@pytest.mark.slow
def test_tensors_are_assigned_to_their_variables() -> None:
    environment = os.environ | {"KERAS_BACKEND": "numpy"}
    subprocess.run([sys.executable, "-c", ASSIGN], env=environment, check=True, timeout=120)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Serve a folder with a small checkpoint at the address of the weights."""
    folder = tmp_path / "served"
    (folder / "rgb_imagenet").mkdir(parents=True)
    layer = "RGB/inception_i3d/Logits/Conv3d_0c_1x1/conv_3d"
    rng = np.random.default_rng(0)
    tensors = {
        f"{layer}/w": rng.normal(size=(1, 1, 1, 1024, 400)).astype(np.float32),
        f"{layer}/b": rng.normal(size=400).astype(np.float32),
    }
    prefix = write_checkpoint(folder / "rgb_imagenet" / "model.ckpt", tensors)
    index = prefix.with_name("model.ckpt.index")
    data = next(prefix.parent.glob("*.data-*"))
    stream = STREAMS["i3d_rgb"].__class__(
        "RGB", 3, "rgb_imagenet", sha256_of(index), data.stat().st_size, 1
    )
    monkeypatch.setitem(STREAMS, "i3d_rgb", stream)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("VIDCLASS_I3D_ADDRESS", address)
    monkeypatch.setenv("VIDCLASS_CACHE", str(tmp_path / "cache"))
    yield folder
    server.shutdown()
    server.server_close()


def test_the_weights_are_fetched_once_and_checked(served: Path) -> None:
    assert I3D().weights_state("i3d_rgb") == "to be fetched"
    kernel, bias = classifier_weights("i3d_rgb")
    assert (kernel.shape, bias.shape) == ((1024, 400), (400,))
    assert I3D().weights_state("i3d_rgb") == "at hand"
    assert I3D().weights_id("i3d_rgb", "pretrained").endswith(STREAMS["i3d_rgb"].index_sha256)
    for file in (served / "rgb_imagenet").iterdir():
        file.unlink()
    assert fetch("i3d_rgb") == checkpoint_prefix("i3d_rgb")  # without the server
    prefix = str(checkpoint_prefix("i3d_rgb"))
    np.testing.assert_array_equal(classifier_weights("i3d_rgb", prefix)[0], kernel)
    assert I3D().weights_id("i3d_rgb", prefix) == I3D().weights_id("i3d_rgb", "pretrained")


def test_an_index_of_other_bytes_is_refused(served: Path) -> None:
    (served / "rgb_imagenet" / "model.ckpt.index").write_bytes(b"other")
    with pytest.raises(WeightsError, match="the weights of i3d_rgb are not on this machine and"):
        fetch("i3d_rgb")


def test_without_a_network_the_error_says_what_to_download(
    served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDCLASS_I3D_ADDRESS", "http://127.0.0.1:9")
    monkeypatch.setattr("vidclass.datasets.download.BACKOFF_S", 0.0)
    with pytest.raises(WeightsError) as caught:
        fetch("i3d_rgb")
    text = str(caught.value)
    assert "Where there is a network, download http://127.0.0.1:9/rgb_imagenet/model" in text
    assert text.endswith(f"and put both into {checkpoint_prefix('i3d_rgb').parent}")


def test_i3d_is_a_backbone_for_windows() -> None:
    backbone = get_backbone("i3d_rgb")
    assert (backbone.window, backbone.width, backbone.size) == (64, 1024, 224)
    with pytest.raises(ConfigError, match="backbone='i3d_flow' is not one of"):
        get_backbone("i3d_flow")


@pytest.mark.slow
def test_a_published_classifier_is_an_ordinary_bundle(tmp_path: Path, tiny_set: Path) -> None:
    path = pretrained_bundle("i3d-kinetics400", weights="random", size=32)
    assert pretrained_bundle("i3d-kinetics400", weights="random", size=32) == path
    bundle = Bundle.load(path)
    assert bundle.labels == kinetics_labels()
    assert (bundle.info.first.window, bundle.info.first.frames) == (64, 8)
    features = bundle.info.first.features
    sampling, geometry = features.sampling, features.geometry
    assert (sampling.policy, sampling.stride_s, geometry.short_side) == ("stride", 0.04, 36)
    prediction = Classifier(bundle).predict(next(tiny_set.rglob("*.avi")))
    assert len(prediction.scores) == 400
    assert sum(prediction.scores.values()) == pytest.approx(1)


def test_another_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="model='i3d-kinetics600' is not one of .*Did you mean"):
        pretrained_bundle("i3d-kinetics600")

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tiny_set import scene
from vidclass.errors import ConfigError, VideoError
from vidclass.inference.classifier import Classifier, Prediction, predictions_json
from vidclass.inference.draw import draw_gif
from vidclass.types import FrameBatch, Span
from vidclass.video.write import write_video

pytestmark = pytest.mark.slow  # the first test trains


@pytest.fixture(scope="module")
def classifier(tiny_run: Path) -> Classifier:
    return Classifier.load(tiny_run / "model.vidclass")


@pytest.fixture(scope="module")
def videos(tiny_set: Path) -> list[Path]:
    return sorted(tiny_set.rglob("*.avi"))


def test_one_video(classifier: Classifier, videos: list[Path]) -> None:
    prediction = classifier.predict(videos[0])
    assert classifier.labels == ["dark", "light"]
    assert (prediction.video, prediction.label) == (str(videos[0]), "dark")
    scores = list(prediction.scores.values())
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1)
    assert prediction.probability == scores[0] > 0.6
    assert prediction.frames_used == 5
    assert prediction.frames is not None
    assert prediction.frames.frames.shape == (5, 32, 32, 3)
    assert prediction.to_json() == {
        "video": str(videos[0]),
        "label": "dark",
        "probability": scores[0],
        "scores": prediction.scores,
        "frames_used": 5,
        "error": None,
    }


def test_a_folder_of_pictures_is_named_as_one_video(classifier: Classifier, tmp_path: Path) -> None:
    for number, picture in enumerate(scene("light", 3, frames=12), 1):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    prediction = classifier.predict(tmp_path, fps=6.0)
    assert prediction.label == "light"
    assert prediction.frames is not None
    assert prediction.frames.timestamps_s.max() == pytest.approx(10 / 6)
    [without] = classifier.predict_each([tmp_path])
    assert "without a frame rate" in str(without.error)


def test_a_span_is_named_for_itself(classifier: Classifier, tmp_path: Path) -> None:
    path = tmp_path / "both.avi"
    write_video(path, scene("dark", 1, frames=10) + scene("light", 2, frames=10), fps=10)
    assert classifier.predict(path, span=Span(0, 1)).label == "dark"
    late = classifier.predict(path, span=Span(1))
    assert late.label == "light"
    assert late.frames is not None
    assert late.frames.timestamps_s.min() >= 1


def test_a_video_that_cannot_be_read(
    classifier: Classifier, videos: list[Path], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.avi"
    bad.write_bytes(b"")
    with pytest.raises(VideoError, match=r"bad\.avi: the file is empty"):
        classifier.predict(bad)
    order = [videos[0], bad, videos[-1], tmp_path / "none.avi", videos[1]]
    predictions = list(classifier.predict_each(order))
    assert [item.video for item in predictions] == list(map(str, order))
    assert [item.label for item in predictions] == ["dark", None, "light", None, "dark"]
    value = predictions_json(predictions)
    assert value["schema"] == 1
    assert json.loads(json.dumps(value)) == value
    assert value["predictions"][1] == {
        "video": str(bad),
        "label": None,
        "probability": None,
        "scores": {},
        "frames_used": 0,
        "error": {"type": "VideoError", "message": str(predictions[1].error)},
    }
    for one, item in zip(order, predictions, strict=True):
        if item.error is None:
            assert item.scores == pytest.approx(classifier.predict(one).scores, abs=1e-6)


def test_many_videos_can_be_left_half_way(classifier: Classifier, videos: list[Path]) -> None:
    each = classifier.predict_each(videos * 3)
    assert next(each).label == "dark"
    each.close()


@pytest.fixture
def three() -> Prediction:
    frames = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3)).astype(np.uint8)
    batch = FrameBatch(frames, np.arange(3.0))
    return Prediction("x.avi", {"<b>ä": 0.7, "b": 0.2, "c": 0.1, "d": 0.0}, 3, batch)


def test_a_gif_has_every_frame(three: Prediction, tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.gif"
    draw_gif(path, three)
    with Image.open(path) as image:
        assert (image.format, image.n_frames) == ("GIF", 3)


def test_a_failure_has_no_gif(tmp_path: Path) -> None:
    draw_gif(tmp_path / "x.gif", Prediction("x", {}, error=VideoError("x", "it is empty")))
    assert list(tmp_path.iterdir()) == []


def test_a_gif_that_cannot_be_written_is_said(
    three: Prediction, tmp_path: Path, tiny_video: Callable[..., Path]
) -> None:
    with pytest.raises(ConfigError, match=r"cannot write .*tiny\.avi/x\.gif: "):
        draw_gif(tiny_video() / "x.gif", three)

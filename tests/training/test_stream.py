"""Training on clips that are read as it goes: the same numbers as in memory, up to their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pytest

from vidclass.config import TrainingConfig
from vidclass.data.manifest import Manifest
from vidclass.data.rows import Rows
from vidclass.errors import ShapeError
from vidclass.features.extract import Extraction
from vidclass.features.store.store import FeatureStore
from vidclass.features.store.stored_clips import MEMORY_VARIABLE, StoredClips
from vidclass.tasks.single_label import SingleLabelTask
from vidclass.training import batches as module
from vidclass.training import fit as fit_module
from vidclass.training.batches import Batches
from vidclass.training.examples import (
    AnyExamples,
    Examples,
    StoredExamples,
    in_memory,
    joined,
    load_examples,
    sample,
)
from vidclass.training.fit import FittedHead, fit_head
from vidclass.types import ClipFeatures

T, D, K = 5, 8, 3
TASK = SingleLabelTask(("a", "b", "c"))


def clips(count: int, seed: int = 0) -> tuple[dict[str, ClipFeatures], np.ndarray[Any, Any]]:
    """Clips of one to T frames that point to their class."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, K, count)
    features = {}
    for row, klass in enumerate(targets):
        values = rng.normal(0, 0.4, (1 + row % T, D))
        values[:, klass] += 1
        features[f"{seed}-{row}"] = ClipFeatures(
            values.astype(np.float16), np.arange(len(values)) / 9
        )
    return features, targets


class Kept:
    """A store in memory."""

    def __init__(self, features: dict[str, ClipFeatures]) -> None:
        self.features = features

    def read(self, keys: Sequence[str]) -> dict[str, ClipFeatures]:
        return {key: self.features[key] for key in keys}


def stored(count: int, seed: int = 0) -> StoredExamples:
    features, targets = clips(count, seed)
    return StoredExamples(StoredClips(Kept(features), list(features)), T, targets)


def both(count: int, seed: int = 0) -> tuple[Examples, StoredExamples]:
    data = stored(count, seed)
    return data.read(np.arange(count)), data


def parts() -> tuple[Examples, StoredExamples, Examples, StoredExamples]:
    """53 clips to learn from and 22 to validate on, in memory and stored."""
    memory, store = both(75)
    first, last = np.arange(53), np.arange(53, 75)
    return memory.at(first), store.at(first), memory.at(last), store.at(last)


def fit(training: Any, validation: Any = None, head: str = "temporal", **changes: Any) -> Any:
    quick: dict[str, Any] = {"epochs": 4, "learning_rate": 0.02, "batch_size": 16}
    config = TrainingConfig(**quick | changes)
    return fit_head(head, training, config, task=TASK, validation=validation)


def same(mine: FittedHead, theirs: FittedHead, data: Examples, atol: float = 2e-5) -> None:
    assert mine.best_epoch == theirs.best_epoch
    assert len(mine.history) == len(theirs.history)
    for one, other in zip(mine.history, theirs.history, strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    np.testing.assert_allclose(mine.probabilities(data), theirs.probabilities(data), atol=atol)


@pytest.fixture
def unshuffled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let both ways see the clips in their order."""
    original = keras.Model.fit
    monkeypatch.setattr(
        keras.Model, "fit", lambda self, **rest: original(self, **rest | {"shuffle": False})
    )
    monkeypatch.setattr(Batches, "draw_order", lambda self: np.arange(len(self._data)))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {
            "loss": "focal",
            "label_smoothing": 0.1,
            "ema": 0.8,
            "monitor": "macro_f1",
            "patience": 2,
            "refit": False,
        },
    ],
)
def test_unshuffled_it_is_training_in_memory(unshuffled: None, settings: dict[str, Any]) -> None:
    memory, store, held, held_store = parts()
    mine, theirs = fit(store, held_store, **settings), fit(memory, held, **settings)
    same(mine, theirs, held)
    np.testing.assert_allclose(
        mine.probabilities(held_store), theirs.probabilities(held), atol=2e-5
    )
    for one, other in zip(mine.validation, theirs.validation, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


def test_unbalanced_classes_are_weighed_alike(unshuffled: None) -> None:
    memory, store = both(53)
    rows = np.concatenate(
        [np.flatnonzero(memory.targets == 0), np.flatnonzero(memory.targets > 0)[:9]]
    )
    same(fit(store.at(rows)), fit(memory.at(rows)), memory)


def test_shuffled_it_does_not_depend_on_where_the_clips_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where a change is asked for, clips in memory go the same way as stored ones."""
    memory, store = both(53)
    settings = {"augment": {"mixup": 0.3, "frame_drop": 0.3, "jitter": 0.2}}
    same(fit(store, **settings), fit(memory, **settings), memory, atol=1e-6)
    first = fit(store).probabilities(memory)
    np.testing.assert_array_equal(first, fit(store).probabilities(memory))
    monkeypatch.setattr(module, "WINDOW_BYTES", 1)  # a window for each batch
    np.testing.assert_array_equal(first, fit(store).probabilities(memory))


def tell(part: Examples, rng: np.random.Generator) -> tuple[Any, ...]:
    return (part.features, part.targets, float(rng.random()))


def epoch(batches: Batches) -> list[tuple[Any, ...]]:
    batches.on_epoch_begin()
    return [batches[index] for index in range(batches.num_batches)]


@pytest.mark.parametrize("window", [1, 3 * 8 * T * D * 4, 1 << 30])
def test_an_epoch_has_each_clip_once_in_another_order(
    monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    monkeypatch.setattr(module, "WINDOW_BYTES", window)
    memory, store = both(53)
    seen = []
    for data in (memory, store):
        batches = Batches(data, tell, batch_size=8, seed=4)
        assert batches.num_batches == 7
        for _ in range(2):
            batches_of_epoch = epoch(batches)
            assert [len(batch[1]) for batch in batches_of_epoch] == [8] * 6 + [5]
            assert len({batch[2] for batch in batches_of_epoch}) == 7
            seen.append(np.concatenate([batch[0] for batch in batches_of_epoch]))
    for features in seen:
        np.testing.assert_array_equal(np.sort(features[:, 0, 0]), np.sort(memory.features[:, 0, 0]))
    assert (seen[0] != seen[1]).any()
    np.testing.assert_array_equal(seen[0], seen[2])
    np.testing.assert_array_equal(seen[1], seen[3])
    ordered = Batches(store, tell, batch_size=8)
    np.testing.assert_array_equal(
        np.concatenate([batch[0] for batch in epoch(ordered)]), memory.features
    )


def test_few_windows_are_in_memory_and_the_next_one_is_read_ahead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "WINDOW_BYTES", 2 * 8 * T * D * 4)
    batches = Batches(stored(80), tell, batch_size=8, seed=0)
    batches.on_epoch_begin()
    for index in range(10):
        batches[index]
        last = index // 2 == 4
        assert sorted(batches._windows) == [index // 2, *([] if last else [index // 2 + 1])]


def test_each_window_is_read_once_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WINDOW_BYTES", 2 * 16 * T * D * 4)
    data = stored(130)  # nine batches of 16 in five windows
    reads: list[int] = []
    original = StoredExamples.read
    monkeypatch.setattr(
        StoredExamples,
        "read",
        lambda self, rows: reads.append(len(rows)) or original(self, rows),
    )
    fit(data, head="mean", epochs=3)
    sample_and_build = len(reads) - 3 * 5
    assert sum(reads[sample_and_build:]) == 3 * 130
    assert sample_and_build <= 3


def test_an_error_while_reading_is_raised() -> None:
    features, targets = clips(30)
    source = Kept(features)
    data = StoredExamples(StoredClips(source, list(features)), T, targets)
    batches = Batches(data, tell, batch_size=8)
    source.features = {}
    with pytest.raises(KeyError):
        batches[0]


@pytest.mark.parametrize("head", ["prototype", "rolling_average"])
def test_layers_that_measure_are_shown_a_sample(monkeypatch: pytest.MonkeyPatch, head: str) -> None:
    memory, store = both(60)
    monkeypatch.setattr(fit_module, "SAMPLE_BYTES", 20 * T * D * 4)
    shown = []
    original = keras.Model.predict
    monkeypatch.setattr(
        keras.Model,
        "predict",
        lambda self, x, **rest: shown.append(x) or original(self, x, **rest),
    )
    fitted = fit(store, head=head, epochs=1)
    assert [len(inputs["mask"]) for inputs in shown if isinstance(inputs, dict)][0] == 20
    assert np.isfinite(fitted.probabilities(memory)).all()


def test_a_sample_has_every_class() -> None:
    data = stored(200)
    targets = np.zeros(200, int)
    targets[[150, 160]], targets[170] = 1, 2
    rare = StoredExamples(data.clips, T, targets)
    shown = sample(rare, count=10)
    assert set(shown.targets.tolist()) == {0, 1, 2}
    assert 10 <= len(shown) <= 12
    np.testing.assert_array_equal(shown.features, sample(rare, count=10).features)
    assert len(sample(rare, count=1000)) == 200


def test_parts_and_joined_parts() -> None:
    memory, store = both(20)
    rows = np.array([7, 2, 2])
    np.testing.assert_array_equal(in_memory(store, rows).features, memory.at(rows).features)
    together = joined(store.at(rows), store.at(np.array([0])))
    assert isinstance(together, StoredExamples) and len(together) == 4
    wanted = joined(memory.at(rows), memory.at(np.array([0])))
    joined_again = together.read(np.arange(4))
    np.testing.assert_array_equal(joined_again.features, in_memory(wanted, np.arange(4)).features)
    assert together.steps == (T, D)
    with pytest.raises(ShapeError, match="Examples and StoredExamples cannot be joined"):
        joined(memory, store)
    with pytest.raises(ShapeError, match=r"20 clips but targets of shape \(3,\)"):
        StoredExamples(store.clips, T, memory.targets[:3])


def extraction(tmp_path: Any, count: int = 60) -> Extraction:
    """An extraction into a real store, every tenth clip failed."""
    features, targets = clips(count)
    store = FeatureStore(tmp_path / "store", settings="s", width=D, description="{}")
    store.append({key: ("v", clip) for key, clip in features.items()})
    columns = {
        "video": [f"/{row}.avi" for row in range(count)],
        "label": ["abc"[c] for c in targets],
    }
    keys = [None if row % 10 == 3 else key for row, key in enumerate(features)]
    return Extraction(Manifest(Rows.from_columns(columns).table), keys, store, [], 0)


def test_size_decides(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[AnyExamples] = []
    monkeypatch.setenv(MEMORY_VARIABLE, "1")
    # Three times 54 clips: 0.8 MB with 150 frames, 2 MB with 400; as stored a few kB.
    for frames in (150, 400):
        loaded.append(load_examples(extraction(tmp_path / str(frames)), TASK, frames))
    memory, store = loaded
    assert isinstance(memory, Examples) and isinstance(store, StoredExamples)
    assert memory.notes == ()
    note = (
        "the features of 54 clips would take 2 MB as arrays, more than VIDCLASS_MEMORY_MB allows "
        "(1): they are kept as they were stored"
    )
    assert store.notes == (note,)
    np.testing.assert_array_equal(memory.targets, store.targets)
    rows = np.array([0, 53, 20])
    np.testing.assert_array_equal(store.read(rows).features[:, :150], memory.at(rows).features)


def test_a_store_that_is_read_as_training_goes(tmp_path: Any) -> None:
    extracted = extraction(tmp_path)
    rows = extracted.rows
    keys = [key for key in extracted.keys if key is not None]
    targets = np.array(["abc".index(extracted.manifest.table["label"][int(row)]) for row in rows])
    data = StoredExamples(StoredClips(extracted.store, keys), T, targets)
    everything = np.arange(len(data))
    first, last = data.at(everything[:40]), data.at(everything[40:])
    fitted = fit(first, last, learning_rate=0.05, epochs=8)
    memory = data.read(everything)
    np.testing.assert_allclose(fitted.probabilities(data), fitted.probabilities(memory), atol=1e-6)
    assert (fitted.probabilities(data).argmax(1) == targets).mean() > 0.8

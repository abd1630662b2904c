from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from vidclass.config import FeatureConfig, RunConfig
from vidclass.errors import RunError
from vidclass.training import run_folder as names
from vidclass.training.run_folder import (
    find_bundle,
    numbered,
    prepare_run_folder,
    remove_former,
    write_history,
)

CONFIG = RunConfig()


def test_a_new_or_empty_folder_is_made(tmp_path: Path) -> None:
    prepare_run_folder(tmp_path / "new" / "run", CONFIG, overwrite=False)
    assert (tmp_path / "new" / "run").is_dir()
    prepare_run_folder(tmp_path / "new" / "run", CONFIG, overwrite=False)


def test_what_is_there_is_not_lost(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(RunError, match="file is a file: name a folder for the run"):
        prepare_run_folder(file, CONFIG, overwrite=True)
    with pytest.raises(RunError, match="is not empty and not a run: name a new folder"):
        prepare_run_folder(tmp_path, CONFIG, overwrite=True)
    assert file.read_text() == "mine"
    with pytest.raises(RunError, match="cannot write into .*below: Not a directory"):
        prepare_run_folder(file / "below", CONFIG, overwrite=False)


def test_a_finished_run_stays_and_an_unfinished_one_goes_on(tmp_path: Path) -> None:
    names.write_config(tmp_path, CONFIG)
    prepare_run_folder(tmp_path, CONFIG, overwrite=False)
    (tmp_path / names.COMPLETE).write_text("{}")
    with pytest.raises(RunError, match="holds a finished run: .* pass --overwrite"):
        prepare_run_folder(tmp_path, CONFIG, overwrite=False)
    assert (tmp_path / names.COMPLETE).exists()
    prepare_run_folder(tmp_path, CONFIG, overwrite=True)
    assert not (tmp_path / names.COMPLETE).exists()  # from now on it is unfinished


def test_an_unfinished_run_of_another_configuration_is_not_continued(tmp_path: Path) -> None:
    names.write_config(tmp_path, RunConfig(head="mean"))
    with pytest.raises(RunError, match="an unfinished run of another configuration: name a new"):
        prepare_run_folder(tmp_path, CONFIG, overwrite=False)
    prepare_run_folder(tmp_path, CONFIG, overwrite=True)


def test_an_unfinished_run_from_before_a_setting_existed_goes_on(tmp_path: Path) -> None:
    names.write_config(tmp_path, CONFIG)
    config = json.loads((tmp_path / names.CONFIG).read_text())
    del config["split"]["groups"], config["split"]["group_pattern"]
    (tmp_path / names.CONFIG).write_text(json.dumps(config))
    prepare_run_folder(tmp_path, CONFIG, overwrite=False)
    (tmp_path / names.CONFIG).write_text("{")
    with pytest.raises(RunError, match="an unfinished run of another configuration"):
        prepare_run_folder(tmp_path, CONFIG, overwrite=False)


@pytest.mark.parametrize("validated", [True, False])
def test_the_history_is_a_table_and_a_figure(tmp_path: Path, validated: bool) -> None:
    row = {"loss": 1.0, "accuracy": 0.5}
    if validated:
        row |= {"val_loss": 1.0, "val_accuracy": 0.5}
    history = [{"epoch": float(epoch), **row} for epoch in (1, 2)]
    assert write_history(tmp_path, history, 2) == [names.HISTORY, names.HISTORY_FIGURE]
    table = pl.read_csv(tmp_path / names.HISTORY)
    assert table.columns == list(history[0])
    assert table.rows() == [tuple(row.values()) for row in history]
    assert (tmp_path / names.HISTORY_FIGURE).read_bytes().startswith(b"\x89PNG")


def test_a_head_that_was_solved_exactly_has_no_figure(tmp_path: Path) -> None:
    written = write_history(tmp_path, [{"epoch": 1.0, "loss": 1.0}], None, member=1)
    assert written == ["history-2.csv"]
    assert [path.name for path in tmp_path.iterdir()] == written


def test_what_a_former_run_has_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    of_every_run = {names.CONFIG, names.SPLIT, names.BUNDLE, names.METRICS, names.LEDGER}
    written = {names.HISTORY, names.CHECKPOINT, numbered(names.CHECKPOINT, 1), names.CHOICES}
    former = {
        names.HISTORY_FIGURE,
        *(numbered(names.HISTORY, member) for member in (1, 2)),
        *(numbered(names.CHECKPOINT, member) for member in (2, 9, 11)),
        *names.OF_TUNING,
    }
    foreign = {"history-1.csv", "head-2.weights-2.h5", "history-old.csv", "head.weights-2.h5",
               "history-02.csv", "model-2.vidclass", "my-history-2.csv", "notes.txt"}  # fmt: skip
    for name in of_every_run | written | former | foreign:
        (tmp_path / name).touch()
    folder = tmp_path / "history-5.csv"
    folder.mkdir()
    remove_former(tmp_path, CONFIG, written=written)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == of_every_run | written | foreign | {folder.name}


def test_weights_that_a_run_uses_stay(tmp_path: Path) -> None:
    weights = tmp_path / names.BACKBONE_WEIGHTS
    weights.touch()
    features = FeatureConfig(weights=str(tmp_path / "." / names.BACKBONE_WEIGHTS))
    remove_former(tmp_path, RunConfig(more=(features,)), written=())
    assert weights.exists()
    remove_former(tmp_path, CONFIG, written=())
    assert not weights.exists()


def test_the_bundle_of_a_run_is_found_once_it_is_finished(tmp_path: Path) -> None:
    assert find_bundle(tmp_path / "x.vidclass") == tmp_path / "x.vidclass"
    with pytest.raises(RunError, match="is not a finished run: train it again"):
        find_bundle(tmp_path)
    (tmp_path / names.COMPLETE).write_text("{}")
    assert find_bundle(tmp_path) == tmp_path / names.BUNDLE

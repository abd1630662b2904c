"""The run folder: what is refused, what is written, and what is removed."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from vidclass.config import FeatureConfig, RunConfig
from vidclass.errors import RunError
from vidclass.training import run_folder as names
from vidclass.training.run_folder import RunWriter, find_bundle, numbered
from vidclass.types import Failure

CONFIG = RunConfig()


def begin(folder: Path, config: RunConfig = CONFIG, *, overwrite: bool = False) -> RunWriter:
    writer = RunWriter(folder, config)
    writer.begin(overwrite=overwrite)
    return writer


def test_a_new_or_empty_folder_is_made(tmp_path: Path) -> None:
    begin(tmp_path / "new" / "run")
    assert (tmp_path / "new" / "run").is_dir()
    begin(tmp_path / "new" / "run")


def test_files_of_the_user_are_not_lost(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(RunError, match="file is a file: name a folder for the run"):
        begin(file, overwrite=True)
    with pytest.raises(RunError, match="is not empty and not a run: name a new folder"):
        begin(tmp_path, overwrite=True)
    assert file.read_text() == "mine"
    with pytest.raises(RunError, match="cannot write into .*below: Not a directory"):
        begin(file / "below")


def test_a_finished_run_stays_and_an_unfinished_one_goes_on(tmp_path: Path) -> None:
    begin(tmp_path)
    begin(tmp_path)
    (tmp_path / names.COMPLETE).write_text("{}")
    with pytest.raises(RunError, match="holds a finished run: .* pass overwrite=True"):
        begin(tmp_path)
    assert (tmp_path / names.COMPLETE).exists()
    begin(tmp_path, overwrite=True)
    assert not (tmp_path / names.COMPLETE).exists()  # from now on it is unfinished


def test_an_unfinished_run_of_another_configuration_is_not_continued(tmp_path: Path) -> None:
    begin(tmp_path, RunConfig(head="mean"))
    with pytest.raises(RunError, match="an unfinished run of another configuration: name a new"):
        begin(tmp_path)
    begin(tmp_path, overwrite=True)


def test_an_unfinished_run_from_before_a_setting_existed_goes_on(tmp_path: Path) -> None:
    begin(tmp_path)
    config = json.loads((tmp_path / names.CONFIG).read_text())
    del config["split"]["groups"], config["split"]["group_pattern"]
    (tmp_path / names.CONFIG).write_text(json.dumps(config))
    begin(tmp_path)
    (tmp_path / names.CONFIG).write_text("{")
    with pytest.raises(RunError, match="an unfinished run of another configuration"):
        begin(tmp_path)


@pytest.mark.parametrize("validated", [True, False])
def test_the_history_is_a_table_and_a_figure(tmp_path: Path, validated: bool) -> None:
    row = {"loss": 1.0, "accuracy": 0.5}
    if validated:
        row |= {"val_loss": 1.0, "val_accuracy": 0.5}
    history = [{"epoch": float(epoch), **row} for epoch in (1, 2)]
    RunWriter(tmp_path, CONFIG).write_history(history, 2)
    table = pl.read_csv(tmp_path / names.HISTORY)
    assert table.columns == list(history[0])
    assert table.rows() == [tuple(row.values()) for row in history]
    assert (tmp_path / names.HISTORY_FIGURE).read_bytes().startswith(b"\x89PNG")


def test_the_history_of_a_logistic_regression_has_no_figure(tmp_path: Path) -> None:
    RunWriter(tmp_path, CONFIG).write_history([{"epoch": 1.0, "loss": 1.0}], None, index=1)
    assert [path.name for path in tmp_path.iterdir()] == ["history-2.csv"]


def test_without_failures_there_is_no_ledger(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, CONFIG)
    writer.write_ledger([Failure("a.avi", "decode", "VideoError", "a.avi: broken", "broken")])
    assert "a.avi" in (tmp_path / names.LEDGER).read_text()
    writer.write_ledger([])
    assert not (tmp_path / names.LEDGER).exists()


def test_files_of_a_former_run_are_removed_and_no_others(tmp_path: Path) -> None:
    of_every_run = {names.CONFIG, names.SPLIT, names.BUNDLE, names.METRICS, names.LEDGER}
    written = {names.HISTORY, names.HEAD_WEIGHTS, numbered(names.HEAD_WEIGHTS, 1), names.CHOICES}
    former = {
        names.HISTORY_FIGURE,
        *(numbered(names.HISTORY, index) for index in (1, 2)),
        *(numbered(names.HEAD_WEIGHTS, index) for index in (2, 9, 11)),
        *names.FINETUNE_FILES,
    }
    foreign = {
        "history-1.csv",
        "head-2.weights-2.h5",
        "history-old.csv",
        "head.weights-2.h5",
        "history-02.csv",
        "model-2.vidclass",
        "my-history-2.csv",
        "notes.txt",
    }
    for name in of_every_run | written | former | foreign:
        (tmp_path / name).touch()
    folder = tmp_path / "history-5.csv"
    folder.mkdir()
    writer = RunWriter(tmp_path, CONFIG)
    for name, index in (
        (names.HISTORY, 0),
        (names.HEAD_WEIGHTS, 0),
        (names.HEAD_WEIGHTS, 1),
        (names.CHOICES, 0),
    ):
        assert writer.path(name, index) == tmp_path / numbered(name, index)
    writer.remove_former()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == of_every_run | written | foreign | {folder.name}


def test_weights_that_a_run_uses_stay(tmp_path: Path) -> None:
    weights = tmp_path / names.BACKBONE_WEIGHTS
    weights.touch()
    features = FeatureConfig(weights=str(tmp_path / "." / names.BACKBONE_WEIGHTS))
    RunWriter(tmp_path, RunConfig(more=(features,))).remove_former()
    assert weights.exists()
    RunWriter(tmp_path, CONFIG).remove_former()
    assert not weights.exists()


def test_the_bundle_of_a_run_is_found_once_it_is_finished(tmp_path: Path) -> None:
    assert find_bundle(tmp_path / "x.vidclass") == tmp_path / "x.vidclass"
    with pytest.raises(RunError, match="is not a finished run: train it again"):
        find_bundle(tmp_path)
    (tmp_path / names.COMPLETE).write_text("{}")
    assert find_bundle(tmp_path) == tmp_path / names.BUNDLE

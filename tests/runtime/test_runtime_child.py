"""The child's task files, run here in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from vidclass.runtime import child
from vidclass.runtime.recipe import NetworkRecipe, probe_inputs


def write_task(folder: Path, task: str, recipe: NetworkRecipe) -> str:
    file = folder / f"{task}.json"
    file.write_text(json.dumps({"task": task, "recipe": asdict(recipe)}))
    return str(file)


@pytest.mark.parametrize("name", ["tiny", "head"])
def test_the_reference_is_what_keras_says(
    name: str, tmp_path: Path, made: Callable[..., NetworkRecipe]
) -> None:
    recipe = made(name)
    given = probe_inputs(recipe)
    inputs = given["frames"].astype("float32") if recipe.frames else given
    assert child.main(write_task(tmp_path, "reference", recipe)) == 0
    expected = np.asarray(recipe.build()(inputs))
    np.testing.assert_allclose(np.load(tmp_path / "reference.npy"), expected, atol=1e-5)


def test_an_expected_error_is_written_down(
    tmp_path: Path, made: Callable[..., NetworkRecipe]
) -> None:
    assert child.main(write_task(tmp_path, "reference", made("without_weights"))) == 1
    assert json.loads((tmp_path / "reference.error.json").read_text()) == {
        "type": "WeightsError",
        "message": "the weights of size=32 are not here: fetch them",
    }


def test_a_defect_is_raised(tmp_path: Path, made: Callable[..., NetworkRecipe]) -> None:
    with pytest.raises(ZeroDivisionError, match="a defect of size 32"):
        child.main(write_task(tmp_path, "reference", made("defective")))

"""`vidclass predict` loads what predicting needs, and nothing else: it starts fast."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

# Libraries of training, of the feature store, of tables and of figures.
UNUSED = (
    "h5py",
    "jax",
    "keras",
    "lance",
    "matplotlib",
    "polars",
    "pyarrow",
    "scipy.stats",
    "sklearn",
)
SCRIPT = """
import json, sys
from vidclass.cli.main import app
app(sys.argv[2:], standalone_mode=False)
with open(sys.argv[1], "w") as file:
    json.dump(sorted(sys.modules), file)
"""


@pytest.mark.slow
def test_predicting_loads_no_library_of_training(
    tiny_run: Path, tiny_set: Path, tmp_path: Path
) -> None:
    clip = next((tiny_set / "dark").iterdir())
    arguments = [
        "predict",
        tiny_run,
        clip,
        "--csv",
        tmp_path / "p.csv",
        "--gif",
        tmp_path / "p.gif",
    ]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "modules.json", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "1 ok, 0 failed\n"
    loaded = json.loads((tmp_path / "modules.json").read_text())
    assert [name for name in UNUSED if name in loaded] == []

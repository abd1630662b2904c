"""What restructuring must not change: exit codes, JSON shapes, probabilities of a fixed run.

`python tests/test_frozen_behaviour.py FOLDER` writes `frozen/behaviour.json` anew; a change of that
file is a change of behaviour, to be explained in the commit that makes it.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# The file is run as a script, too.
sys.path.insert(0, str(Path(__file__).parent / "support"))
from tiny_set import QUICK_OPTIONS, command, write_clip, write_set  # noqa: E402

FROZEN = Path(__file__).parent / "frozen" / "behaviour.json"
HEAD = ["--head", "temporal"]
KINDS = {
    "multi-label": {"dark": ("dark|night", "dark"), "light": ("light|day", "light")},
    "hierarchy": {"dark": ("sky/night", "sky/night"), "light": ("sky/day", "sky")},
}


def shape(value: Any) -> Any:
    """Keys and types of a JSON value; of a list, the shape of its first entry."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def observe(folder: Path) -> dict[str, Any]:
    """Run the commands in a new folder, and return what must stay as it is."""
    write_set(folder / "clips", groups=6)
    write_clip(folder / "new.avi", "dark", 900)
    (folder / "broken.avi").write_bytes(b"RIFF and nothing more")
    exits, shapes = {}, {}

    def run(name: str, *arguments: str, reads: str = "") -> None:
        done = subprocess.run(command(*arguments), cwd=folder, capture_output=True, text=True)
        exits[name] = done.returncode
        if reads:
            shapes[name] = shape(json.loads((folder / reads).read_text(encoding="utf-8")))

    run("train", "train", "clips", "--out", "run", *HEAD, *QUICK_OPTIONS, reads="run/metrics.json")
    run("train again", "train", "clips", "--out", "run", *HEAD, *QUICK_OPTIONS)
    run("no such source", "train", "nothing", "--out", "other")
    run("no such head", "train", "clips", "--out", "other", "--head", "gruu", *QUICK_OPTIONS)
    run("no such option", "train", "clips", "--nonsense")
    run("evaluate", "evaluate", "run", "clips", "--json", "evaluation.json",
        reads="evaluation.json")  # fmt: skip
    run("predict", "predict", "run", "new.avi", "broken.avi", "--json", "p.json", reads="p.json")
    run("predict strictly", "predict", "run", "broken.avi", "new.avi", "--strict")
    run("predict nothing readable", "predict", "run", "broken.avi")
    run("predict table", "predict", "run", "new.avi", "--csv", "p.csv")
    run("crossval", "crossval", "clips", "--folds", "2", *HEAD, *QUICK_OPTIONS,
        "--json", "crossval.json", reads="crossval.json")  # fmt: skip
    run("check", "data", "check", "clips", "--json", "check.json", reads="check.json")
    run("split", "data", "split", "clips", "--out", "split.csv")
    for kind, labels in KINDS.items():
        write_table(folder, f"{kind}.csv", labels)
        run(f"train {kind}", "train", f"{kind}.csv", "--out", kind, f"--{kind}", *HEAD,
            *QUICK_OPTIONS, reads=f"{kind}/metrics.json")  # fmt: skip
        run(f"predict {kind}", "predict", kind, "new.avi", "--json", f"{kind}.json",
            reads=f"{kind}.json")  # fmt: skip
        run(f"predict {kind} table", "predict", kind, "new.avi", "--csv", f"{kind}-p.csv")
    prediction = json.loads((folder / "p.json").read_text(encoding="utf-8"))["predictions"][0]
    tables = ("p.csv", "split.csv", *(f"{kind}-p.csv" for kind in KINDS))
    return {
        "exit_codes": exits,
        "json_shapes": shapes,
        "csv_columns": {name: columns(folder / name) for name in tables},
        "scores": prediction["scores"],
        "accuracy": json.loads((folder / "crossval.json").read_text(encoding="utf-8"))[
            "accuracy_mean"
        ],
        "run_folder": sorted(path.name for path in (folder / "run").iterdir()),
    }


def write_table(folder: Path, name: str, labels: dict[str, tuple[str, str]]) -> None:
    """The clips below `clips` as a CSV, with two labels in turn for each of their classes."""
    rows = ["video,label,group"]
    for label, two in labels.items():
        for place, clip in enumerate(sorted((folder / "clips" / label).iterdir())):
            rows.append(f"{clip},{two[place % 2]},{clip.stem[:-4]}")
    (folder / name).write_text("\n".join(rows) + "\n", encoding="utf-8")


def columns(path: Path) -> list[str]:
    """The header of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file))


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return observe(tmp_path_factory.mktemp("frozen"))


@pytest.fixture(scope="module")
def frozen() -> dict[str, Any]:
    return dict(json.loads(FROZEN.read_text(encoding="utf-8")))


@pytest.mark.slow
@pytest.mark.parametrize("part", ["exit_codes", "json_shapes", "csv_columns", "run_folder"])
def test_outputs_keep_their_form(
    part: str, observed: dict[str, Any], frozen: dict[str, Any]
) -> None:
    assert observed[part] == frozen[part]


@pytest.mark.slow
def test_probabilities_of_a_fixed_run(observed: dict[str, Any], frozen: dict[str, Any]) -> None:
    assert observed["scores"] == pytest.approx(frozen["scores"], abs=1e-4)
    assert observed["accuracy"] == frozen["accuracy"]


if __name__ == "__main__":
    FROZEN.parent.mkdir(exist_ok=True)
    FROZEN.write_text(json.dumps(observe(Path(sys.argv[1])), indent=1) + "\n", encoding="utf-8")

from __future__ import annotations

import runpy
from pathlib import Path

import polars as pl

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "kinds_of_labels.py"


def test_every_list_has_the_clips_and_groups_of_the_source() -> None:
    script = runpy.run_path(str(SCRIPT))
    labels = sorted(script["ATTRIBUTES"])
    assert labels == sorted(script["LEVELS"])
    source = pl.DataFrame(
        {
            "video": [f"/{label}{fold}.mp4" for label in labels for fold in range(5)],
            "label": [label for label in labels for _ in range(5)],
            "group": [f"{label}{fold}" for label in labels for fold in range(5)],
            "fold": list(range(5)) * len(labels),
        },
        schema_overrides={"fold": pl.Int64},
    )
    tables = script["tables"](source)
    assert {name: len(table) for name, table in tables.items()} == {
        "several": 45, "none": 45, "levels": 45, "levels_mixed": 45, "levels_fewer": 25,
        "known": 35, "known_and_other": 17,
    }  # fmt: skip
    fewer = set(tables["levels_fewer"]["label"])
    assert fewer == set(tables["levels"]["label"])  # no class goes without its leaves
    coarse = set(tables["levels_mixed"]["label"]) - fewer
    assert coarse == {"air", "ball", "ride"}
    assert (tables["none"]["label"] == "background").sum() == 10
    known = tables["known"].filter(pl.col("split") == "test")["video"]
    assert set(known) < set(tables["known_and_other"]["video"])

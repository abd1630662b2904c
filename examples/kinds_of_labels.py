"""Relabel clips for each kind of classifier: multi-label, with background, hierarchical, open set.

    python examples/kinds_of_labels.py ../shared/data/ucf11_9class/groups.csv labels/

Writes the tables that docs/how-to/labels.md measures, one CSV each, from nine classes of UCF11.
Groups and folds stay those of the source.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import polars as pl

from vidclass import Manifest

# Attributes of each class; people in the clips of walking walk a dog.
ATTRIBUTES = {
    "basketball": "ball",
    "biking": "ride",
    "diving": "air|water",
    "golf_swing": "ball|implement",
    "horse_riding": "animal|ride",
    "soccer_juggling": "ball",
    "tennis_swing": "ball|implement",
    "trampoline_jumping": "air",
    "walking": "animal",
}
# Path of each class in a tree whose branches differ in length.
LEVELS = {
    "basketball": "ball/basketball",
    "biking": "ride/biking",
    "diving": "air/diving",
    "golf_swing": "ball/implement/golf_swing",
    "horse_riding": "ride/horse_riding",
    "soccer_juggling": "ball/soccer_juggling",
    "tennis_swing": "ball/implement/tennis_swing",
    "trampoline_jumping": "air/trampoline_jumping",
    "walking": "walking",
}
BACKGROUND = ("trampoline_jumping", "walking")
NONE = "background"


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", help="nine classes of UCF11, with groups and folds")
    parser.add_argument("out", type=Path, help="folder for the tables")
    arguments = parser.parse_args()
    table = Manifest.from_source(arguments.source).table
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, rows in tables(table).items():
        rows.write_csv(arguments.out / f"{name}.csv")
        print(f"{arguments.out / name}.csv: {len(rows)} clips")


def tables(table: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return one table for each kind of classifier, by name."""
    table = table.select("video", "label", "group", "fold")
    other = pl.col("label").is_in(BACKGROUND)
    is_test = pl.col("fold") == pl.col("fold").min()
    # For half of the classes in each fold, clips are labelled with their top level only.
    turn = pl.col("label").rank("dense").cast(pl.Int64) + pl.col("fold")
    coarse = table.select((turn % 2 == 0) & (pl.col("label") != "walking")).to_series()
    levels = relabelled(table, LEVELS.__getitem__)
    parents = relabelled(table, lambda label: LEVELS[label].split("/")[0])
    split = table.filter(~other).with_columns(
        split=pl.when(is_test).then(pl.lit("test")).otherwise(pl.lit(None, pl.String))
    )
    return {
        "several": relabelled(table, ATTRIBUTES.__getitem__),
        "none": relabelled(table, lambda label: NONE if label in BACKGROUND else label),
        "levels": levels,
        "levels_mixed": pl.concat([levels.filter(~coarse), parents.filter(coarse)]),
        "levels_fewer": levels.filter(~coarse),
        "known": split.drop("fold"),
        "known_and_other": table.filter(is_test | other).drop("fold"),
    }


def relabelled(table: pl.DataFrame, name: Callable[[str], str]) -> pl.DataFrame:
    """Return the table with its labels mapped by `name`."""
    labels = [name(label) for label in table["label"]]
    return table.with_columns(pl.Series("label", labels))


if __name__ == "__main__":
    main()

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from vidclass.datasets.space import in_bytes, lacking_space


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2.5e9, "2.5 GB"), (3e15, "3000.0 TB")],
)
def test_sizes(count: float, text: str) -> None:
    assert in_bytes(count) == text


def test_room_is_looked_for_where_the_folder_will_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def usage(place: Path) -> SimpleNamespace:
        asked.append(place)
        return SimpleNamespace(free=1000)

    monkeypatch.setattr("shutil.disk_usage", usage)
    assert lacking_space(tmp_path / "new" / "deep", 1000) == ""
    lack = lacking_space(tmp_path, 1001)
    assert lack == "it takes 1.0 kB and 1.0 kB are free there"
    assert asked == [tmp_path, tmp_path]

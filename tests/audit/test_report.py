"""JSON record and HTML page: complete, escaped, without scripts, bounded."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from inspected_clips import inspected, manifest_of
from tiny_set import write_clip, write_set
from vidclass.audit import thumbnails
from vidclass.audit.duplicates import DuplicateSet
from vidclass.audit.inspection import ClipInspection, LedgerEntry
from vidclass.audit.report import histogram, render_page, write_page
from vidclass.audit.run import Audit, check, read_for_check
from vidclass.errors import ConfigError
from vidclass.evaluation.label_issues import LabelIssue
from vidclass.types import Failure

HOSTILE = "<script>alert(1)"


class Tags(HTMLParser):
    """Collects tags, attributes, and tags left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.values: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.values += [value or "" for _, value in attrs]
        if tag not in ("meta", "img", "br", "rect", "line", "html", "li"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """Return an audit with names that look like tags, a broken file, and one of everything."""
    folder = tmp_path_factory.mktemp("hostile")
    write_clip(folder / HOSTILE / 'a"><img src=x onerror=alert(1)>.avi', "dark")
    write_clip(folder / "light" / "b&amp;.avi", "light", 1)
    (folder / "light" / "<b>broken.avi").write_bytes(b"")
    (folder / "ledger").write_text("")
    audit = check(read_for_check(folder), store_folder=folder / "store")
    failure = Failure(f"/v/{HOSTILE}", "probe", "VideoError", f"{HOSTILE} failed", HOSTILE, HOSTILE)
    return Audit(
        **{
            **vars(audit),
            "label_issues": (LabelIssue(0, HOSTILE, 0.1, "light", 0.9),),
            "duplicates": (
                DuplicateSet((0, 1), 1.0, True, ("labels",)),
                DuplicateSet((1, 2), 0.99, False, ()),
            ),
            "agreement": 0.5,
            "ledger": (LedgerEntry(failure, ""), LedgerEntry(failure, "gone")),
        }
    )


def test_hostile_names_are_escaped(hostile: Audit) -> None:
    text = render_page(hostile, source=HOSTILE)
    tags = Tags(text)
    assert "script" not in tags.names
    assert not [v for v in tags.values if v == "alert(1)" or v == "x"]
    assert text.count("<script") == 0
    assert text.count("&lt;script&gt;alert(1)") > 5
    assert tags.open == []


def test_nothing_is_fetched(hostile: Audit) -> None:
    text = render_page(hostile, source="s")
    assert not re.findall(r"""(?:src|href)=["'](?!data:image/jpeg;base64,|#)""", text)
    assert "url(" not in text
    assert "@import" not in text


def test_the_page_holds_all_sections(hostile: Audit) -> None:
    text = render_page(hostile, source="s")
    assert "cannot be read: the file is empty (0 bytes)" in text  # an empty tile
    assert "labelled <b>&lt;script&gt;alert(1)</b> (10 %)<br>looks like <b>light</b> (90 %)" in text
    assert "agrees with\n50 % of all labels" in text
    assert "1 inside one group and class" in text
    assert "2, of which 1 can be read now" in text
    assert "near duplicates and wrong labels were not searched for" in text
    assert "prefers-color-scheme: dark" in text
    for section in re.findall(r'href="#(\w+)"', text):
        assert f'id="{section}"' in text


def test_a_page_of_a_sound_folder(tmp_path: Path) -> None:
    audit = check(read_for_check(write_set(tmp_path / "set")), store_folder=tmp_path / "store")
    write_page(tmp_path / "page.html", audit, source="set")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "No issues." in text
    assert text.count("<img ") == 10
    assert "10</b>clips" in text


def test_where_no_clip_can_be_read(tmp_path: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / "set" / label).mkdir(parents=True)
        (tmp_path / "set" / label / "x.avi").write_bytes(b"x")
    audit = check(read_for_check(tmp_path / "set"), store_folder=tmp_path / "store")
    text = render_page(audit, source="set")
    assert "2 clips that cannot be read" in text
    assert "<svg" not in text


def test_a_page_that_cannot_be_written_is_an_error(hostile: Audit, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write .*page.html"):
        write_page(tmp_path / "file" / "page.html", hostile, source="s")


def test_a_page_of_many_classes_stays_small() -> None:
    """UCF101 has 101 classes and 13,320 clips."""
    labels = [f"class {k % 101}" for k in range(13320)]
    manifest = manifest_of(label=labels)
    thumbnail_rows = {
        row for rows in thumbnails.contact_sheet_rows(labels).values() for row in rows
    }
    jpeg = bytes(9000)  # more than thumbnails of real clips take
    inspections = tuple(
        ClipInspection(
            **{**vars(inspected(row)), "thumbnail": jpeg if row in thumbnail_rows else b""}
        )
        for row in range(len(labels))
    )
    audit = Audit(manifest, False, inspections, (), (), ())
    assert len(render_page(audit, source="UCF101")) < 10.5e6


@pytest.mark.parametrize(
    ("values", "marks", "bars"),
    [
        ([3.0, 3.0], ["3"], 1),
        ([1.0, 2.0], ["1", "1.5", "2"], 24),
        ([1.0, 100.0], ["1", "10", "100"], 24),
    ],
)
def test_histograms(values: list[float], marks: list[str], bars: int) -> None:
    values_ = histogram("t", values)
    assert (values_["marks"], len(values_["bars"])) == (marks, bars)
    assert max(bar["share"] for bar in values_["bars"]) == 1
    total = sum(int(bar["title"].rsplit(" ", 1)[1]) for bar in values_["bars"])
    assert total == len(values)

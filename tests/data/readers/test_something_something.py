"""Something-Something's lists become rows, or are refused with the entries named."""

from __future__ import annotations

from pathlib import Path

import pytest

from reader_rows import rows, touch, write
from vidclass.data.readers import something_something as ss
from vidclass.data.readers.reader import ReadOptions
from vidclass.errors import ManifestError

PLAIN = ReadOptions()
HOLDING = {
    "id": "78687",
    "label": "holding potato next to vicks",
    "template": "Holding [something] next to [something]",
    "placeholders": ["potato", "vicks"],
}
FOLDING = {"id": 42, "template": "Folding [something]"}


def test_the_class_is_the_template_without_brackets(tmp_path: Path) -> None:
    touch(tmp_path, "78687.webm", "20bn-something-something-v2/42.mp4")
    path = write(tmp_path, "x.json", [HOLDING, FOLDING])
    assert ss.accepts(path)
    assert rows(ss.read(path, PLAIN), tmp_path) == [
        ("78687.webm", "Holding something next to something"),
        ("20bn-something-something-v2/42.mp4", "Folding something"),
    ]


def test_a_missing_clip_is_expected_as_webm_under_root(tmp_path: Path) -> None:
    path = write(tmp_path / "labels", "train.json", [FOLDING])
    clips = ss.read(path, ReadOptions(root=tmp_path / "clips"))
    assert rows(clips, tmp_path) == [("clips/42.webm", "Folding something")]


def test_clips_beside_the_folder_of_lists_are_found(tmp_path: Path) -> None:
    touch(tmp_path, "20bn-something-something-v2/42.webm")
    path = write(tmp_path / "labels", "train.json", [FOLDING])
    clips = ss.read(path, PLAIN)
    assert rows(clips, tmp_path)[0][0] == "20bn-something-something-v2/42.webm"


def test_version_1_has_csv_and_image_sequences(tmp_path: Path) -> None:
    touch(tmp_path, "20bn-something-something-v1/100218/00001.jpg")
    path = write(tmp_path, "something-something-v1-train.csv", "100218;Folding something\n")
    assert ss.accepts(path)
    clips = ss.read(path, ReadOptions(fps=12))
    assert rows(clips, tmp_path, "fps") == [
        ("20bn-something-something-v1/100218", "Folding something", 12.0)
    ]
    with pytest.raises(ManifestError, match=r"v1-train\.csv are image sequences: .* fps=25"):
        ss.read(path, PLAIN)


def test_a_folder_of_lists_gives_splits(tmp_path: Path) -> None:
    write(tmp_path, "something-something-v2-train.json", [HOLDING])
    write(tmp_path, "something-something-v2-validation.json", [FOLDING])
    write(tmp_path, "something-something-v2-test.json", [{"id": "7"}])
    write(tmp_path, "labels.json", {"Folding something": "0"})
    assert ss.accepts(tmp_path)
    clips = ss.read(tmp_path, PLAIN)
    assert rows(clips, tmp_path, "split") == [
        ("78687.webm", "Holding something next to something", "train"),
        ("42.webm", "Folding something", "validation"),
    ]
    assert clips.notes == (
        "something-something-v2-test.json left out: it has no templates.",
        "classes that are not in labels.json: 'Holding something next to something'.",
    )


def test_answers_to_the_test_set_are_its_list(tmp_path: Path) -> None:
    write(tmp_path, "train.json", [HOLDING])
    write(tmp_path, "test.json", [{"id": "7"}])
    write(tmp_path, "test-answers.csv", "7;Folding something\n")
    clips = ss.read(tmp_path, PLAIN)
    assert rows(clips, tmp_path, "split")[1] == ("7.webm", "Folding something", "test")


def test_two_lists_for_one_split_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "v1-train.json", [HOLDING])
    write(tmp_path, "v2-train.json", [FOLDING])
    with pytest.raises(ManifestError, match=r"2 lists for train: 'v1-train\.json', 'v2-train\.jso"):
        ss.read(tmp_path, PLAIN)


def test_the_list_of_the_test_set_alone_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "test.json", [{"id": "7"}])
    assert ss.accepts(path)
    with pytest.raises(ManifestError, match=r"test\.json has no templates: it is the list of "):
        ss.read(path, PLAIN)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"template": "x"}, r"entry 2 has the id None"),
        ({"id": True, "template": "x"}, r"entry 2 has the id True"),
        ({"id": "../7", "template": "x"}, r"entry 2 has the id '\.\./7'"),
        ({"id": "7"}, r"x\.json: every entry must have an id and a template; entry 2 has the temp"),
        ({"id": "7", "template": 3}, r"entry 2 has the template 3"),
        ({"id": "7", "template": "[]"}, r"x\.json, entry 2: the name of a class is empty"),
        ({"id": "7", "template": "a|b"}, r"x\.json, entry 2: the class 'a\|b' has a bar"),
        ("7", r"every entry must be a JSON object; entry 2 is '7'"),
    ],
)
def test_entries_that_cannot_be_used_are_named(tmp_path: Path, entry: object, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        ss.read(write(tmp_path, "x.json", [HOLDING, entry]), PLAIN)


def test_rows_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, "x.csv", "7;Folding\n\nx;y\n8,z\n")
    with pytest.raises(ManifestError, match=r"every row must be like .*; row 3 has 'x;y', row 4"):
        ss.read(path, PLAIN)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"a": 1, "a": 2}]', r"one object has the key 'a' twice"),
        ('[{"id": 1,\n "template": }]', r"not well-formed JSON at row 2, column 14: Expecting val"),
        ("[1e999]", r"not strict JSON: the number '1e999' is too large"),
        ("[-Infinity]", r"not strict JSON: -Infinity is no number"),
        ("[" * 200_000, r"nested too deeply"),
        ("{}", r"must be a JSON list, received: {}"),
        ("[]", r"has no entries"),
        (b'[{"a":\n"\xe9"}]', r"not UTF-8 text: byte 0xe9 in row 2\. Save it as UTF-8"),
        (b"[\0]", r"not UTF-8 text: byte 0x00 in row 1"),
    ],
)
def test_json_is_read_strictly(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        ss.read(write(tmp_path, "x.json", content), PLAIN)


def test_a_file_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidclass.data.readers.text.MAX_BYTES", 10)
    with pytest.raises(ManifestError, match=r"x\.json has 0 MiB; at most 0 MiB .* Export it in"):
        ss.read(write(tmp_path, "x.json", [HOLDING]), PLAIN)


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    assert not ss.accepts(tmp_path / "x.json")
    with pytest.raises(ManifestError, match=r"x\.json' cannot be read: No such file"):
        ss.read(tmp_path / "x.json", PLAIN)


def test_a_long_first_entry_is_still_recognised(tmp_path: Path) -> None:
    long = HOLDING | {"placeholders": ["x" * 200_000]}
    assert ss.accepts(write(tmp_path, "x.json", [long]))


@pytest.mark.parametrize(
    "content", [[{"id": 1, "data": {}}], [{"template": "x"}], {"id": 1}, [], [3], "nonsense"]
)
def test_other_json_is_not_accepted(tmp_path: Path, content: object) -> None:
    assert not ss.accepts(write(tmp_path, "train.json", content))
    assert not ss.accepts(tmp_path)

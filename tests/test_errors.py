"""The tree of errors, as drawn and as it is."""

from __future__ import annotations

import pickle
import re

import pytest

from vidclass import errors
from vidclass.errors import ConfigError, VidclassError, VideoError, require_choice


def all_errors() -> set[type[VidclassError]]:
    found = {value for value in vars(errors).values() if isinstance(value, type)}
    return {kind for kind in found if issubclass(kind, VidclassError)}


def test_the_drawn_tree_is_the_tree() -> None:
    drawn: dict[str, str] = {}
    parents: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^([ │├└─]*)(\w+Error)\b", line)
        if found:
            indent, name = len(found[1]), found[2]
            parents = [entry for entry in parents if entry[0] < indent]
            drawn[name] = parents[-1][1] if parents else "Exception"
            parents.append((indent, name))
    assert drawn == {kind.__name__: kind.__bases__[0].__name__ for kind in all_errors()}


@pytest.mark.parametrize("kind", sorted(all_errors(), key=lambda kind: kind.__name__))
def test_errors_cross_process_borders(kind: type[VidclassError]) -> None:
    error = kind("a", "b") if issubclass(kind, VideoError) else kind("a")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert str(copy) == str(error)


def test_a_video_error_is_a_sentence_with_its_parts() -> None:
    error = VideoError("a.avi", "is empty", hint="Get it again.", stage="probe")
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == "a.avi: is empty. Get it again."
    assert (copy.path, copy.cause, copy.hint, copy.stage) == (
        "a.avi",
        "is empty",
        "Get it again.",
        "probe",
    )


def test_a_video_error_needs_no_hint() -> None:
    error = VideoError("a.avi", "is empty")
    assert str(error) == "a.avi: is empty."
    assert error.stage == "decode"


def test_an_allowed_choice_is_returned() -> None:
    assert require_choice("head", "gru", ["mean", "gru"]) == "gru"


def test_a_wrong_choice_names_the_nearest() -> None:
    message = r"^head='gruu' is not one of \['gru', 'mean'\]\. Did you mean 'gru'\?$"
    with pytest.raises(ConfigError, match=message):
        require_choice("head", "gruu", ["mean", "gru"])


def test_a_choice_like_none_gets_no_hint() -> None:
    with pytest.raises(ConfigError, match=r"^head='x' is not one of \['gru', 'mean'\]\.$"):
        require_choice("head", "x", ["mean", "gru"])

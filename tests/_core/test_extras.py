from __future__ import annotations

import sys
from pathlib import Path

import pytest

from vidclass._core.extras import require_extra
from vidclass.errors import ConfigError


def test_what_is_installed_is_imported() -> None:
    assert require_extra("json", "any", needed_by="this").loads("1") == 1


def test_what_is_missing_can_be_installed() -> None:
    message = (
        r"a sweep needs no_such_module, which is not installed: pip install 'vidclass\[sweep\]'"
    )
    with pytest.raises(ConfigError, match=message):
        require_extra("no_such_module", "sweep", needed_by="a sweep")


def test_what_is_broken_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_a_module.py").write_text("import its_other_half")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="its_other_half"):
        require_extra("half_a_module", "sweep", needed_by="a sweep")
    assert "half_a_module" not in sys.modules

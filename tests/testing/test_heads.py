"""Contract tests pass for a sound head of one's own, and name the rule that another breaks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vidclass.errors import ConfigError
from vidclass.heads import unregister_head
from vidclass.testing import check_head

OWN = ("own_peak", "counts_padding", "claims_order")


@pytest.fixture(scope="module", autouse=True)
def own_heads() -> Iterator[None]:
    import own_heads

    yield
    for name in OWN:
        unregister_head(name)
    del sys.modules[own_heads.__name__]


@pytest.mark.slow
def test_a_sound_head_passes_every_check() -> None:
    check_head("own_peak")
    check_head("own_peak(units=3)")


@pytest.mark.parametrize(
    ("name", "rule"),
    [("counts_padding", "check_padded_values"), ("claims_order", "check_order")],
)
def test_a_broken_rule_is_named(name: str, rule: str) -> None:
    with pytest.raises(AssertionError, match=f"head '{name}', {rule}: "):
        check_head(name)


def test_an_unknown_head_is_refused() -> None:
    with pytest.raises(ConfigError, match="head='own_peek' is not one of .* mean 'own_peak'"):
        check_head("own_peek")


SCRIPT = """
import own_heads
import vidclass
from tiny_set import QUICK
run = vidclass.train(
    vidclass.Manifest.from_source({clips!r}), {run!r},
    vidclass.run_config(features=QUICK, head="own_peak", training={{"epochs": 2}}),
)
print(vidclass.Classifier.load(run.bundle).predict({clip!r}).label)
"""


@pytest.mark.slow
def test_a_run_with_a_head_of_ones_own(tiny_set: Path, tmp_path: Path) -> None:
    clip = next(tiny_set.rglob("*.avi"))
    code = SCRIPT.format(clips=str(tiny_set), run=str(tmp_path / "run"), clip=str(clip))
    support = Path(__file__).parents[1] / "support"
    lines = f"import sys; sys.path.insert(0, {str(support)!r})\n{code}"
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in ("dark", "light")


MAIN = """
import keras
from vidclass.heads import head
from vidclass.heads.registry import defining_module

@head(causal=True, ordered=False)
def here(frames: int, width: int, classes: int) -> keras.Model:
    "Defined in the script."
try:
    defining_module("here")
except Exception as error:
    print(error)
"""


def test_a_head_in_the_running_script_is_refused_with_what_to_do() -> None:
    done = subprocess.run([sys.executable, "-c", MAIN], capture_output=True, text=True)
    assert "head 'here' is defined in the script that runs." in done.stdout
    assert "move it into a module beside the script" in done.stdout

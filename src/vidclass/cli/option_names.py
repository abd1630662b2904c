"""The names of Python parameters in messages, rewritten as options of the command that runs.

The library names parameters as `name=value`, or in backticks. For a person at the command line
`frames=40` becomes `--frames 40`, `overwrite=True` becomes `--overwrite`, and a name in backticks
the option alone. The table comes from the options of the command; a training setting becomes
`--set name=value`. Text in quotes, file names, columns of tables (a name beside the word `column`)
and names without an option stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_NAME = r"[a-z_]\w*(?:\.\w+)*"
_QUOTED = r"""(?<!\w)(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")"""
_BARE = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|[A-Za-z_][\w-]*"
# A bare value ends where the sentence goes on, so that nothing inside a path is one.
_VALUE = rf"(?:{_QUOTED}|\[[^]\n]*\]|\([^)\n]*\)|\{{[^}}\n]*\}}|{_BARE})"
_END = r"(?=[\s,;:)\]]|\.(?:\s|$)|$)"
_MENTION = (
    rf"(?<!column )`(?P<ticked>{_NAME})(?:=(?P<ticked_value>[^`\n]*))?`(?! column)"
    rf"|(?<![\w./\\=`-])(?<!--set )(?P<name>{_NAME})=(?P<value>{_VALUE}){_END}"
    rf"|{_QUOTED}"
)
# Parts of a configuration that a name may begin with: `training.ema` is the setting `ema`.
_SECTIONS = ("features.", "sampling.", "geometry.", "training.", "split.", "task.", "config.")


@dataclass(frozen=True)
class OptionName:
    """How an option is written.

    Attributes:
        long: As in `--frames`.
        negative: As in `--no-prune`; empty if there is none.
        is_flag: It takes no value.
    """

    long: str
    negative: str = ""
    is_flag: bool = False

    def with_value(self, value: str | None) -> str | None:
        """Return the option with its value; None for a flag that the value cannot be said with."""
        if value is None or (self.is_flag and value == "True"):
            return self.long
        if self.is_flag:
            return self.negative if value == "False" and self.negative else None
        return f"{self.long} {value}"


@dataclass(frozen=True)
class OptionNames:
    """The table of a command: its options by parameter name.

    Attributes:
        options: Options by the names of parameters.
        settings: Names of the settings that `--set` takes; empty for a command without it.
        literals: Texts that are never changed: files and folders on the command line.
    """

    options: Mapping[str, OptionName] = field(default_factory=dict)
    settings: frozenset[str] = frozenset()
    literals: tuple[str, ...] = ()

    @classmethod
    def from_parameters(cls, parameters: Iterable[Any], values: Mapping[str, Any]) -> OptionNames:
        """Return the table of a command.

        Args:
            parameters: Parameters of the click command.
            values: Their values on the command line, by name.
        """
        options, literals = {}, []
        for each in parameters:
            is_option = each.param_type_name == "option"
            value = values.get(each.name)
            for text in value if isinstance(value, (list, tuple)) else [value]:
                if isinstance(text, Path) or (isinstance(text, str) and not is_option):
                    literals.append(str(text))
            if is_option:
                negative = each.secondary_opts[0] if each.secondary_opts else ""
                long = max(each.opts, key=len)
                options[each.name] = OptionName(long, negative, bool(each.is_flag))
        settings: list[str] = []
        if any(option.long == "--set" for option in options.values()):
            from vidclass.config import training_setting_names

            settings = training_setting_names()
        return cls(options, frozenset(settings), tuple(literals))

    def rewrite(self, text: str, *, literals: Iterable[str] = ()) -> str:
        """Return `text` with parameter names as options.

        Args:
            text: A message of the library.
            literals: Further texts that are never changed, such as the video at fault.
        """
        # Only these could hold a mention; the longest first, so that a path is kept as a whole.
        kept = [each for each in (*self.literals, *literals) if "=" in each or "`" in each]
        kept.sort(key=len, reverse=True)
        return re.sub("|".join([*map(re.escape, kept), _MENTION]), self._option, text)

    def _option(self, match: re.Match[str]) -> str:
        name = match["ticked"] or match["name"]
        if name is None:
            return match[0]
        name = re.sub(r"\.\d+$", "", name)  # an entry of a list
        value = match["ticked_value"] if match["ticked"] else match["value"]
        option = self._find(name, value)
        return match[0] if option is None else option

    def _find(self, name: str, value: str | None) -> str | None:
        if name in self.options:
            return self.options[name].with_value(value)
        if name in self.settings:
            return f"--set {name}={'...' if value is None else value}"
        section = next((each for each in _SECTIONS if name.startswith(each)), None)
        return None if section is None else self._find(name.removeprefix(section), value)


# The table of the command that runs; empty outside of one, where messages stay as they are.
running: ContextVar[OptionNames] = ContextVar("running", default=OptionNames())  # noqa: B039


def in_options(text: str, *, literals: Iterable[str] = ()) -> str:
    """Return a message of the library with the options of the command that runs."""
    return running.get().rewrite(text, literals=literals)

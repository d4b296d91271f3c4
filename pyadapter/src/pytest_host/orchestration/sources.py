"""The functions of events, and the files that they are in."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .descriptions import BadDescription, Description

Function = Callable[..., Any]


@dataclass(frozen=True)
class Sources:
    modules: tuple[ModuleType, ...]
    #: As messages name them.
    shown: str

    @classmethod
    def load(cls, paths: Sequence[Path], directory: Path) -> Sources:
        """Raises `BadDescription`."""
        modules = tuple(_load(path, directory) for path in paths)
        return cls(modules, ", ".join(os.path.relpath(path, directory) for path in paths))

    def function(self, name: str) -> Function | None:
        """The first that is called so."""
        for module in self.modules:
            found = getattr(module, name, None)
            if callable(found):
                return found  # type: ignore[no-any-return]
        return None

    def functions(self, description: Description) -> dict[str, Function]:
        """By name of the event, as far as there are any."""
        names = dict.fromkeys(event.name for event in description.events)
        found = {name: self.function(name) for name in names}
        return {name: function for name, function in found.items() if function is not None}

    def missing(self, description: Description) -> str | None:
        """What events have no function."""
        found = self.functions(description)
        names = dict.fromkeys(event.name for event in description.events)
        missing = ", ".join(name for name in names if name not in found)
        if not missing:
            return None
        place = f"{self.shown} (orchestration_sources)"
        return f"{description.shown}: no function for {missing} in {place}"


def _load(path: Path, directory: Path) -> ModuleType:
    shown = os.path.relpath(path, directory)
    if not path.is_file():
        raise BadDescription(f"orchestration_sources: {shown} is not there")
    # As the published plugin has it: by its dotted name, from the working directory.
    if str(directory) not in sys.path:
        sys.path.append(str(directory))
    inside = not shown.startswith("..")
    name = ".".join(Path(shown).with_suffix("").parts) if inside else path.stem
    pytest.register_assert_rewrite(name)
    try:
        if inside and name.replace(".", "").isidentifier():
            module = _by_name(name, path)
            if module is not None:
                return module
        return _by_path(name, path)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
        raise BadDescription(f"{shown} cannot be imported: {problem}") from error


def _by_name(name: str, path: Path) -> ModuleType | None:
    """None where another module has the name."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None or not os.path.exists(spec.origin):
        return None
    return importlib.import_module(name) if os.path.samefile(spec.origin, path) else None


def _by_path(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


#: Kinds of parameters that have a name to be given by.
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def parameters(function: Function) -> dict[str, bool]:
    """Names of what a function takes, and whether it can do without."""
    return {
        parameter.name: parameter.default is not inspect.Parameter.empty
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind in _NAMED
    }


def fixtures_of(description: Description, functions: dict[str, Function]) -> list[str]:
    """What events take and no `params` have, and those that no event asks for."""
    names = list(description.fixtures)
    for event in description.events:
        if event.name in functions:
            names += _needed(functions[event.name], event.params)
    return list(dict.fromkeys(names))


def _needed(function: Function, params: Iterable[str]) -> list[str]:
    given = set(params)
    return [name for name, spare in parameters(function).items() if not (spare or name in given)]

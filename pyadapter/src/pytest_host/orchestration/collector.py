"""Makes an orchestrated test of a description: a function that takes all that its events need."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .descriptions import Description
from .options import Options
from .sources import Function, fixtures_of

#: What runs the test, with the values of its fixtures by name.
Body = Callable[[Description, "dict[str, Function]", "dict[str, Any]"], None]

#: What the test itself needs.
OWN = ("request", "kill_switch")


class OrchestrationFile(pytest.Module):
    """A description; its one test has the fixtures of its events as parameters, so that
    pytest makes several of it where one of those is parametrised.
    """

    description: Description
    functions: dict[str, Function]
    options: Options
    body: Body

    @classmethod
    def make(
        cls, parent: Any, description: Description, options: Options, body: Body
    ) -> OrchestrationFile:
        file = cls.from_parent(parent, path=description.path)
        assert isinstance(file, cls)
        file.description = description
        file.options = options
        file.body = body
        file.functions = options.sources.functions(description)
        return file

    def _getobj(self) -> ModuleType:
        module = ModuleType(self.description.path.stem)
        setattr(module, self.test_name, self._function())
        return module

    @property
    def test_name(self) -> str:
        return f"test_{self.description.name}"

    def funcnamefilter(self, name: str) -> bool:
        return name == self.test_name

    def collect(self) -> Iterable[Any]:
        self._take_fixtures()
        for item in super().collect():
            # Not of this file, where the function was made.
            place = (self.path, 0, item.name)
            setattr(item, "reportinfo", lambda place=place: place)  # noqa: B010
            yield item

    def _function(self) -> Function:
        body, description, functions = self.body, self.description, self.functions

        def test(**values: Any) -> None:
            body(description, functions, values)

        names = dict.fromkeys([*OWN, *fixtures_of(description, functions)])
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = [inspect.Parameter(name, kind) for name in names]
        test.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        test.__name__ = test.__qualname__ = self.test_name
        test.__doc__ = None
        if description.total is not None or self.options.hours is not None:
            pytest.mark.timeout(self._timeout())(test) if self._has_timeouts() else None
        return test

    def _has_timeouts(self) -> bool:
        return self.config.pluginmanager.hasplugin("timeout")

    def _timeout(self) -> float:
        hours = self.options.hours
        total = (self.description.total or 0.0) if hours is None else hours * 3600
        return total + self.options.timeout

    def _take_fixtures(self) -> None:
        """Those in the files of events, and of the conftests beside and above them."""
        for module in self.options.sources.modules:
            for conftest in self._conftests(Path(module.__file__ or "")):
                self._take_fixtures_of(conftest)
            self._take_fixtures_of(module)

    def _take_fixtures_of(self, module: ModuleType) -> None:
        parse: Any = self.session._fixturemanager.parsefactories
        if "holder" in inspect.signature(parse).parameters:  # since pytest 9.2
            parse(holder=_copy(module), node=self)
        else:
            parse(_copy(module), self.nodeid)

    def _conftests(self, source: Path) -> Iterator[ModuleType]:
        """From the outermost on: the ones that are nearer win."""
        above = [folder for folder in source.parents if _is_within(folder, self.config.rootpath)]
        loaded = {
            os.path.dirname(file): plugin
            for plugin in self.config.pluginmanager.get_plugins()
            if isinstance(plugin, ModuleType)
            and os.path.basename(file := plugin.__file__ or "") == "conftest.py"
        }
        for folder in reversed(above):
            if str(folder) in loaded:
                yield loaded[str(folder)]


def _copy(module: ModuleType) -> ModuleType:
    """pytest looks at each module once, for the tests beside it."""
    copy = ModuleType(module.__name__)
    copy.__dict__.update(module.__dict__)
    return copy


def _is_within(folder: Path, root: Path) -> bool:
    return folder == root or root in folder.parents

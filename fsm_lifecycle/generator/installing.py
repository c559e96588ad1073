"""``--install``: the app in ``INSTALLED_APPS``, its routes in the root ``urls.py``, a section in ``AGENTS.md``.

Only prepares the edits; each is empty where there is nothing left to do. Must not know how they are put in place.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from django.conf import ENVIRONMENT_VARIABLE, settings

from fsm_lifecycle.generator import extras
from fsm_lifecycle.generator.blueprint import Blueprint
from fsm_lifecycle.generator.laying import Edit
from fsm_lifecycle.generator.problems import Refused
from fsm_lifecycle.generator.source import CannotEdit, Source

_BEGIN: Final = "<!-- fsm_lifecycle: begin -->"
_END: Final = "<!-- fsm_lifecycle: end -->"
_SECTION: Final = (Path(__file__).parent / "templates" / "AGENTS.md-tpl").read_text(encoding="utf-8")


def edits(app: Blueprint) -> list[Edit]:
    """What has to be changed in the host. Raises ``Refused`` where it cannot be done by this command."""
    problems: list[str] = []
    found = []
    for prepare, by_hand in (
        (_installed_apps, f'add "{app.module}" to INSTALLED_APPS by hand'),
        (_routes, f'add path("{app.route}", include("{app.module}.urls")) to the root urls.py by hand'),
    ):
        try:
            found += list(prepare(app))
        except CannotEdit as error:
            problems.append(f"--install: {error}. Leave out --install and {by_hand}.")
    if problems:
        raise Refused(problems)
    return [*found, *_agents_file()]


def _installed_apps(app: Blueprint) -> Iterator[Edit]:
    needed = [name for extra in extras.wanted(app) for name in extra.apps]
    missing = [name for name in (*needed, app.module) if not _is_installed(name)]
    if not missing:
        return
    path = _settings_file(_file_of(os.environ[ENVIRONMENT_VARIABLE]), set())
    if path is None:
        raise CannotEdit(f"no list INSTALLED_APPS = [...] was found in {os.environ[ENVIRONMENT_VARIABLE]}")

    def change(source: Source) -> None:
        listed = source.assigned("INSTALLED_APPS")
        assert listed is not None
        for name in missing:
            listed = source.assigned("INSTALLED_APPS")
            assert listed is not None
            source.add(listed, f'"{name}"')

    yield from _edited(path, change)


def _is_installed(name: str) -> bool:
    return any(entry == name or entry.startswith(f"{name}.apps.") for entry in settings.INSTALLED_APPS)


def _settings_file(path: Path, seen: set[Path]) -> Path | None:
    """The file that has the list: the settings module, or one that it takes everything from."""
    if path in seen:
        return None
    seen.add(path)
    source = Source(_text(path))
    try:
        if source.assigned("INSTALLED_APPS") is not None:
            return path
        stars = [n for n in source.tree.body if isinstance(n, ast.ImportFrom) and n.names[0].name == "*"]
    except CannotEdit as error:
        raise CannotEdit(f"{path} was not understood: {error}") from error
    for node in stars:
        inner = _star_file(path, node)
        if inner is not None and (found := _settings_file(inner, seen)) is not None:
            return found
    return None


def _star_file(path: Path, node: ast.ImportFrom) -> Path | None:
    if node.level:
        folder = path.parents[node.level - 1]
        candidate = folder / Path(*(node.module or "__init__").split("."))
        for file in (candidate.with_suffix(".py"), candidate / "__init__.py"):
            if file.is_file():
                return file
        return None
    spec = importlib.util.find_spec(node.module or "")
    own = spec is not None and spec.origin is not None and "site-packages" not in spec.origin
    return Path(spec.origin) if own and spec is not None and spec.origin is not None else None


def _routes(app: Blueprint) -> Iterator[Edit]:
    path = _file_of(settings.ROOT_URLCONF)
    if re.search(rf"""["']{re.escape(app.module)}\.urls["']""", _text(path)):
        return

    def change(source: Source) -> None:
        listed = source.assigned("urlpatterns")
        if listed is None:
            raise CannotEdit("no list urlpatterns = [...] was found")
        source.add(listed, f'path("{app.route}", include("{app.module}.urls"))', _before_what_takes_all)
        source.import_names("django.urls", ["include", "path"])

    yield from _edited(path, change)


def _before_what_takes_all(elements: list[ast.expr]) -> int | None:
    """A route with an empty prefix that includes others, or a pattern, may take every address behind it."""
    for place, element in enumerate(elements):
        if not isinstance(element, ast.Call) or not element.args:
            continue
        name = element.func.id if isinstance(element.func, ast.Name) else ""
        first = element.args[0]
        empty = isinstance(first, ast.Constant) and first.value == ""
        includes = len(element.args) > 1 and isinstance(element.args[1], ast.Call)
        included = includes and ast.unparse(element.args[1]).startswith("include(")
        if (name == "path" and empty and included) or name == "re_path":
            return place
        if name == "path" and isinstance(first, ast.Constant) and str(first.value).startswith("<path:"):
            return place
    return None


def _agents_file() -> Iterator[Edit]:
    path = _project_folder() / "AGENTS.md"
    before = _text(path) if path.exists() else None
    section = f"{_BEGIN}\n{_SECTION.strip()}\n{_END}\n"
    held = before or ""
    if _BEGIN in held and _END in held:
        head, _, rest = held.partition(_BEGIN)
        after = f"{head}{section}{rest.partition(_END)[2].lstrip(chr(10))}"
    else:
        after = f"{held.rstrip()}\n\n{section}" if held.strip() else section
    if after != before:
        yield Edit(path, before, after)


def _project_folder() -> Path:
    """Where manage.py is: above the settings, else where the command runs."""
    start = _file_of(os.environ[ENVIRONMENT_VARIABLE])
    return next((folder for folder in start.parents if (folder / "manage.py").is_file()), Path.cwd())


def _edited(path: Path, change: Callable[[Source], None]) -> Iterator[Edit]:
    before = _text(path)
    source = Source(before.replace("\r\n", "\n"))
    try:
        change(source)
        ast.parse(source.text)
    except (CannotEdit, SyntaxError) as error:
        raise CannotEdit(f"{path} was not understood: {error}") from error
    after = source.text.replace("\n", "\r\n") if "\r\n" in before else source.text
    if after != before:
        yield Edit(path, before, after)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CannotEdit(f"{path} cannot be read") from error


def _file_of(module: str) -> Path:
    file = importlib.import_module(module).__file__
    if file is None:
        raise CannotEdit(f"{module} has no file")
    return Path(file).resolve()

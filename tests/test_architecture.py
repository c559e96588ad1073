"""The shape of the code: floors, sizes, names."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "fsm_lifecycle"
SOURCES = [
    path
    for folder in ("fsm_lifecycle", "sample_project", "benchmarks", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "migrations" not in path.parts
]
LONGEST = 400
BUCKETS = {"utils.py", "helpers.py", "misc.py", "common.py"}

# What import-linter cannot say: parts of a foreign package that a floor must not know.
HTTP = ("django.http", "django.views", "django.urls", "django.contrib.admin", "rest_framework")
UNKNOWN_TO = {
    "definition": ("django.db", "django.conf", *HTTP),
    "ledger": HTTP,
    "access": HTTP,
    "dispatch": HTTP,
    "engine": HTTP,
}


def imports(path: Path) -> Iterator[str]:
    """Every absolute module name that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def named(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def test_each_package_imports_only_from_floors_below_it() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--config", "setup.cfg", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("floor", UNKNOWN_TO)
def test_a_floor_does_not_import_what_it_must_not_know(floor: str) -> None:
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((PACKAGE / floor).rglob("*.py"))
        for name in imports(path)
        if any(name == unknown or name.startswith(f"{unknown}.") for unknown in UNKNOWN_TO[floor])
    ]
    assert found == []


def test_no_module_is_longer_than_four_hundred_lines() -> None:
    long = [path for path in SOURCES if len(path.read_text().splitlines()) > LONGEST]
    assert named(long) == []


def test_no_module_is_a_bucket() -> None:
    assert named([path for path in SOURCES if path.name in BUCKETS]) == []


def test_every_module_of_the_package_says_what_it_owns() -> None:
    silent = [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if "migrations" not in path.parts
        and path.read_text().strip()
        and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert named(silent) == []


def test_every_folder_of_modules_is_a_package() -> None:
    """A folder without `__init__.py` would be missing from the wheel."""
    bare = {path.parent for path in PACKAGE.rglob("*.py") if not (path.parent / "__init__.py").exists()}
    assert named(sorted(bare)) == []

"""Where a new app goes, and by which dotted name Python finds it there.

Must not know what the app holds.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from fsm_lifecycle.definition.defect import shown


def module_of(label: str, into: Path, problems: list[str]) -> str:
    """The dotted name of an app in a folder: the folder is on Python's path, or in a package that is."""
    roots = {root for entry in sys.path if (root := Path(entry or ".").resolve()).is_dir()}
    if not into.is_dir():
        problems.append(f"There is no folder {into}. Make it first, or leave out --into.")
        return label
    for root in [into, *into.parents]:
        if root in roots:
            parts = into.relative_to(root).parts
            if all(part.isidentifier() for part in parts):
                return ".".join([*parts, label])
    problems.append(
        f"Python would not find an app in {into}: neither it nor a folder above it is on sys.path, or a "
        f"name between them is no name of a package. Give --into a folder below {Path(sys.path[0]).resolve()}."
    )
    return label


def fault_of_module(module: str, folder: Path) -> str:
    """What else goes by the module's name, as a sentence; empty when nothing does."""
    top = module.partition(".")[0]
    if top == module and module in sys.stdlib_module_names:
        return f"{shown(module)} is a module of Python's own. Call the app something else."
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return ""
    if found is None:
        return ""
    places = [Path(path).resolve() for path in found.submodule_search_locations or ()]
    if folder.resolve() in places:
        return ""  # what stands there is told of by the files in it
    origin = found.origin or (str(places[0]) if places else "somewhere")
    return f"There is a module {shown(module)} already, in {origin}. Call the app something else."

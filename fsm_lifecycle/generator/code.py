"""Python code as ruff leaves it: imports in order, calls on one line while they fit.

Must not know what the code is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

#: A call longer than this is taken apart; a formatter with a wider line leaves it so, for its trailing comma.
WIDTH: Final = 88


def call(head: str, arguments: Sequence[str], indent: int, tail: str = "") -> str:
    """``head(arguments)tail``, indented by so many blanks."""
    blanks = " " * indent
    line = f"{blanks}{head}({', '.join(arguments)}){tail}"
    if len(line) <= WIDTH:
        return line
    inner = "".join(f"{blanks}    {argument},\n" for argument in arguments)
    return f"{blanks}{head}(\n{inner}{blanks}){tail}"


def listing(head: str, items: Sequence[str], indent: int) -> str:
    """``head[items]``, indented by so many blanks."""
    blanks = " " * indent
    line = f"{blanks}{head}[{', '.join(items)}]"
    if len(line) <= WIDTH:
        return line
    return f"{blanks}{head}[\n{''.join(f'{blanks}    {item},{chr(10)}' for item in items)}{blanks}]"


def imports(plain: Iterable[str], named: Mapping[str, Iterable[str]]) -> str:
    """One section of imports: modules first, then names from modules. No name, no line."""
    lines = [f"import {module}" for module in sorted(set(plain))]
    for module in sorted(named, key=_module_order):
        every = sorted(set(named[module]), key=_import_order)
        wanted = [name for name in every if " as " not in name]
        # As isort has it, a name that is called otherwise stands on a line of its own.
        renamed = [f"from {module} import {name}" for name in every if " as " in name]
        if not wanted:
            lines += renamed
            continue
        line = f"from {module} import {', '.join(wanted)}"
        if len(line) > WIDTH:
            line = f"from {module} import (\n{''.join(f'    {name},{chr(10)}' for name in wanted)})"
        lines += [line, *renamed]
    return "\n".join(lines)


def sections(*blocks: str) -> str:
    """Sections of imports with a blank line between them; empty ones are left out."""
    return "\n\n".join(block for block in blocks if block)


def _module_order(module: str) -> tuple[int, str]:
    # Relative ones come last, the farther first, as isort has it.
    dots = len(module) - len(module.lstrip("."))
    return (-dots, module) if dots else (-99, module)


def _import_order(name: str) -> tuple[int, str]:
    bare = name.partition(" as ")[0]
    if bare.isupper() and len(bare) > 1:
        return 0, name
    return (1 if bare[:1].isupper() else 2), name

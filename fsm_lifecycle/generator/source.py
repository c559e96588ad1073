"""Careful edits of a host's Python source: one element more in a list, one name more imported.

Positions come from the syntax tree, so that comments and layout stay. Must not know which file it is.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass

#: Where the element goes in the list; ``None`` for its end.
Place = Callable[[list[ast.expr]], int | None]


class CannotEdit(Exception):
    """The source is written in a way that this does not understand. The message says what was looked for."""


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int


class Source:
    """One module's text, edited step by step."""

    def __init__(self, text: str) -> None:
        self.text = text

    @property
    def tree(self) -> ast.Module:
        """The syntax tree of the text as it stands. Raises ``CannotEdit`` for what Python cannot read."""
        try:
            return ast.parse(self.text)
        except SyntaxError as error:
            raise CannotEdit(f"it has a syntax error in line {error.lineno}") from error

    def assigned(self, name: str) -> ast.List | ast.Tuple | None:
        """The list that a name is given at the top of the module; of a sum, its last plain list."""
        found = None
        for node in self.tree.body:
            if isinstance(node, ast.Assign):
                targets = node.targets
            elif isinstance(node, ast.AnnAssign | ast.AugAssign):
                targets = [node.target]
            else:
                continue
            value = node.value if any(_is(target, name) for target in targets) else None
            listed = self._list_in(value) if value is not None else None
            found = listed or found
        return found

    def _list_in(self, value: ast.expr) -> ast.List | ast.Tuple | None:
        if isinstance(value, ast.List | ast.Tuple):
            return value
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
            return self._list_in(value.right) or self._list_in(value.left)
        if isinstance(value, ast.Name):
            return self.assigned(value.id)
        return None

    def add(self, listed: ast.List | ast.Tuple, code: str, place: Place = lambda elements: None) -> None:
        """Put an element into a list, laid out as the others are."""
        elements = listed.elts
        at = place(elements)
        if not elements:
            opening = self._span(listed)
            comma = "," if isinstance(listed, ast.Tuple) else ""
            self._replace(_Span(opening.start + 1, opening.start + 1), f"{code}{comma}")
            return
        if at is not None:
            neighbour = self._span(elements[at])
            own_line = self.text[: neighbour.start].rpartition("\n")[2].isspace()
            between = "\n" + " " * elements[at].col_offset if own_line else " "
            self._replace(_Span(neighbour.start, neighbour.start), f"{code},{between}")
            return
        last = self._span(elements[-1])
        after = self.text[last.end : self._span(listed).end - 1]
        has_comma = _code_of(after).strip().startswith(",")
        if elements[-1].lineno == listed.lineno and listed.lineno == listed.end_lineno:
            end = last.end + (after.index(",") + 1 if has_comma else 0)
            self._replace(_Span(last.end, end), f", {code}")
            return
        line = self.text[: last.start].rpartition("\n")[2]
        indent = line[: len(line) - len(line.lstrip())]
        if elements[-1].lineno == listed.lineno:
            indent += "    "
        if not has_comma:
            self._replace(_Span(last.end, last.end), ",")
            last = _Span(last.start, last.end + 1)
        line_end = self._end_of_line(last.end)
        if line_end > self._closing(listed):
            line_end = last.end + (
                after.index(",") + 1 if has_comma else 0
            )  # the bracket closes on this line
        self._replace(_Span(line_end, line_end), f"\n{indent}{code},")

    def import_names(self, module: str, names: list[str]) -> None:
        """See that names are imported from a module. Raises ``CannotEdit`` when one means something else."""
        statements = [node for node in self.tree.body if isinstance(node, ast.ImportFrom)]
        ours = [node for node in statements if node.module == module and not node.level]
        here = {alias.name for node in ours for alias in node.names if alias.asname in (None, alias.name)}
        bound = {alias.asname or alias.name for node in self.tree.body for alias in _aliases(node)} - here
        missing = [name for name in names if name not in here]
        if taken := [name for name in missing if name in bound]:
            raise CannotEdit(f"{taken[0]} is the name of something else there")
        if not missing:
            return
        plain = next((node for node in ours if not any(alias.asname for alias in node.names)), None)
        if plain is not None and plain.lineno == plain.end_lineno:
            wanted = sorted({alias.name for alias in plain.names} | set(missing), key=_case)
            self._replace(self._span(plain), f"from {module} import {', '.join(wanted)}")
            return
        imports = [node for node in self.tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        line = f"from {module} import {', '.join(sorted(missing, key=_case))}"
        if imports:
            end = self._end_of_line(self._span(imports[-1]).end)
            self._replace(_Span(end, end), f"\n{line}")
            return
        first = self.tree.body[0] if self.tree.body else None
        is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
        at = self._end_of_line(self._span(first).end) + 1 if first is not None and is_docstring else 0
        self._replace(_Span(at, at), f"\n{line}\n" if at else f"{line}\n\n")

    def _span(self, node: ast.stmt | ast.expr) -> _Span:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return _Span(
            self._offset(node.lineno, node.col_offset), self._offset(node.end_lineno, node.end_col_offset)
        )

    def _closing(self, listed: ast.expr) -> int:
        return self._span(listed).end

    def _offset(self, line: int, column: int) -> int:
        """A position in the text; columns of the tree count bytes."""
        lines = self.text.split("\n")
        before = sum(len(one) + 1 for one in lines[: line - 1])
        return before + len(lines[line - 1].encode()[:column].decode())

    def _end_of_line(self, position: int) -> int:
        end = self.text.find("\n", position)
        return len(self.text) if end < 0 else end

    def _replace(self, span: _Span, text: str) -> None:
        self.text = self.text[: span.start] + text + self.text[span.end :]


def _is(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _aliases(node: ast.stmt) -> list[ast.alias]:
    return node.names if isinstance(node, ast.Import | ast.ImportFrom) else []


def _case(name: str) -> tuple[bool, str]:
    return (name[:1].islower(), name)


def _code_of(text: str) -> str:
    """The text without its comments."""
    return "\n".join(line.partition("#")[0] for line in text.splitlines())

"""The host's own base template: whether there is one, and which of its blocks holds a page.

Must not know what a page says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.base import NodeList
from django.template.loader import get_template
from django.template.loader_tags import BlockNode, ExtendsNode

OWN: Final = "fsm_lifecycle/base.html"
SITE: Final = "base.html"
_BLOCKS: Final = ("content", "main", "body", "page")


@dataclass(frozen=True, slots=True)
class Base:
    """What the generated templates extend."""

    template: str = OWN
    block: str = "content"
    note: str = ""
    """Why it is not the site's, where the site has one."""


def base() -> Base:
    """The site's ``base.html`` where it can be extended, else the package's."""
    try:
        found: Any = get_template(SITE)
    except TemplateDoesNotExist:
        return Base()
    except TemplateSyntaxError as error:
        return Base(note=f"The templates extend {OWN}: your {SITE} has an error. {error}")
    inner = getattr(found, "template", None)
    blocks = _blocks(getattr(inner, "nodelist", NodeList()))
    block = next((name for name in _BLOCKS if name in blocks), None)
    if block is None:
        wanted = ", ".join(_BLOCKS)
        return Base(note=f"The templates extend {OWN}: your {SITE} has none of the blocks {wanted}.")
    return Base(SITE, block)


def base_of_pages() -> str:
    """What the package's own pages extend, whose block is ``content``."""
    found = base()
    return found.template if found.block == "content" else OWN


def _blocks(nodes: Any) -> set[str]:
    found = {node.name for node in nodes.get_nodes_by_type(BlockNode)}
    for node in nodes.get_nodes_by_type(ExtendsNode):
        parent = node.parent_name.var
        if isinstance(parent, str):
            outer: Any = get_template(parent)
            found |= _blocks(outer.template.nodelist)
    return found

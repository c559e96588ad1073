"""Diagrams of a lifecycle: SVG, Mermaid, DOT, JSON, and the same in words.

Owns the way from a table to a picture: what is shown (``machine``), where (``layout``), how (``svg`` and the other
formats). It must not know who looks at it, nor admin, pages or requests.
"""

from fsm_lifecycle.diagrams.document import graph, json
from fsm_lifecycle.diagrams.dot import dot
from fsm_lifecycle.diagrams.mermaid import mermaid
from fsm_lifecycle.diagrams.svg import svg
from fsm_lifecycle.diagrams.words import Alternative, text_alternative

__all__ = ["Alternative", "dot", "graph", "json", "mermaid", "svg", "text_alternative"]

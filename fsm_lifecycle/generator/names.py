"""Names: what may be one, and how one becomes a model's, a word's, an address's.

Singular and plural follow the rules of English as far as they are safe; a word that no rule fits stays as it is. Must
not know what is named.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from typing import Final

#: As the messages say it.
RULE: Final = "small letters a–z, digits and single underscores, a letter first"
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")

_IRREGULAR: Final = {
    "analyses": "analysis", "aliases": "alias", "axes": "axis", "caches": "cache", "calves": "calf",
    "canvases": "canvas", "children": "child", "crises": "crisis", "criteria": "criterion",
    "diagnoses": "diagnosis", "gases": "gas", "halves": "half", "heroes": "hero",
    "echoes": "echo", "potatoes": "potato", "tomatoes": "tomato",
    "vetoes": "veto", "hypotheses": "hypothesis", "knives": "knife",
    "men": "man", "menus": "menu", "people": "person", "quizzes": "quiz", "shelves": "shelf", "theses": "thesis",
    "wives": "wife", "wolves": "wolf", "women": "woman",
}  # fmt: skip
_PLURAL: Final = {one: many for many, one in _IRREGULAR.items()}
#: The same for one and for many, or only ever one.
_UNCHANGED: Final = frozenset(
    "news series species means alias atlas bias canvas chaos christmas gas lens".split()
)
_SAME: Final = frozenset("news series species means".split())
_IES_TO_IE: Final = frozenset("calories cookies hoodies movies rookies selfies zombies".split())
_OES_TO_OE: Final = frozenset("canoes oboes shoes toes".split())

#: Begin with a vowel to the ear and not to the eye, and the other way round.
_OPEN: Final = ("heir", "honest", "honor", "honour", "hour")
_CLOSED: Final = ("eu", "one", "uni", "usa", "use", "usu", "ut")


def fault_of(name: str, *, longest: int) -> str:
    """What is wrong with a name, as the end of a sentence; empty when nothing is."""
    if not _NAME.fullmatch(name):
        return f"is no name: use {RULE}"
    if keyword.iskeyword(name):
        return "is a word of Python's own"
    if len(name) > longest:
        return f"has {len(name)} characters, and {longest} is the most"
    return ""


def singular(word: str) -> str:
    """``invoices`` → ``invoice``, ``categories`` → ``category``; ``status`` and ``news`` stay."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in _UNCHANGED or not word.endswith("s") or word.endswith(("ss", "us", "is")) or len(word) < 4:
        return word
    if word.endswith("ies"):
        return word[:-1] if word in _IES_TO_IE or len(word) < 5 else f"{word[:-3]}y"
    if word.endswith("oes"):
        return word[:-1] if word in _OES_TO_OE else word[:-2]
    if word.endswith("uses") and not word.endswith(("auses", "ouses", "cuses")) and len(word) > 4:
        return word[:-2]  # statuses, buses; not causes, houses, excuses
    if word.endswith(("ches", "shes", "xes", "sses", "zzes")):
        return word[:-2]
    return word[:-1]


def plural(word: str) -> str:
    """``invoice`` → ``invoices``, ``category`` → ``categories``; ``news`` stays."""
    if word in _PLURAL:
        return _PLURAL[word]
    if word in _SAME:
        return word
    if word.endswith("y") and word[-2:-1] not in ("", *"aeiou"):
        return f"{word[:-1]}ies"
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return f"{word}es"
    return f"{word}s"


def of_the_last(name: str, change: Callable[[str], str]) -> str:
    """A name with its last word changed: ``leave_requests`` → ``leave_request``."""
    head, _, last = name.rpartition("_")
    return f"{head}_{change(last)}" if head else change(last)


def camel(name: str) -> str:
    """``leave_request`` → ``LeaveRequest``."""
    return "".join(word.capitalize() for word in name.split("_"))


def with_article(words: str) -> str:
    """``an invoice``, ``a user``, ``an hour``."""
    sounds_open = words.startswith(_OPEN) or (words[0] in "aeiou" and not words.startswith(_CLOSED))
    return f"{'an' if sounds_open else 'a'} {words}"


def spoken(name: str) -> str:
    """``leave_request`` → ``leave request``."""
    return name.replace("_", " ")


def sentence(text: str) -> str:
    """The text with a capital first."""
    return text[:1].upper() + text[1:]

"""Owns the layouts made so far, so that a page need not compute one again.

A layout depends on the machine (its fingerprint, and its labels, which the fingerprint leaves out), the flow and the
style; all three are the key. Bounded; for many threads. Must not know how a layout is made.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Final

from fsm_lifecycle.diagrams.layout import Flow, Layout, lay_out
from fsm_lifecycle.diagrams.machine import Machine
from fsm_lifecycle.diagrams.style import Style

#: How many layouts are kept. One takes about 50 kB.
SIZE: Final = 128

_Key = tuple[Machine, Flow, Style]
_kept: OrderedDict[_Key, Layout] = OrderedDict()
_lock: Final = Lock()
_making: dict[_Key, Lock] = {}


def layout(machine: Machine, flow: Flow, style: Style) -> Layout:
    """The layout, made now or before. Threads that want the same one wait for the first of them."""
    key = (machine, flow, style)
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
        making = _making.setdefault(key, Lock())
    with making:
        with _lock:
            if key in _kept:
                return _kept[key]
        try:
            made = lay_out(machine, flow, style)
            with _lock:
                _kept[key] = made
                while len(_kept) > SIZE:
                    _kept.popitem(last=False)
            return made
        finally:
            with _lock:
                _making.pop(key, None)


def clear() -> None:
    """Forget every layout."""
    with _lock:
        _kept.clear()

"""The models of timers under one roof, for ``fsm_lifecycle.models``. Must not know what is done with them."""

from fsm_lifecycle.timers.timer import Timer

__all__ = ["Timer"]

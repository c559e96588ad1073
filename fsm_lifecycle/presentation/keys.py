"""Which texts can be keys of a model at all; see ``access.record_keys``. Must not know whose keys they are."""

from fsm_lifecycle.access.record_keys import readable

__all__ = ["readable"]

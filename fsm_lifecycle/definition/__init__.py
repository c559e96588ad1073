"""The transition table: what an app author declares and what it compiles to.

Owns State, Event, Branch, Guard, Effect, Role, Snapshot, the compiled frozen table, its fingerprint and the
analysis of its graph. It must not know the ORM, settings or any I/O.
"""

from fsm_lifecycle.definition.branch import Branch
from fsm_lifecycle.definition.business_hours import BusinessHours
from fsm_lifecycle.definition.effects import Effect, effect, on_commit
from fsm_lifecycle.definition.event import ANY, Event
from fsm_lifecycle.definition.guards import Guard, guard
from fsm_lifecycle.definition.retention import Retention
from fsm_lifecycle.definition.role import CRUD, Role
from fsm_lifecycle.definition.snapshot import Snapshot
from fsm_lifecycle.definition.state import State
from fsm_lifecycle.definition.table import Table

__all__ = [
    "ANY",
    "CRUD",
    "Branch",
    "BusinessHours",
    "Effect",
    "Event",
    "Guard",
    "Retention",
    "Role",
    "Snapshot",
    "State",
    "Table",
    "effect",
    "guard",
    "on_commit",
]

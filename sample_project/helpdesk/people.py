"""Owns the people of the log: who number 1 to 22 is, and which roles they hold on tickets.

The log is anonymised and has numbers alone. The names are invented; nobody logs in as them. Their roles are read off
what they did: two of them closed nearly every ticket, five spoke for development, one of these did nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model

from fsm_lifecycle import System
from fsm_lifecycle.access import grant_role
from sample_project.helpdesk.models import Ticket

IMPORT = System("help desk import")


@dataclass(frozen=True, slots=True)
class Person:
    """One of the 22."""

    name: str
    roles: tuple[str, ...] = ("agent",)
    """On all tickets. A supervisor may do what an agent may."""

    @property
    def username(self) -> str:
        return self.name.lower().replace(" ", ".")


PEOPLE = (
    Person("Alice Ferri", ("agent", "developer")),
    Person("Bruno Conti", ("supervisor", "developer")),
    Person("Chiara Fontana", ("supervisor",)),
    Person("Davide Moretti"),
    Person("Elena Rinaldi", ("supervisor",)),
    Person("Fabio Galli"),
    Person("Giulia Ferrara"),
    Person("Hanna Lindner"),
    Person("Ivan Petrov", ("agent", "developer")),
    Person("Jacopo Marini", ("supervisor",)),
    Person("Karim Haddad"),
    Person("Laura Benedetti"),
    Person("Marco Vitale", ("agent", "developer")),
    Person("Nadia Sorrentino"),
    Person("Oscar Villa"),
    Person("Paola Grassi", ("supervisor",)),
    Person("Rosa Caputo"),
    Person("Stefano Bianco"),
    Person("Teresa Leone"),
    Person("Umberto Sala"),
    Person("Viola Neri", ("supervisor",)),
    Person("Zeno Barone", ("developer",)),
)


def users_by_number(using: str) -> dict[int, Any]:
    """The user of each person, by number, with their roles. Makes what is missing; nobody has a usable password."""
    manager = get_user_model()._default_manager.using(using)
    usernames = {number: person.username for number, person in enumerate(PEOPLE, start=1)}
    known = {user.get_username(): user for user in manager.filter(username__in=usernames.values())}
    for number, username in usernames.items():
        person = PEOPLE[number - 1]
        if username not in known:
            first_name, last_name = person.name.split(" ", 1)
            user = get_user_model()(username=username, first_name=first_name, last_name=last_name)
            user.set_unusable_password()
            user.save(using=using)
            known[username] = user
        for role in person.roles:
            grant_role(known[username], role, on=Ticket, by=IMPORT, reason="What the log shows them doing.")
    return {number: known[username] for number, username in usernames.items()}

"""Owns the people of the log: who number 1 to 22 is.

The log is anonymised and has numbers alone. The names are invented; nobody logs in as them.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model

NAMES = (
    "Alice Ferri", "Bruno Conti", "Chiara Fontana", "Davide Moretti", "Elena Rinaldi", "Fabio Galli",
    "Giulia Ferrara", "Hanna Lindner", "Ivan Petrov", "Jacopo Marini", "Karim Haddad", "Laura Benedetti",
    "Marco Vitale", "Nadia Sorrentino", "Oscar Villa", "Paola Grassi", "Rosa Caputo", "Stefano Bianco",
    "Teresa Leone", "Umberto Sala", "Viola Neri", "Zeno Barone",
)  # fmt: skip


def users_by_number(using: str) -> dict[int, Any]:
    """The user of each person, by number. Makes those that are missing; they have no usable password."""
    manager = get_user_model()._default_manager.using(using)
    usernames = {number: f"agent-{number:02}" for number in range(1, len(NAMES) + 1)}
    known = {user.get_username(): user for user in manager.filter(username__in=usernames.values())}
    for number, username in usernames.items():
        if username not in known:
            first_name, last_name = NAMES[number - 1].split(" ", 1)
            user = get_user_model()(username=username, first_name=first_name, last_name=last_name)
            user.set_unusable_password()
            user.save(using=using)
            known[username] = user
    return {number: known[username] for number, username in usernames.items()}

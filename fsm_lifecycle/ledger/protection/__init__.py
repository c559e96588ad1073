"""The database protects itself: triggers on SQLite, PostgreSQL, MariaDB and MySQL.

They stop accidents and the application, whoever sends the SQL. An owner of the database can take them away; that
is found by ``verify``. Must not know who may do what.
"""

from fsm_lifecycle.ledger.protection.gates import gate
from fsm_lifecycle.ledger.protection.installing import install, missing, outdated, possible, remove
from fsm_lifecycle.ledger.protection.refusal import is_refusal

__all__ = ["gate", "install", "is_refusal", "missing", "outdated", "possible", "remove"]

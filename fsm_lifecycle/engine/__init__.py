"""Deciding and firing: the one way in which a record changes its state.

Owns ``decide()`` (the only place where rules are evaluated), ``fire()``, firing in bulk, causes and refusals.
It must not know HTTP, the admin or agents.
"""

"""Owns the people whom the acceptance tests of agents share."""

from tests.acceptance.agent_desk import alice, known, root

__all__ = ["alice", "known", "root"]

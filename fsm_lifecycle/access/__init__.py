"""Who acts, and what they may do.

Owns actors, the current actor and the policy that judges them. It must not know the engine or HTTP.
"""

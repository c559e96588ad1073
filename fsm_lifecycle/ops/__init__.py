"""What those who run a project ask: what happened, and what is wrong. Must not know the other surfaces."""

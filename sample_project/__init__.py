"""A help desk and a billing department: what a project that uses fsm_lifecycle looks like."""

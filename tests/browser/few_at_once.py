"""The sample's settings, but with few records that are moved while the request waits."""

from sample_project.settings import *  # noqa: F403
from sample_project.settings import FSM_LIFECYCLE

FSM_LIFECYCLE["ADMIN_BULK_INLINE"] = 5

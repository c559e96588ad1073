"""Owns which Chromium the tests drive: Debian's own, or the one that CHROMIUM names.

Must not know what is tested, so that `tests.everything` can ask as well.
"""

import os
import shutil

ADVICE = "there is no Chromium (Debian: apt-get install chromium; CHROMIUM may name another one)"


def executable() -> str | None:
    """Its path; ``None`` where there is none."""
    return shutil.which(os.environ.get("CHROMIUM", "") or "chromium")

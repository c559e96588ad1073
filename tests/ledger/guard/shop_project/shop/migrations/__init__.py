"""The shop's history. With ``SHOP_STAYS`` it ends before the renaming: what the code of ``titled`` is made for."""

import os
from pathlib import Path

if not os.environ.get("SHOP_STAYS"):
    __path__.append(str(Path(__file__).parent / "renaming"))

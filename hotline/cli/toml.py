"""The little TOML that Hotline writes; it reads it with the standard library."""

from __future__ import annotations

import json


def quoted(text: str) -> str:
    """Give text as a TOML basic string."""
    # JSON's escapes are TOML's, but for DEL, which JSON leaves raw.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

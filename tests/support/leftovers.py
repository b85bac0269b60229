"""Which processes are still there: asked of the kernel, for a test must not trust what it tests."""

from __future__ import annotations

from pathlib import Path


def processes_in(folder: Path) -> list[str]:
    """Give the command lines of all processes whose working folder is folder or below it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            place = (process / "cwd").readlink()
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it has ended, or is another user's
        if place.is_relative_to(folder.resolve()) and words[0]:
            found.append(b" ".join(words).decode(errors="replace").strip())
    return found

"""What SQLite's failures mean here: room for another try, a daemon that must stop, or a bug."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import apsw

from hotline.errors import LocalMisuseError, StoreError, StoreFullError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAMAGED_HINT: Final = (
    "keep this store and restore no older one, which would sign a second history; the peer holds a"
    " copy: `hotline line recover`, as docs/operations.md says under Backups"
)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn an error of SQLite's about path into one of ours."""
    try:
        yield
    except apsw.FullError:
        raise StoreFullError(
            f"{path}: the disk is full", hint="make room on its disk; nothing was changed"
        ) from None
    except apsw.ConstraintError as error:
        raise LocalMisuseError(f"{path}: {error}") from error
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise damaged(path, _text(error)) from error
    except apsw.Error as error:
        raise StoreError(
            f"{path}: the store failed: {_text(error)}", hint="check the disk, then start again"
        ) from error


def damaged(path: Path, found: str) -> StoreError:
    """Give the error for a store whose file is not as SQLite wrote it."""
    return StoreError(
        f"{path}: the store is damaged: {found}",
        hint=DAMAGED_HINT,
    )


def _text(error: apsw.Error) -> str:
    """Give what SQLite says, on one line, with the extended code that names the failed call."""
    code = apsw.mapping_extended_result_codes.get(getattr(error, "extendedresult", 0), "")
    said = " ".join(str(error).split()) or type(error).__name__
    return f"{said} ({code})" if code else said

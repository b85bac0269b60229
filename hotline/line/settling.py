"""A session that was adopted, and begins once what older ones brought is on the disk, or never will be.

What is on its way to the disk cannot be called back. Until it is over nothing true can be said of what
we hold, and so nothing is said by the new session at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotline.line.context import Context
    from hotline.line.moment import Moment
    from hotline.line.receiving import Receiving
    from hotline.line.sending import Sending


class Settling:
    """Holds how the session begins; ``context.settling`` says that it has not."""

    def __init__(self, context: Context, sending: Sending, receiving: Receiving) -> None:
        """Stand by; the other parts are only asked."""
        self._context = context
        self._sending = sending
        self._receiving = receiving
        self._begin: Callable[[Moment], None] | None = None

    def wait(self, begin: Callable[[Moment], None], moment: Moment) -> None:
        """Call begin once nothing of an older session is on its way; in the place of any before it."""
        self._begin = begin
        self._context.settling = True
        self.check(moment)

    def check(self, moment: Moment) -> None:
        """Begin if it is time: should be called after every outcome of a commit."""
        if self._begin is None or self._receiving.at_disk or self._sending.receipt_at_disk:
            return
        begin, self._begin = self._begin, None
        self._context.settling = False
        begin(moment)

"""The one place where time is read."""

from __future__ import annotations

import time

import trio

from hotline.line.moment import Moment


def moment() -> Moment:
    """Give this instant by both clocks; the monotonic one is trio's, so that tests can turn it."""
    return Moment(trio.current_time(), time.time_ns())

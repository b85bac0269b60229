"""What each stage of a message's way costs a processor: the profile, without the noise of a machine.

Every stage runs alone, on one thread, a batch at a time, over a real store; what is told is the least
of many batches, in processor time. So the sum is what two daemons and a client spend on a message when
nothing waits, but for sockets, the event loop and waking each other.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Final, TypeVar

from bench import bulk
from bench.figure import Figure, Outcome, Scale, measurement
from bench.world import BODY, HEARTBEAT_S, stations

from hotline.cli import batch
from hotline.cli.ids import Ids
from hotline.daemon.requests import Requests
from hotline.line import accepting, applying, sealing
from hotline.store.interface import Transaction
from hotline.wire import frames
from support.stations import Station

T = TypeVar("T")

_MOST: Final = 1024
_STAGES: Final = {
    "client": "client: a line of the batch read, checked and spelled for the daemon",
    "parse": "sender: a request parsed",
    "compose": "sender: a message checked and encoded",
    "accept": "sender: accepted, in one transaction with 1023 others",
    "seal": "sender: numbered, hashed, signed, in one transaction with its run",
    "frame": "sender: the run put into a frame",
    "unframe": "receiver: the frame taken apart",
    "apply": "receiver: verified, decoded, stored, in one transaction with its run",
    "receipt": "sender: the receipt verified and stored",
}


class Stopwatch:
    """Processor time a message, of each stage and batch."""

    def __init__(self) -> None:
        self.us: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def stage(self, name: str, messages: int) -> Iterator[None]:
        """Time what is done inside."""
        began = time.thread_time()
        yield
        self.us[name].append((time.thread_time() - began) / messages * 1e6)


@measurement("stages")
def stages(scale: Scale) -> Outcome:
    """Bring a few dozen batches all the way."""
    watch = Stopwatch()
    with stations() as some:
        pair = some.pair(heartbeat_s=HEARTBEAT_S)
        _all_the_way(pair, watch, 2 if scale.name == "tiny" else 40)
    figures = []
    for name, what in _STAGES.items():
        figure = Figure(f"stage-{name}", what, "us")
        figure.add(min(watch.us[name]))
        figures.append(figure)
    whole = Figure("stages", "all stages of a message", "us")
    whole.add(sum(figure.median for figure in figures))
    return Outcome([*figures, whole])


def _all_the_way(pair: tuple[Station, Station], watch: Stopwatch, batches: int) -> None:
    alpha, bravo = pair
    near, far = bulk.pairing(alpha, bravo), bulk.pairing(bravo, alpha)
    requests = Requests.__new__(Requests)
    requests._operator = "bench"
    options = argparse.Namespace(
        precedence="ROUTINE", subject="", expires=None, ack_by=None, test=False
    )
    ids = Ids()
    text = json.dumps({"body": BODY}).encode() + b"\n"
    with ExitStack() as stack:
        ours, our_line = stack.enter_context(bulk.opened(alpha, bravo))
        theirs, their_line = stack.enter_context(bulk.opened(bravo, alpha))
        for _ in range(batches):
            with watch.stage("client", _MOST):
                items = [batch._item(options, 1, text, ids) for _ in range(_MOST)]
            request = f"[{','.join(item.encoded for item in items)}]"
            with watch.stage("parse", _MOST):
                asked = json.loads(request)
            with watch.stage("compose", _MOST):
                some = requests._compose_all(asked, time.time_ns())
            with watch.stage("accept", _MOST):
                _done(ours, partial(_accept, our_line, some))
            runs = []
            while True:
                began = time.thread_time()
                run = _done(ours, lambda tx: bulk.next_run(tx, our_line, near, 128 * 1024))
                if run.frame is None:
                    break
                spent = time.thread_time() - began
                watch.us["seal"].append(spent / len(run.frame.entries) * 1e6)
                runs.append(run.frame)
            for sent in runs:
                count = len(sent.entries)
                with watch.stage("frame", count):
                    kind, body = frames.encode(sent)
                with watch.stage("unframe", count):
                    frame = frames.decode(kind, body)
                with watch.stage("apply", count):
                    applied = _done(
                        theirs,
                        lambda tx, frame=frame: applying.apply(  # type: ignore[misc]
                            tx, their_line, far, [frame], time.time_ns()
                        ),
                    )
                    receipt = bulk.receipt(far, applied.record.peer)
                with watch.stage("receipt", count):
                    _done(
                        ours,
                        lambda tx, receipt=receipt: sealing.take_receipt(  # type: ignore[misc]
                            tx, our_line, near, receipt, time.time_ns()
                        ),
                    )
            ours.move_wal()
            theirs.move_wal()


def _accept(line: int, some: list[Any], tx: Transaction) -> object:
    return accepting.accept(tx, line, some, bulk.UNBOUND)


def _done(store: Any, work: Callable[[Any], T]) -> T:
    [outcome] = store.transact([work])
    assert not isinstance(outcome, Exception), outcome
    result: T = outcome
    return result

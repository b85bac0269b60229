"""What operators see of messages, compared with what was said."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from sim.ledger import RANK, Direction, Said, Violation, body_of

from hotline.model import Side, State

if TYPE_CHECKING:
    from sim.station import Station
    from sim.world import World

    from hotline.store.views import MessageView

_PAGE = 500


def pages(station: Station, side: Side, line: int, after: int) -> list[MessageView]:
    """Give all messages of one line and direction after a row, oldest first."""
    found: list[MessageView] = []
    while True:
        start = found[-1].row if found else after
        more = station.read(
            lambda reader, start=start: reader.page(  # type: ignore[misc]
                side, line=line, after=start, most=_PAGE
            )
        )
        if more is None:
            raise Violation(f"{station.name} cannot read its own messages")
        found += more
        if not more:  # a short page is not the last: one ends early when its bodies are long
            return found


def inspect_inbox(world: World, station: Station, direction: Direction) -> None:
    """Each message is shown once, in order, and says what its author said."""
    runner = station.runners.get(direction.author)
    line = world.line_number(station, direction.author)
    for view in pages(station, Side.PEER, line, direction.cursor):
        direction.cursor = view.row
        said = direction.said.get(view.id)
        if said is None:
            if world.is_clones(view.id):
                continue
            raise Violation(f"{station.name} shows {view.id}, which nobody sent")
        if view.id in direction.shown:
            raise Violation(f"{station.name} shows {view.id} twice")
        if view.body != body_of(view.id, said.size) or view.precedence != said.precedence:
            raise Violation(f"{station.name} shows {view.id} changed")
        if said.cancelled and not direction.troubled:
            raise Violation(f"{station.name} shows {view.id}, which was taken back")
        number = view.number or 0
        last = next(reversed(direction.shown.values()), 0)
        if number <= last:
            raise Violation(f"{station.name} shows {view.id} out of order")
        direction.shown[view.id] = number
        if said.size > 16_000 and runner is not None:
            _look_between_parts(world, station, view)


def _look_between_parts(world: World, station: Station, view: MessageView) -> None:
    """Note if something more urgent stands between the parts of a long message."""
    database = station.store._database
    numbers = [n for (n,) in database.execute("SELECT number FROM part WHERE row = ?", (view.row,))]
    urgent = database.execute(
        "SELECT count(*) FROM message WHERE line = (SELECT line FROM message WHERE row = ?1)"
        " AND side = 1 AND precedence = 0 AND number BETWEEN ?2 AND ?3 AND row != ?1",
        (view.row, min(numbers), max(numbers)),
    ).get
    if urgent and view.precedence:
        world.mark("FLASH overtook parts")


def inspect_outbox(world: World, station: Station, direction: Direction) -> None:
    """Nothing accepted is lost, and no state goes back or is guessed."""
    line = world.line_number(station, direction.reader)
    views = {view.id: view for view in pages(station, Side.OWN, line, 0)}
    for said in direction.said.values():
        view = views.get(said.id)
        if view is None:
            if said.answered and not said.is_test:
                raise Violation(f"{station.name} has lost {said.id}, which it had accepted")
            continue
        _state_is_true(world, direction, said, view)
    if direction.troubled:
        return
    record = next(r for r in station.read(lambda r: r.lines()) if r.line == line)
    counts = {
        "queued": sum(view.number is None and view.state in _WAITS for view in views.values()),
        "sealed": sum(view.number is not None for view in views.values()),
        "delivered": sum(
            view.number is not None
            and view.number <= (record.receipt.number if record.receipt else 0)
            for view in views.values()
        ),
        "acknowledged": sum(view.state is State.ACKNOWLEDGED for view in views.values()),
    }
    for what, count in counts.items():
        if getattr(record, what) != count:
            raise Violation(
                f"{station.name} counts {getattr(record, what)} {what} messages of {count}"
            )


_WAITS = {State.QUEUED, State.SENT}


def _state_is_true(world: World, direction: Direction, said: Said, view: MessageView) -> None:
    before, now = said.state, view.state
    if now is not before:
        if RANK[now] < RANK[before] or RANK[before] == RANK[State.EXPIRED]:
            raise Violation(f"{said.id} went back from {before} to {now}")
        if RANK[now] == RANK[State.EXPIRED] and before is not State.QUEUED:
            raise Violation(f"{said.id} became {now} after it was {before}")
        said.state = now
    if said.cancelled and now is not State.CANCELLED:
        raise Violation(f"{said.id} was taken back and is {now}")
    if now is State.EXPIRED and not said.expires:
        raise Violation(f"{said.id} expired, and had all the time in the world")
    if direction.troubled:
        return
    if now in (State.DELIVERED, State.ACKNOWLEDGED) and not world.holds(direction, view.number):
        raise Violation(f"{said.id} is called {now}, and the disk of {direction.reader} has it not")
    if now in (State.EXPIRED, State.CANCELLED) and said.id in direction.shown:
        raise Violation(f"{said.id} is called {now}, and {direction.reader} shows it")
    if now is State.ACKNOWLEDGED and not world.operators.answered(direction, said.id):
        raise Violation(f"{said.id} is called acknowledged, and nobody over there did")


def inspect_order(direction: Direction) -> None:
    """Of what waited when a run was sealed, the most urgent went first, and of that the oldest."""
    if direction.troubled:
        return
    order = [(direction.said[name], number) for name, number in direction.shown.items()]
    runs = list(direction.sealed_at)
    for place, (early, number) in enumerate(order):
        sealed_at = direction.sealed_at[runs[bisect_left(runs, number)]]
        for late, _ in order[place + 1 :]:
            if late.accepted_at < sealed_at and (
                late.precedence < early.precedence
                or (late.precedence == early.precedence and late.accepted_at < early.asked_at)
            ):
                raise Violation(f"{late.id} waited, and {early.id} went before it")


def inspect_answers(world: World, direction: Direction) -> None:
    """What a reader's operators decided is shown alike on both sides."""
    if direction.troubled:
        return
    shown = []
    for identity, peer, side in (
        (direction.author, direction.reader, Side.OWN),
        (direction.reader, direction.author, Side.PEER),
    ):
        station = next(one for one in world.stations if one.identity == identity)
        line = world.line_number(station, peer)
        shown.append({view.id: view.decision for view in pages(station, side, line, 0)})
    for identifier, decision in shown[1].items():
        if shown[0].get(identifier) != decision:
            raise Violation(
                f"{direction.reader} answered {identifier} with {decision}, "
                f"and {direction.author} sees {shown[0].get(identifier)}"
            )

"""What operators ask of the courier: the daemon packs, signs, seals and opens; files are theirs."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from hotline import limits
from hotline.daemon.clock import moment
from hotline.errors import DecodeError, HaltError, IdentityError, ProtocolError, RefusedError
from hotline.identity import courierkey
from hotline.wire import courier as courier_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotline.daemon.params import Params
    from hotline.daemon.runner import Runner
    from hotline.daemon.station import Station
    from hotline.line.courier_files import Packed, Taken
    from hotline.line.effects import Effect
    from hotline.line.moment import Moment
    from hotline.line.pairing import Pairing


def key(station: Station, params: Params) -> dict[str, Any]:
    """Give this station's courier key, signed and armoured: any line's pairing can make it."""
    params.end()
    return {"key": courierkey.armoured(station.courier_key().encoded)}


async def add(station: Station, params: Params) -> dict[str, Any]:
    """Keep a peer's courier key that came as a file."""
    armour = params.take("key", str, needed=True)
    params.end()
    try:
        encoded = courierkey.dearmoured(armour, "the courier key")
    except IdentityError as error:
        raise RefusedError("bad-courier", str(error), hint=error.hint) from None
    runner = _of(
        station,
        lambda pairing: pairing.peers.index(courierkey.station_of(encoded)) is not None,
        "courier key",
    )
    courier = runner.line.courier
    try:
        is_new = await runner.request(courier.keeping(encoded), courier.key_kept, fetch=False)
    except (DecodeError, ProtocolError) as error:
        raise RefusedError("bad-courier", f"the courier key is not kept: {error}") from None
    return {"line": runner.line.record.name, "new": is_new}


async def export(station: Station, operator: str, params: Params) -> dict[str, Any]:
    """Number what is queued and give it as one sealed file, with our receipt."""
    runner = station.runner(params.take("line", str, needed=True))
    after = params.take("after", int)
    most_bytes = params.take("limit_bytes", int, limits.COURIER_BYTES)
    unheard = params.take("unheard", bool, default=False)
    params.end()
    if most_bytes < 1:
        raise RefusedError("bad-request", "a courier file holds at least one byte")
    courier, wall_ns = runner.line.courier, moment().wall_ns
    courier.ready()

    def packed_then(packed: Packed, then: Moment) -> list[Effect]:
        effects = courier.packed(packed, operator, then)
        return effects + runner.line.recorded(packed.record, then)

    may_number = unheard or courier.may_number
    packed = await runner.request(
        lambda tx: courier.pack(tx, after, most_bytes, wall_ns, may_number=may_number),
        packed_then,
        fetch=False,
    )
    file = await station.aside(lambda: courier.seal(packed, wall_ns))
    station.watches.progressed(packed.record.name)
    return {
        "line": packed.record.name,
        "after": packed.before.number,
        "last": packed.last,
        "entry_bytes": sum(run.size_bytes for run in packed.runs),
        "receipt": packed.record.peer.number or None,
        "more": packed.more,
        "file": base64.b64encode(file).decode("ascii"),
    }


async def take_in(station: Station, operator: str, params: Params) -> dict[str, Any]:
    """Take in a file that a courier brought: all of it, or nothing."""
    file = _file(params.take("file", str, needed=True))
    params.end()
    _check_form(file)
    runner = _of(station, lambda pairing: pairing.opening(file) is not None, "courier file")
    courier, wall_ns = runner.line.courier, moment().wall_ns
    courier.ready()
    courier.roomy()
    content = await station.aside(lambda: courier.open(file))
    courier.ready()  # to open it took a while: the card may have been revoked, or the line halted

    def taken_then(taken: Taken, then: Moment) -> list[Effect]:
        effects = courier.taken(taken, content, operator, then)
        return effects + runner.line.recorded(taken.record, then)

    try:
        taken = await runner.request(
            lambda tx: courier.take_in(tx, content, wall_ns), taken_then, fetch=False
        )
    except HaltError as error:
        runner.perform(courier.disagreed(error, moment()))
        raise RefusedError(
            "halted", f"the line halts now: {error}", hint="see `hotline status`"
        ) from None
    return {
        "line": taken.record.name,
        "after": content.before.number,
        "last": content.last,
        "entries": taken.entries,
        "messages": len(taken.applied.messages),
        "delivered": taken.delivered,
    }


def _of(station: Station, fits: Callable[[Pairing], bool], what: str) -> Runner:
    """Give the line that something belongs to."""
    for name in station.line_names():
        runner = station.runner(name)
        if fits(runner.line.pairing):
            return runner
    raise RefusedError(
        "bad-courier",
        f"the {what} belongs to no line of this station",
        hint="it is for another station, or was made with keys that are no longer in use",
    )


def _check_form(file: bytes) -> None:
    """Refuse what is no courier file before it is said to belong to somebody else."""
    try:
        courier_file.check_form(file, courierkey.SEALED_OVERHEAD_BYTES)
    except DecodeError as error:
        raise RefusedError(
            "bad-courier",
            f"the courier file is not taken in: {error}",
            hint="nothing was changed; see what was copied, and whether all of it was",
        ) from None


def _file(text: str) -> bytes:
    try:
        file = base64.b64decode(text, validate=True)
    except ValueError:
        raise RefusedError("bad-request", "the courier file is not base64") from None
    if len(file) > limits.COURIER_FILE_BYTES:
        raise RefusedError(
            "too-large", f"a courier file is at most {limits.COURIER_FILE_BYTES} bytes"
        )
    return file

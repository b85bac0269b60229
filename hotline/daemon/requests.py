"""What operators may ask over the control socket, one method each; params are checked here."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeGuard

from hotline import limits
from hotline.daemon import courier_requests, views
from hotline.daemon.clock import moment
from hotline.daemon.jsonrpc import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    Call,
    CallError,
    describe,
)
from hotline.daemon.params import Params
from hotline.errors import HotlineError, RefusedError
from hotline.line import accepting, taking_back
from hotline.model import Acknowledged, Decision, Precedence, Side, State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hotline.daemon.answers import Answer
    from hotline.daemon.lasting import Lasting
    from hotline.daemon.runner import Runner
    from hotline.daemon.station import Station
    from hotline.daemon.trust import Trust
    from hotline.identity.keyfile import PassphraseSource
    from hotline.line.effects import Effect
    from hotline.line.moment import Moment
    from hotline.model import LineRecord, Outgoing
    from hotline.store.views import Damaged, MessageView


_USUAL: Final = {"id", "precedence", "subject", "body"}
_PRECEDENCES: Final[dict[str, Precedence]] = {one.name: one for one in Precedence}
_QUEUED: Final = str(State.QUEUED)


def _passphrase(given: str | None) -> PassphraseSource | None:
    """Give a source of the passphrase that a client gave in hexadecimal; raises CallError."""
    if given is None:
        return None
    try:
        passphrase = bytes.fromhex(given)
    except ValueError:
        raise CallError(INVALID_PARAMS, "passphrase is not hexadecimal") from None
    return lambda _: passphrase


def _merely_queued(answer: Any) -> TypeGuard[accepting.Accepted]:
    return type(answer) is accepting.Accepted and not answer.repeated


class Requests:
    """Serves one operator's requests; ``operator`` is who the socket says they are.

    What follows from a commit is done when that is durable, not after the wait for it: the client may
    have gone by then, and what it asked for is done all the same.
    """

    def __init__(self, station: Station, operator: str, lasting: Lasting) -> None:
        """Work on station; lasting does what this client waits for and watches."""
        self._station = station
        self._operator = operator
        self._lasting = lasting

    async def serve(self, call: Call, submitted: Callable[[], None], due: Answer) -> Any:
        """Give the result of a request; raises HotlineError.

        A send calls ``submitted`` once its place in the order of messages is fixed; a wait says of
        its answer, which is due, when it is not.
        """
        if call.method == "send":
            return await self._send(Params(call.params), submitted)
        if call.method == "wait":
            return await self._lasting.wait(Params(call.params), due)
        handler = self._METHODS.get(call.method)
        if handler is None:
            raise CallError(METHOD_NOT_FOUND, f"there is no method {call.method!r}")
        return await handler(self, Params(call.params))

    # --- messages ---

    async def _send(self, params: Params, submitted: Callable[[], None]) -> dict[str, Any]:
        runner = self._station.usable(params.take("line", str, needed=True))
        messages = params.take("messages", list, needed=True)
        brief = params.take("brief", bool, default=False)
        params.end()
        if not 1 <= len(messages) <= limits.BATCH_MESSAGES:
            raise CallError(INVALID_PARAMS, f"send takes 1 to {limits.BATCH_MESSAGES} messages")
        self._station.check_disk()
        wall_ns = moment().wall_ns
        composed = self._compose_all(messages, wall_ns)
        outgoing = [one for one in composed if not isinstance(one, HotlineError)]
        bounds = self._station.queue_limits(runner.line.record.name)
        answers: list[accepting.Accepted | RefusedError] = []
        if outgoing:
            answers = await runner.accept(outgoing, bounds, submitted)
        results = await self._results(runner.line.record.name, messages, composed, answers, brief)
        told = {"results": results, "line": views.standing(runner.line)}
        return {"queued": len(messages) - len(results), **told} if brief else told

    async def _results(
        self,
        line: str,
        messages: list[Any],
        composed: list[Any],
        answers: list[accepting.Accepted | RefusedError],
        brief: bool,
    ) -> list[dict[str, Any]]:
        """Give what became of each message; if brief, of those that were not merely queued."""
        if brief and len(answers) == len(messages) and all(map(_merely_queued, answers)):
            return []
        rest = iter(answers)
        results = []
        for at, (message, one) in enumerate(zip(messages, composed, strict=True)):
            answer = one if isinstance(one, HotlineError) else next(rest)
            if not _merely_queued(answer):
                told = await self._answer(line, message, answer)
                results.append({**told, "at": at} if brief else told)
            elif not brief:
                results.append({"id": answer.id, "state": _QUEUED, "repeated": False})
        return results

    def _compose_all(self, messages: list[Any], wall_ns: int) -> list[Any]:
        """Give an Outgoing for each of a send request, or the HotlineError that refuses it."""
        plain = self._compose_plain(messages, wall_ns)
        return plain or [self._compose(one, wall_ns) for one in messages]

    def _compose(self, values: Any, wall_ns: int) -> Any:
        try:
            return accepting.compose(self._draft(values), wall_ns)
        except CallError as error:
            return RefusedError("bad-request", str(error))
        except HotlineError as error:
            return error

    def _compose_plain(self, messages: list[Any], wall_ns: int) -> list[Outgoing] | None:
        """Give what batches are made of, all at once: plain texts under the four usual names.

        None if any is anything else; ``_draft`` then says what is wrong, if anything is.
        """
        if set(map(type, messages)) != {dict} or not all(one.keys() <= _USUAL for one in messages):
            return None
        ids = [one.get("id") for one in messages]
        words = [one.get("precedence", "ROUTINE") for one in messages]
        subjects = [one.get("subject", "") for one in messages]
        bodies = [one.get("body", "") for one in messages]
        # Who composes looks at the other texts.
        if set(map(type, chain(ids, words))) != {str} or not _PRECEDENCES.keys() >= set(words):
            return None
        precedences = [_PRECEDENCES[word] for word in words]
        return accepting.compose_all(ids, precedences, subjects, bodies, self._operator, wall_ns)

    def _draft(self, values: Any) -> accepting.Draft:
        """Give the draft of any message of a send request; raises CallError."""
        if not isinstance(values, dict):
            raise CallError(INVALID_PARAMS, "a message is an object")
        params = Params(values)
        draft = accepting.Draft(
            id=params.take("id", str, needed=True),
            precedence=params.word("precedence", Precedence, "ROUTINE"),
            subject=params.take("subject", str, ""),
            body=params.take("body", str, ""),
            author=self._operator,
            expires_ns=params.time("expires_at"),
            ack_by_ns=params.time("ack_by"),
            is_test=params.take("test", bool, default=False),
        )
        params.end()
        return draft

    async def _answer(self, line: str, message: Any, answer: Any) -> dict[str, Any]:
        if isinstance(answer, HotlineError):
            identifier = message.get("id") if isinstance(message, dict) else None
            return {"id": identifier, "error": {"message": str(answer), **describe(answer)}}
        return {"id": answer.id, "state": await self._state(answer.id, line), "repeated": True}

    async def _state(self, identifier: str, line: str) -> str | None:
        """Give how far a message that is known here has come; None if the store cannot tell now.

        It is in the store all the same, and so are those that were queued beside it a moment ago: to
        refuse any of them would have somebody send it anew under another id.
        """
        try:
            found, _ = await self._known(identifier, line)
        except RefusedError:  # no further reader can be opened
            return None
        return next((str(view.state) for view in found if view.side is Side.OWN), None)

    async def _inbox(self, params: Params) -> dict[str, Any]:
        return await self._page(params, Side.PEER)

    async def _outbox(self, params: Params) -> dict[str, Any]:
        return await self._page(params, Side.OWN)

    async def _page(self, params: Params, side: Side) -> dict[str, Any]:
        name = params.take("line", str)
        after, before = params.take("after", int), params.take("before", int)
        open_only = params.take("open", bool, default=False)
        most = min(max(params.take("limit", int, 100), 1), limits.PAGE_ROWS)
        skips = params.take("skip_damaged", bool, default=False)
        params.end()
        line = self._station.runner(name).line.record.line if name is not None else None
        found, damaged = await self._station.read_round(
            lambda reader, passed: reader.page(
                side,
                line=line,
                after=after,
                before=before,
                open_only=open_only,
                most=most,
                passed=passed if skips else None,
            )
        )
        rows = [view.row for view in found] + [one.row for one in damaged]
        more = False
        if rows:
            beyond = await self._station.read_round(
                lambda reader, passed: reader.page(
                    side,
                    line=line,
                    after=max(rows) if after is not None else None,
                    before=min(rows) if after is None else None,
                    open_only=open_only,
                    most=1,
                    passed=passed,
                )
            )
            more = any(beyond)
        answer = {"messages": [views.message(view) for view in found], "more": more}
        return answer | ({"damaged": [views.damaged(one) for one in damaged]} if skips else {})

    async def _show(self, params: Params) -> dict[str, Any]:
        identifier = params.take("id", str, needed=True)
        name = params.take("line", str)
        skips = params.take("skip_damaged", bool, default=False)
        params.end()
        found, damaged = await self._known(identifier, name)
        if damaged and not skips:
            raise damaged[0].error
        if not found and not damaged:
            raise RefusedError("not-found", f"there is no message {identifier!r}")
        answer = {"messages": [views.message(view) for view in found]}
        return answer | ({"damaged": [views.damaged(one) for one in damaged]} if skips else {})

    async def _known(
        self, identifier: str, name: str | None
    ) -> tuple[list[MessageView], list[Damaged]]:
        """Give all messages with this id, on this line or any, and those of them that are damaged."""
        found, damaged = await self._station.read_round(
            lambda reader, passed: reader.show(identifier, passed)
        )
        return (
            [view for view in found if name in (None, view.line)],
            [one for one in damaged if name is None or one.line in (None, name)],
        )

    async def _line_of(self, identifier: str, name: str | None, side: Side) -> Runner:
        """Give the runner of the one line that has this message on this side."""
        found, damaged = await self._known(identifier, name)
        if damaged:
            raise damaged[0].error
        lines = {view.line for view in found if view.side is side}
        if not lines:
            what = "received" if side is Side.PEER else "sent"
            raise RefusedError("not-found", f"no message {identifier!r} was {what}")
        if len(lines) > 1:
            raise RefusedError(
                "ambiguous",
                f"message {identifier} is on the lines {', '.join(sorted(lines))}",
                hint="say which with --line",
            )
        return self._station.runner(lines.pop())

    async def _ack(self, params: Params) -> dict[str, Any]:
        identifier = params.take("id", str, needed=True)
        name = params.take("line", str)
        decision = params.word("decision", Decision, "read")
        note = params.take("note", str, "")
        params.end()
        if len(note.encode(errors="replace")) > limits.NOTE_BYTES:
            raise RefusedError("too-large", f"a note is at most {limits.NOTE_BYTES} bytes")
        runner = await self._line_of(identifier, name, Side.PEER)
        self._station.usable(runner.line.record.name)
        answer = Acknowledged(self._operator, decision, note, moment().wall_ns)
        number = runner.line.record.line
        _, view = await runner.request(
            lambda tx: accepting.acknowledge(tx, number, identifier, answer),
            lambda outcome, then: runner.line.recorded(outcome[0], then),
            fetch=True,
        )
        return {"message": views.message(view)}

    async def _cancel(self, params: Params) -> dict[str, Any]:
        identifier = params.take("id", str, needed=True)
        name = params.take("line", str)
        params.end()
        runner = await self._line_of(identifier, name, Side.OWN)
        number = runner.line.record.line

        def cancelled(outcome: tuple[LineRecord, MessageView], then: Moment) -> list[Effect]:
            self._station.watches.progressed(outcome[1].line)
            return runner.line.recorded(outcome[0], then)

        _, view = await runner.request(
            lambda tx: accepting.cancel(tx, number, identifier), cancelled, fetch=False
        )
        return {"message": views.message(view)}

    # --- the line ---

    async def _status(self, params: Params) -> dict[str, Any]:
        params.end()
        return self._station.status()

    async def _retry(self, params: Params) -> dict[str, Any]:
        name = params.take("line", str)
        params.end()
        names = [name] if name is not None else self._station.usable_names()
        runners = [self._station.usable(each) for each in names]
        every = self._station.line_names() if name is None else names
        outcomes = [views.retried(self._station.runner(each).line) for each in every]
        replies = [runner.retry() for runner in runners]
        for reply in replies:
            await reply.wait()
        return {"lines": names, "outcomes": outcomes}

    async def _recover(self, params: Params) -> dict[str, Any]:
        runner = self._station.usable(params.take("line", str, needed=True))
        params.end()
        number = runner.line.record.line

        def begun(record: LineRecord, then: Moment) -> list[Effect]:
            self._station.recovery_asked(record.name, self._operator)
            return runner.line.recorded(record, then)

        await runner.request(lambda tx: taking_back.begin(tx, number), begun, fetch=False)
        await runner.retry().wait()
        return {"line": runner.line.record.name}

    # --- the courier ---

    async def _courier_key(self, params: Params) -> dict[str, Any]:
        return courier_requests.key(self._station, params)

    async def _courier_add(self, params: Params) -> dict[str, Any]:
        return await courier_requests.add(self._station, params)

    async def _courier_export(self, params: Params) -> dict[str, Any]:
        return await courier_requests.export(self._station, self._operator, params)

    async def _courier_import(self, params: Params) -> dict[str, Any]:
        return await courier_requests.take_in(self._station, self._operator, params)

    # --- the peer's card ---

    async def _verify(self, params: Params) -> dict[str, Any]:
        return await self._decide(params, self._station.verify)

    async def _revoke(self, params: Params) -> dict[str, Any]:
        return await self._decide(params, self._station.revoke)

    async def _decide(
        self, params: Params, decide: Callable[[str, bytes, bytes, str], Awaitable[Trust]]
    ) -> dict[str, Any]:
        name = params.take("line", str, needed=True)
        own_id, peer_id = params.station_id("own_id"), params.station_id("peer_id")
        params.end()
        trust = await decide(name, own_id, peer_id, self._operator)
        return {"line": name, **views.trust(trust)}

    async def _trust(self, params: Params) -> dict[str, Any]:
        peer_id = params.station_id("peer_id")
        params.end()
        return views.trust(await self._station.trust(peer_id))

    # --- our keys ---

    async def _rotate(self, params: Params) -> dict[str, Any]:
        only_check = params.take("check", bool, default=False)
        given = params.take("passphrase", str)
        params.end()
        number = self._station.check_rotation()
        if not only_check:
            await self._station.rotate(_passphrase(given), self._operator)
        return {"number": number}

    # --- what lasts ---

    async def _watch(self, params: Params) -> dict[str, Any]:
        return await self._lasting.watch(params)

    _METHODS: ClassVar[dict[str, Callable[[Requests, Params], Awaitable[Any]]]] = {
        "inbox": _inbox,
        "outbox": _outbox,
        "show": _show,
        "ack": _ack,
        "cancel": _cancel,
        "status": _status,
        "retry": _retry,
        "recover": _recover,
        "rotate": _rotate,
        "courier_key": _courier_key,
        "courier_add": _courier_add,
        "courier_export": _courier_export,
        "courier_import": _courier_import,
        "verify": _verify,
        "revoke": _revoke,
        "trust": _trust,
        "watch": _watch,
    }

"""Operators of real daemons: they ask over the control socket, watch there, and may fall asleep."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import trio
from sim.daemon_streams import desk
from sim.ledger import Said, Violation, body_of
from sim.operators import Operators

from hotline.errors import RefusedError
from hotline.line.accepting import Accepted
from hotline.model import Decision, State
from hotline.text import utc_microseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.daemon_machine import Life

_LONG_S = 3600.0


class DaemonOperators(Operators):
    """All operators of all daemons."""

    world: Any

    def _request(
        self,
        life: Life,
        method: str,
        params: dict[str, Any],
        told: Callable[[dict[str, Any]], None],
    ) -> None:
        self.world.nursery.start_soon(self._ask, life, method, params, told)

    async def _ask(self, life: Life, method: str, params: Any, told: Any) -> None:
        if life.operators is None or life.over:
            return
        server, client = desk()
        life.operators.put(server)
        try:
            with trio.move_on_after(_LONG_S):
                request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
                await client.send_all(json.dumps(request).encode() + b"\n")
                answer = b""
                while not answer.endswith(b"\n"):
                    data = await client.receive_some()
                    if not data:
                        return
                    answer += data
                if not life.over:
                    told(json.loads(answer))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            await trio.aclose_forcefully(client)

    # --- what they ask ---

    def _ask_to_send(self, runner: Any, said: Said) -> None:
        station, life = runner.station, runner.station.process
        message = {
            "id": said.id,
            "precedence": said.precedence.name,
            "body": body_of(said.id, said.size),
            "test": said.is_test,
        }
        if said.expires:
            after_ns = int(self.random.expovariate(1 / 60) * 1e9) + 1_000_000
            message["expires_at"] = utc_microseconds(station.moment().wall_ns + after_ns)
        if said.id not in self._direction(runner).said:
            self._direction(runner).said[said.id] = said
            said.asked_at = self.world.now
        self._requests += 1
        request = self._requests
        self._asked[request] = (station, runner.peer, said)

        def told(answer: dict[str, Any]) -> None:
            if self._asked.pop(request, None) is not None:
                self._told(runner, said, _outcome(said, answer))

        self._request(life, "send", {"line": runner.peer, "messages": [message]}, told)

    def _acknowledge(self, runner: Any) -> None:
        station = runner.station
        incoming = self.world.checker.directions[runner.peer, station.identity]
        if incoming.shown:
            identifier = self.random.choice(list(incoming.shown))
            decision = self.random.choice(list(Decision)).name
            self.acknowledged.setdefault((runner.peer, station.identity), set()).add(identifier)
            params = {"id": identifier, "line": runner.peer, "decision": decision}
            self._request(station.process, "ack", params, lambda _answer: None)

    def _cancel(self, runner: Any) -> None:
        waiting = [
            one
            for one in self._direction(runner).said.values()
            if one.state is State.QUEUED and one.answered and not one.is_test
        ]
        if not waiting:
            return
        said = self.random.choice(waiting[-5:])

        def told(answer: dict[str, Any]) -> None:
            if "result" in answer:
                said.cancelled = True
                self.world.mark("a message was taken back")
            else:
                self.world.mark("a cancel came after the seal")

        params = {"id": said.id, "line": runner.peer}
        self._request(runner.station.process, "cancel", params, told)

    def _retry(self, runner: Any) -> None:
        self.retried[runner.station.name, runner.peer] = self.world.now
        params = {"line": runner.peer}
        self._request(runner.station.process, "retry", params, lambda _answer: None)

    # --- on watch ---

    def _attend(self, runner: Any) -> None:
        asleep = self.random.random() < 0.3
        self.world.nursery.start_soon(self._watch, runner, asleep)

    async def _watch(self, runner: Any, asleep: bool) -> None:
        """Look on for a while; one that is asleep reads nothing, and must not hold up anybody."""
        life = runner.station.process
        if life.operators is None or life.over:
            return
        server, client = desk()
        life.operators.put(server)
        pace_s = max(self.world.options.heartbeat_s.values())
        try:
            with trio.move_on_after(pace_s * self.random.uniform(0.5, 10)):
                await client.send_all(b'{"jsonrpc":"2.0","id":1,"method":"watch","params":{}}\n')
                if asleep:
                    self.world.mark("a watch stalled")
                    await trio.sleep_forever()
                buffer = b""
                while data := await client.receive_some():
                    *lines, buffer = (buffer + data).split(b"\n")
                    for line in lines:
                        self._saw(life, json.loads(line))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            await trio.aclose_forcefully(client)

    def _saw(self, life: Life, told: dict[str, Any]) -> None:
        """Whatever an operator on watch is shown is durable, and in the inbox."""
        event = told.get("params", {})
        if life.over or event.get("event") != "message":
            return
        self.world.mark("a watch showed a message")
        identifier, station = event["message"]["id"], life.station
        direction = self.world.checker.directions[event["line"], station.identity]
        if identifier not in direction.shown:
            raise Violation(f"{station.name} shows its watch {identifier}, which is not durable")


def _outcome(said: Said, answer: dict[str, Any]) -> Any:
    """Give an answer as the first tier's operators know it."""
    if "error" in answer:
        return RefusedError("failed", str(answer["error"]))
    [result] = answer["result"]["results"]
    if "error" in result:
        error = result["error"]
        return [RefusedError(error.get("code", ""), error["message"])]
    return [Accepted(said.id, repeated=result["repeated"])]

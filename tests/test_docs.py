"""The documents are held to the code: every command in README.md is run, every table is compared.

README's ``sh`` blocks start with ``# on alpha`` or ``# on bravo``, which chooses the station, or stand
for a working copy. Folders on loopback stand in for the two machines: what scp brings lies in the home,
and commands run in the working copy. A command that this harness does not know fails the test, so
nothing can be added to README without being run.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest

from hotline import errors, limits
from hotline.cli import exits, rendering
from hotline.daemon import config as configuration
from hotline.daemon import control, logs, run, watching
from hotline.daemon.requests import Requests
from hotline.evidence import excerpt as evidence_excerpt
from hotline.evidence import file as evidence_file
from hotline.evidence import proof as evidence_proof
from hotline.identity import card, courierkey, halves, keyfile, linesecret, pgp_words, succession
from hotline.line.liveness import REASONS, Facts, assess
from hotline.line.pairing import Pairing
from hotline.line.session import Session
from hotline.noise.ephemerals import system_ephemerals
from hotline.noise.kem import MLKEM1024
from hotline.store import reader as store_reader
from hotline.wire import entries, frames, heads
from support import by_the_page, protocol_examples
from support.leftovers import processes_in

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PROTOCOL = ROOT / "docs" / "protocol.md"
OPERATIONS = ROOT / "docs" / "operations.md"
THREATS = ROOT / "docs" / "threat-model.md"
DOCUMENTS = sorted([README, ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])

LONG_S = 90.0
POLL_S = 0.05


# --- reading the documents ------------------------------------------------------------------------


def blocks(text: str, language: str) -> list[str]:
    """Give what stands in fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def section(text: str, heading: str) -> str:
    """Give the text under a heading, up to the next one of its level or above."""
    match = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    assert match is not None, f"there is no heading {heading!r}"
    rest = text[match.end() :]
    end = re.search(rf"^#{{1,{len(match[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def rows(text: str) -> list[list[str]]:
    """Give the cells of every table row, without headings and rules."""
    found: list[list[str]] = []
    lines = text.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        is_row = line.startswith("|") and not re.fullmatch(r"\|[-| ]+\|", line)
        if is_row and not re.fullmatch(r"\|[-| ]+\|", following):
            found.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return found


def code(cell: str) -> list[str]:
    """Give the words of a cell that are set as code."""
    return re.findall(r"`([^`]+)`", cell)


def first_words(text: str) -> set[str]:
    """Give every word set as code in the first cell of a table's rows."""
    return {word for row in rows(text) for word in code(row[0])}


# --- every command in README is run ---------------------------------------------------------------


@dataclass
class Machine:
    """Two folders that stand in for one of README's machines: a home, and a working copy elsewhere."""

    name: str
    home: Path
    folder: Path
    port: int
    running: list[subprocess.Popen[str]] = field(default_factory=list)


class Tour:
    """Two machines, and what README's reader does on them."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as one, socket.socket() as two:
            for each in (one, two):
                each.bind(("127.0.0.1", 0))
            ports = [each.getsockname()[1] for each in (one, two)]
        self.machines = {
            name: Machine(name, folder / f"home-{name}", folder / name, port)
            for name, port in zip(("alpha", "bravo"), ports, strict=True)
        }
        for machine in self.machines.values():
            machine.home.mkdir()
            machine.folder.mkdir()
        self.verbs_run: set[str] = set()
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        self.environment = {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"}
        self.environment.pop("HOTLINE_CONFIG", None)

    def close(self) -> None:
        """Leave nothing running."""
        for machine in self.machines.values():
            for process in machine.running:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(LONG_S)
                process.kill()
                process.wait()

    def do(self, machine: Machine | None, command: str) -> None:
        """Do what a command in README does, or fail if nobody has said how it is to be tested."""
        words = shlex.split(command.rpartition("| ")[2])
        if words[0] == "make":
            subprocess.run(
                ["make", "-n", *words[1:]],
                cwd=ROOT,
                capture_output=True,
                timeout=LONG_S,
                check=True,
            )
            return
        assert machine is not None, f"on which machine? {command}"
        if command == ". .venv/bin/activate":
            return  # the harness's PATH does the same
        if words[0] == "scp":
            self._copy(machine, *words[1:])
        elif words[0] == "hotline":
            self._hotline(machine, command, words)
        else:
            pytest.fail(f"README has a command that this test does not know: {command}")

    def _copy(self, machine: Machine, file: str, target: str) -> None:
        match = re.fullmatch(r"operator@(\w+)\.example:", target)
        assert match is not None, f"scp to where? {target}"
        shutil.copy(machine.folder / file, self.machines[match[1]].home)

    def _hotline(self, machine: Machine, command: str, words: list[str]) -> None:
        self.verbs_run.add(words[1])
        command = command.replace("0.0.0.0:1963", f"127.0.0.1:{machine.port}")
        for other in self.machines.values():
            command = command.replace(f"{other.name}.example:1963", f"127.0.0.1:{other.port}")
        if words[1] == "run":
            self._start(machine, command)
            self._until(machine, "hotline status")
        elif words[1] == "watch" or "--follow" in words:
            self._look_on(machine, command)
        elif "--check" in words or words[1:3] == ["courier", "export"]:
            # (The peer's courier key comes within two heartbeats.)
            self._until(machine, command)
        else:
            self._run(machine, command)

    def _run(self, machine: Machine, command: str) -> subprocess.CompletedProcess[str]:
        done = self._try(machine, command)
        assert done.returncode == 0, f"{machine.name}$ {command}\n{done.stdout}{done.stderr}"
        return done

    def _try(self, machine: Machine, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", command],
            cwd=machine.folder,
            env=self.environment | {"HOME": str(machine.home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONG_S,
            check=False,
        )

    def _until(self, machine: Machine, command: str) -> None:
        """Repeat a command, as a person would, until it succeeds."""
        deadline = time.monotonic() + LONG_S
        while (done := self._try(machine, command)).returncode != 0:
            assert time.monotonic() < deadline, f"{machine.name}$ {command}\n{done.stderr}"
            time.sleep(POLL_S)

    def _start(self, machine: Machine, command: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            ["sh", "-c", f"exec {command}"],
            cwd=machine.folder,
            env=self.environment | {"HOME": str(machine.home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        machine.running.append(process)
        return process

    def _look_on(self, machine: Machine, command: str) -> None:
        """Run what does not end by itself until it has said something, then interrupt it."""
        process = self._start(machine, command)
        assert process.stdout is not None
        assert process.stdout.readline() != ""
        process.send_signal(signal.SIGINT)
        assert process.wait(LONG_S) == exits.INTERRUPTED
        process.stdout.close()
        machine.running.remove(process)


@pytest.fixture
def tour(tmp_path: Path) -> Iterator[Tour]:
    made = Tour(tmp_path)
    try:
        yield made
    finally:
        made.close()
        for machine in made.machines.values():
            for process in machine.running:
                assert process.stdout is not None
                process.stdout.close()


def check_control_example(folder: Path) -> None:
    """Send what the example in operations.md sends; socat itself may not be installed here."""
    [example] = blocks(OPERATIONS.read_text(), "console")
    match = re.fullmatch(
        r"\$ echo '(.+)' \| socat -t 5 - UNIX-CONNECT:(state/control\.sock)\n", example
    )
    assert match is not None
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(LONG_S)
        client.connect(os.path.relpath(folder / match[2]))
        client.sendall(match[1].encode() + b"\n")
        client.shutdown(socket.SHUT_WR)
        with client.makefile() as answers:
            [answer] = map(json.loads, answers)
    assert answer["id"] == 1
    text = section(OPERATIONS.read_text(), "Status")
    fields = set(answer["result"])
    assert fields <= set(code(text.partition("and `lines`")[0])) | {"lines"}
    [line] = answer["result"]["lines"]
    assert set(line) == first_words(text)


def test_every_command_in_readme_works(tour: Tour, tmp_path: Path) -> None:
    """The first thing a new operator does is to copy these lines."""
    for block in blocks(README.read_text(), "sh"):
        machine = None
        for line in block.splitlines():
            if match := re.fullmatch(r"# on (\w+)", line):
                machine = tour.machines[match[1]]
            elif line:
                tour.do(machine, line)
    # What the tour has to show.
    wanted = {
        "init",
        "peer",
        "run",
        "send",
        "inbox",
        "ack",
        "status",
        "watch",
        "heartbeats",
        "retry",
    }
    assert wanted - tour.verbs_run == set()
    check_control_example(tour.machines["alpha"].folder)
    tour.close()
    assert processes_in(tmp_path) == []


def test_a_new_terminal_is_made_ready() -> None:
    """The daemon has a terminal of its own, which has not seen what was done in the first one."""
    starts = [block for block in blocks(README.read_text(), "sh") if "\nhotline run\n" in block]
    assert len(starts) == 2
    for block in starts:
        assert block.splitlines()[1:] == [". .venv/bin/activate", "hotline run"]


def test_a_command_that_nobody_tests_fails(tour: Tour) -> None:
    """A harness that skips what it does not know would let README rot."""
    with pytest.raises(pytest.fail.Exception, match="does not know"):
        tour.do(tour.machines["alpha"], "rm -rf state")


# --- the protocol ---------------------------------------------------------------------------------


def test_the_worked_examples_are_what_the_code_makes() -> None:
    """A stranger who follows a wrong example writes a station that never connects."""
    assert protocol_examples.rendered() in blocks(PROTOCOL.read_text(), "text")


@pytest.mark.parametrize("line_secret", [b"", bytes([7]) * 32], ids=["no secret", "line secret"])
def test_a_session_can_be_made_from_the_page_alone(line_secret: bytes) -> None:
    """Two makers' stations must meet on the wire; here the other maker has read only the page."""
    alpha_keys, alpha = protocol_examples.station("alpha", 1)
    bravo_keys, bravo = protocol_examples.station("bravo", 4)
    stranger = by_the_page.Initiator(alpha_keys, alpha, bravo, line_secret)
    session = Session(
        Pairing(bravo_keys, bravo, alpha, line_secret),
        system_ephemerals(MLKEM1024),
        initiator=False,
    )

    assert list(session.receive(stranger.first_unit())) == []
    answer = session.pull(4096)
    assert len(answer) == 4096
    stranger.read_second_unit(answer)
    [(frame_type, body)] = stranger.frames(session.pull(2**20))
    assert frame_type == 1
    stranger.check_attestation(body)
    list(session.receive(stranger.attestation()))
    assert session.is_open

    # Both directions, over the change of key after 1024 records.
    zero = heads.head_zero(alpha.id, bravo.id)
    for number in range(1, 1100):
        beat = [number, 1, 0, 0, 5000, 0, zero, 0, zero, 0, True, False]
        [heard] = session.receive(stranger.units(5, beat))
        assert isinstance(heard, frames.Heartbeat)
        assert heard.number == number
        session.push(heard)
        [(frame_type, body)] = stranger.frames(session.pull(4096))
        assert (frame_type, msgpack.unpackb(body)) == (5, beat)
    [close] = session.receive(stranger.units(7, ["stopped", ""]))
    assert close == frames.Close("stopped", "")


FRAMES = (
    *(frames.Hello, frames.Entries, frames.ReceiptFrame, frames.Heartbeat),
    *(frames.CheckpointFrame, frames.Returned),
)
ENTRIES = (entries.Message, entries.Part, entries.Acknowledgement, entries.KeyChange)


@pytest.mark.parametrize("cls", [*FRAMES, *ENTRIES], ids=lambda cls: str(cls.SHAPE.name))
def test_field_tables_have_every_field_and_its_bounds(cls: Any) -> None:
    """One field too few in a table, and no frame of a stranger's station is ever accepted."""
    name = cls.SHAPE.name.removesuffix(" entry")
    _, found, text = PROTOCOL.read_text().partition(f"\n**{name}**")
    assert found
    # The first table after the name.
    text = text[text.index("\n|") :].partition("\n\n")[0]
    table: list[list[str]] = []
    for row in rows(text):
        # "6 to 9" stands for fields that were described before.
        first, _, last = row[0].partition(" to ")
        table += [row] * (int(last or first) - int(first) + 1)
    fields = cls.SHAPE._fields
    assert len(table) == len(fields)
    words = {
        int: ("uint", "int"),
        bytes: ("bin",),
        str: ("str",),
        bool: ("bool",),
        tuple: ("array",),
    }
    for row, wanted in zip(table, fields, strict=True):
        if row[2] == "":
            continue
        assert row[2].split()[0] in words[wanted.kind], wanted.name
        assert ("nil" in row[2]) == wanted.optional, wanted.name
        numbers = [int(number) for number in re.findall(r"(?<![\^-])\b\d+\b(?!\^)", row[3])]
        if numbers and wanted.kind is not tuple and "^" not in row[3] and "from" not in row[3]:
            assert (numbers[0], numbers[-1] if len(numbers) < 3 else numbers[1]) == (
                wanted.low if len(numbers) > 1 else wanted.high,
                wanted.high,
            ), wanted.name


def test_the_evidence_table_has_every_bound() -> None:
    """Who makes a file that is larger than the page says, or refuses one that is not, is misled."""
    text = section(PROTOCOL.read_text(), "Evidence of one message")
    table: list[tuple[str, list[int]]] = []
    for row in rows(text[: text.index("An **excerpt**")]):
        bounds = [int(number) for number in re.findall(r"\b\d+\b", row[3])]
        table += [(row[2], bounds)] * len(row[0].split(", "))
    fields = evidence_proof._SHAPE._fields
    for (kind, bounds), wanted in zip(table[1:], fields[1:], strict=True):
        known = [wanted.low, wanted.high]
        known += [wanted.item.low, wanted.item.high] if wanted.item is not None else []
        assert ("nil" in kind, bounds) == (wanted.optional, known), wanted.name
    for whole in (evidence_proof._SHAPE, evidence_excerpt._SHAPE):
        assert f"at most {whole.max_bytes} bytes" in text


def test_the_word_list_is_the_one_that_the_page_names() -> None:
    """Copies of the list differ; two operators with two lists would never hear the same words."""
    lines = zip(pgp_words.TWO_SYLLABLES, pgp_words.THREE_SYLLABLES, strict=True)
    written = "".join(f"{two} {three}\n" for two, three in lines)
    assert written.count("\n") == 256
    [told] = blocks(section(PROTOCOL.read_text(), "The pair code"), "text")
    assert "".join(told.split()) == hashlib.sha512(written.encode("ascii")).hexdigest()


def test_armours_are_those_of_the_code() -> None:
    """Who is told that a secret may travel by wire, or a public file not, writes another protocol."""
    modules = (card, courierkey, halves, keyfile, linesecret, succession)
    known = {one._ARMOUR.label: one._ARMOUR.max_bytes for one in modules}
    known[evidence_file.ARMOUR.label] = evidence_file.ARMOUR.max_bytes
    table = [row for row in rows(section(PROTOCOL.read_text(), "Armour")) if len(row) == 4]
    assert {code(row[1])[0]: int(row[2]) for row in table} == known
    never = {code(row[1])[0] for row in table if row[3] == "never"}
    secret = {"HOTLINE SECRET KEY", "HOTLINE LINE SECRET", "HOTLINE HALF SECRET"}
    assert never == secret | {evidence_file.ARMOUR.label}


def test_frame_types_are_those_of_the_code() -> None:
    text = section(PROTOCOL.read_text(), "Frames")
    named = {
        int(row[0]): code(row[1])[0] for row in rows(text) if len(row) == 2 and code(row[1])[:1]
    }
    known = {cls.TYPE: cls.SHAPE.name for cls in frames._CLASSES.values()}
    assert named == known


def close_codes() -> set[str]:
    """Find the codes with which a line closes sessions."""
    found = set()
    for name in ("line.py", "endings.py"):
        for node in ast.walk(ast.parse((ROOT / "hotline" / "line" / name).read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr == "close_all":
                code = node.args[0]
            elif node.func.attr == "close":
                code = node.args[1]
                if isinstance(code, ast.Name):
                    continue  # in close_all, whose callers are seen
            else:
                continue
            assert isinstance(code, ast.Constant), "the code must be seen here, or one call further"
            found.add(str(code.value))
    return found


def test_close_codes_are_those_of_the_code() -> None:
    assert first_words(section(PROTOCOL.read_text(), "close")) == close_codes()


def test_what_operators_make_wait_is_bounded_as_the_page_says() -> None:
    """Who sizes a machine by this table must find all that may wait in it, with the code's bounds."""
    table = dict(rows(section(THREATS.read_text(), "Bounded memory")))
    mebi = f"{watching._CHARACTERS_WAITING // limits.MIB} Mi characters"
    each = f"{limits.CONTROL_CLIENTS} connections"
    wanted = {
        "operators' commands": [each, "4 MiB", f"{control._CALLS_AT_ONCE} under way"],
        "answers to operators": [
            f"{control._CALLS_AT_ONCE} a connection",
            f"{store_reader.PAGE_BYTES // limits.MIB} Mi characters",
        ],
        "events for an operator on watch": [mebi, f"{watching._EVENTS_WAITING} events"],
        "messages that are to be shown": [
            f"{watching._NEWS_WAITING} runs of {watching._READ_AT_ONCE} ids"
        ],
    }
    for what, words in wanted.items():
        assert [word for word in words if word not in table[what]] == []
    assert limits.CONTROL_REQUEST_BYTES == 4 * limits.MIB


# --- operations -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """A call that logs: its event, the fields in its text, whether there may be more, its levels."""

    name: str
    fields: frozenset[str]
    more: bool
    levels: frozenset[str]


def events() -> list[Event]:
    """Find every event that the code logs, by the shape of the calls that log."""
    layers = (ROOT / "hotline" / "daemon", ROOT / "hotline" / "line")
    sources = [path.read_text() for layer in layers for path in sorted(layer.glob("*.py"))]
    calls = [n for text in sources for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)]
    return [event for event in map(logged, calls) if event is not None]


def logged(call: ast.Call) -> Event | None:
    """Give the event that a call logs, if it logs one by a name in its text."""
    called = call.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    known = {"report", "_log", "_note", "Note", "debug", "info", "warning", "error", "critical"}
    arguments = call.args[1:] if name == "Note" else call.args
    if name not in known or not arguments or not isinstance(arguments[0], ast.Constant):
        return None
    event = arguments[0].value
    if not isinstance(event, str):
        return None
    unlogged = (None, "level", "about", "answers", "exc_info")
    given = {word.arg for word in call.keywords if word.arg not in unlogged}
    if any(word.arg == "exc_info" for word in call.keywords):
        given.add("exception")
    if name == "report":
        given.add("line")
    if name == "_note":
        given.add("file")
    more = name == "Note" or any(word.arg is None for word in call.keywords)
    return Event(event, frozenset(str(one) for one in given), more, levels_of(name, call))


def levels_of(name: str, call: ast.Call) -> frozenset[str]:
    """Give the levels at which a call logs that calls by name; a choice between two is both."""
    if name in ("debug", "info", "warning", "error", "critical"):
        return frozenset({name})
    if name == "Note":
        said: ast.AST | None = call.args[0]
    else:
        said = next((word.value for word in call.keywords if word.arg == "level"), None)
    if said is None:
        return frozenset({"warning" if name == "_note" else "info"})
    choice = (said.body, said.orelse) if isinstance(said, ast.IfExp) else (said,)
    assert all(isinstance(one, ast.Constant) for one in choice), "the level must be seen here"
    return frozenset(str(one.value) for one in choice if isinstance(one, ast.Constant))


def test_every_event_is_documented_with_its_fields() -> None:
    """Somebody's alarm waits for an event by name; one that is not listed cannot be waited for."""
    table = rows(section(OPERATIONS.read_text(), "Events"))
    documented = {code(row[0])[0]: set(code(row[1])) for row in table}
    found = events()
    assert {event.name for event in found} == set(documented)
    for event in found:
        wanted = documented[event.name]
        assert event.fields <= wanted if event.more else event.fields == wanted, event


def test_levels_are_those_of_the_code() -> None:
    """An alarm that waits for errors alone misses what the page promised as one."""
    text = section(OPERATIONS.read_text(), "Logs").partition("### Events")[0]
    listed = dict(re.findall(r"^- (critical|error|warning): (.*(?:\n  .*)*)", text, re.MULTILINE))
    for level in ("critical", "error", "warning"):
        known = {event.name for event in events() if level in event.levels}
        assert set(code(listed[level])) - {"up"} == known, level


def test_reasons_are_those_of_the_code() -> None:
    """An operator who looks a reason up must find it."""
    text = section(OPERATIONS.read_text(), "Reasons")
    usual, halted = text.split("While `halted`")
    assert first_words(usual) == set(REASONS)
    codes = set(re.findall(r"``([\w-]+)``", errors.HaltError.__doc__ or ""))
    assert first_words(halted) == codes - {"code"}
    # What a standing session may be; without one, any other reason is that of a line that is down.
    with_state = {(state, code(row[0])[0]) for row in rows(usual) for state in code(row[1])}
    known = standing_states()
    assert {pair for pair in with_state if pair[0] != "down"} == {
        pair for pair in known if pair[0] != "down"
    }
    never_down = {"proven", "unattended", "one-way", "recovering", "peer-recovering", "no-receipts"}
    assert {reason for state, reason in with_state if state == "down"} == set(REASONS) - never_down
    assert not {reason for state, reason in known if state == "down"} & never_down


def standing_states() -> set[tuple[str, str]]:
    """Give every state with its reason that a line with a session can have."""
    at_ease = Facts(
        now=100.0,
        halt=None,
        standing=True,
        trouble="",
        heard_at=100.0,
        proven_at=100.0,
        interval_s=5.0,
        peer_interval_s=5.0,
    )
    troubles: list[dict[str, Any]] = [
        {},
        *(
            {"heard_at": at, "kernel_took_all": took}
            for at in (89, 80)
            for took in (None, True, False)
        ),
        {"proven_at": 50.0},
        *({"recovery": word} for word in ("recovering", "peer-recovering")),
        *({name: False} for name in ("accepting", "peer_accepting", "peer_attended")),
        {"waiting_since": 50.0},
    ]
    found = [assess(at_ease._replace(**trouble)) for trouble in troubles]
    return {(str(one.state), one.reason) for one in found}


def test_message_fields_are_those_of_the_code() -> None:
    text = section(OPERATIONS.read_text(), "Message objects")
    listed = [word for row in rows(text) for word in code(row[0])]
    assert sorted(listed) == sorted(rendering.FIELDS)


def line_view_fields() -> set[str]:
    """Give the keys of a line's status object, from the text of the functions that make it."""
    tree = ast.parse((ROOT / "hotline" / "daemon" / "views.py").read_text())
    made = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    found = set()
    for name in ("line", "trust", "drain"):
        [returned] = [n for n in ast.walk(made[name]) if isinstance(n, ast.Dict)]
        found |= {str(key.value) for key in returned.keys if isinstance(key, ast.Constant)}
    return found


def test_status_fields_are_those_of_the_code() -> None:
    assert first_words(section(OPERATIONS.read_text(), "Status")) == line_view_fields()


def test_exit_codes_are_those_of_the_code() -> None:
    known = {v for k, v in vars(exits).items() if k.isupper() and isinstance(v, int)}
    listed = {int(row[0]) for row in rows(section(OPERATIONS.read_text(), "Exit codes"))}
    assert listed == known
    assert run.STORE_FAILED in known
    in_readme = {int(row[0]) for row in rows(section(README.read_text(), "Exit codes"))}
    assert in_readme < known


def test_configuration_keys_are_those_of_the_code() -> None:
    """A key that the page leaves out is a key that nobody sets."""
    listed = first_words(section(OPERATIONS.read_text(), "Configuration"))
    known = {f"station.{key}" for key in configuration._STATION_KEYS}
    known |= {f"log.{key}" for key in configuration._LOG_KEYS}
    known |= {f"line.{key}" for key in configuration._LINE_KEYS}
    assert {name for name in listed if "." in name} == known


def test_the_example_explains_every_key() -> None:
    """README and the guide send readers there."""
    text = (ROOT / "config" / "alpha.toml").read_text()
    for key in (*configuration._STATION_KEYS, *configuration._LOG_KEYS, *configuration._LINE_KEYS):
        assert re.search(rf"^(# )?{key} = ", text, re.MULTILINE), key


def test_configuration_bounds_are_those_of_the_code() -> None:
    table = {code(row[0])[0]: row for row in rows(section(OPERATIONS.read_text(), "Configuration"))}
    known: dict[str, tuple[float, ...]] = {
        "log.rotate_bytes": (
            configuration.ROTATE_BYTES,
            configuration.ROTATE_MIN_BYTES,
            configuration.ROTATE_MAX_BYTES,
        ),
        "log.keep": (configuration.KEEP, 1, configuration.KEEP_MAX),
        "line.heartbeat_s": (
            limits.HEARTBEAT_S,
            limits.HEARTBEAT_MIN_S,
            limits.HEARTBEAT_MAX_S,
        ),
        "line.queue_messages": (limits.QUEUE_MESSAGES, 1, configuration.QUEUE_MESSAGES_MAX),
        "line.queue_bytes": (
            limits.QUEUE_BYTES,
            limits.MESSAGE_ENCODED_BYTES,
            configuration.QUEUE_BYTES_MAX,
        ),
    }
    for key, values in known.items():
        _, default, bounds = table[key]
        shown = [default, *re.findall(r"[\d.]+", bounds)[:2]]
        assert [float(one) for one in shown] == [float(value) for value in values], key


def test_control_methods_are_those_of_the_code() -> None:
    text = section(OPERATIONS.read_text(), "The control socket")
    methods = {code(row[0])[0] for row in rows(text) if len(row) == 3}
    assert methods == {*Requests._METHODS, "send", "wait"}


def refusal_codes() -> set[str]:
    """Find the stable words of refusals that may come over the control socket."""
    found = set()
    for layer in ("daemon", "line", "store"):
        for path in (ROOT / "hotline" / layer).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Name)
                    and node.func.id == "RefusedError"
                ):
                    assert isinstance(node.args[0], ast.Constant), path
                    found.add(str(node.args[0].value))
    return found | {"disk-full", "store-failed", "store-damaged", "failed"}


def test_refusal_codes_are_those_of_the_code() -> None:
    text = section(OPERATIONS.read_text(), "The control socket")
    _, _, table = text.partition("this station's refusal")
    assert first_words(table) == refusal_codes()


def public_constants(module: ModuleType) -> dict[str, float]:
    """Give the numbers that a module declares."""
    return {k: v for k, v in vars(module).items() if k.isupper() and isinstance(v, int | float)}


def test_limits_are_those_of_the_code() -> None:
    table = rows(section(OPERATIONS.read_text(), "Limits"))
    known = public_constants(limits)
    for unit in ("KIB", "MIB"):
        del known[unit]
    assert {code(row[0])[0]: float(row[1]) for row in table} == {
        name: float(value) for name, value in known.items()
    }
    listed, names = [code(row[0])[0] for row in table], list(known)
    shared = listed[: listed.index("MISSED_DOWN") + 1], names[: names.index("MISSED_DOWN") + 1]
    assert set(shared[0]) == set(shared[1]), "which limits belong to the protocol?"


def test_log_files_and_state_are_named_right() -> None:
    """The files table tells an operator what may be removed, so it must not miss one."""
    text = section(OPERATIONS.read_text(), "Files")
    config = configuration.StationConfig(
        path=Path("x"), name="x", key=Path("x"), card=Path("x"), state=Path("state")
    )
    for path in (config.store_path, config.control_path, config.daemon_log, config.heartbeat_log):
        assert f"`{path}`" in text
    assert logs.LINE_BYTES < configuration.ROTATE_MIN_BYTES


# --- all documents --------------------------------------------------------------------------------


def anchor(heading: str) -> str:
    """Give the fragment by which a heading is linked to."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    """A link into nothing costs a reader in need the minute that they do not have."""
    text = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("https://", "http://")):
            continue
        name, _, fragment = target.partition("#")
        place = (document.parent / name).resolve() if name else document
        assert place.exists(), target
        if fragment:
            headings = re.findall(r"^#+ (.+)$", place.read_text(), re.MULTILINE)
            assert fragment in {anchor(heading) for heading in headings}, target


def test_tests_that_the_threat_model_names_exist() -> None:
    """A claim that cites a test which is gone is a claim without proof."""
    text = (ROOT / "docs" / "threat-model.md").read_text()
    cited = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)
    assert cited
    for file, name in cited:
        assert (ROOT / file).is_file(), file
        if name:
            assert re.search(rf"def {name}\(", (ROOT / file).read_text()), f"{file}::{name}"


def test_every_attack_that_is_tested_stands_in_the_threat_model() -> None:
    """Whoever asks what was tried must find it in one table, and nothing in it that was not."""
    text = section((ROOT / "docs" / "threat-model.md").read_text(), "Attacks")
    cited = set(re.findall(r"`tests/attacks/(\w+\.py::\w+)`", text))
    written = {
        f"{path.name}::{name}"
        for path in (ROOT / "tests" / "attacks").glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }
    assert cited == written


def test_the_changelog_names_this_version_or_unreleased() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert settings["project"]["readme"] == "README.md"
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text()

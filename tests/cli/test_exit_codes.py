"""Exit codes and complaints: what scripts and tired operators go by."""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from cli.fake_daemon import Connection, FakeDaemon, Gone, Params, Silent, accept_all, line
from cli.station_operator import ROOT, Operator

from hotline.cli.client import ANSWER_BYTES, RECEIVE_BYTES
from hotline.cli.parser import build

VERBS_OF_THE_DAEMON = ["send bravo x", "inbox", "outbox", "show x", "ack x", "cancel x", "status"]
VERBS_OF_THE_DAEMON += ["watch", "retry", "send bravo --test"]


def complaint(err: str) -> list[str]:
    """Check the form of a complaint and give its lines."""
    lines = err.splitlines()
    assert lines[0].startswith("hotline: ")
    assert not lines[0].endswith(".")
    assert lines[0][9:10] == lines[0][9:10].lower()
    assert "Traceback" not in err
    return lines


@pytest.mark.parametrize("verb", VERBS_OF_THE_DAEMON)
def test_3_when_no_daemon_answers(operator: Operator, verb: str) -> None:
    """A script must tell a daemon that is not running from a message that was refused."""
    done = operator.run("--config", "hotline.toml", *verb.split())
    assert done.code == 3
    assert complaint(done.err)[1] == "hint: start it with: hotline --config hotline.toml run"
    assert done.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "sned bravo x",
        "send",
        "send bravo x --precedence urgent",
        "send bravo x --expires tomorrow",
        "send bravo x --expires 2020-01-01T00:00:00Z",
        "send bravo x --timeout 5",
        "send bravo x --batch messages --wait delivered",
        "send bravo --batch no-such-file",
        "send bravo x --prec FLASH",
        "inbox --limit 0",
        "inbox --limit 3 --all",
        "ack x --decision maybe",
        "completion tcsh",
        "--config no-such-file status",
        "heartbeats",
        "card no-such-card",
    ],
)
def test_2_for_what_cannot_be_used(operator: Operator, daemon: FakeDaemon, arguments: str) -> None:
    """A command that was mistyped must do nothing at all, and say so."""
    done = operator.run(*arguments.split())
    assert done.code == 2
    assert len(complaint(done.err)) <= 2
    assert daemon.requests == []


@pytest.mark.parametrize(
    "code",
    ["revoked", "queue-full", "disk-full", "too-large", "id-in-use", "halted", "store-failed"],
)
def test_5_when_the_daemon_refuses(operator: Operator, daemon: FakeDaemon, code: str) -> None:
    """Refused, and why, and what to do: nothing else lets an operator act."""
    daemon.refuses("send", code, "the line is not there")
    done = operator.run("send", "bravo", "x")
    assert done.code == 5
    assert complaint(done.err) == ["hotline: the line is not there", "hint: try less"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["send", "bravo", "x", "--subject", "é" * 129],
            "hotline: the subject is over 256 bytes: it has 258\n"
            "hint: shorten it, or say it in the body\n",
        ),
        (
            ["ack", "x", "--note", "n" * 1025],
            "hotline: the note is over 1024 bytes: it has 1025\n"
            "hint: shorten it, or say the rest in a message\n",
        ),
    ],
)
def test_what_is_too_long_is_told_with_its_cure(
    operator: Operator, daemon: FakeDaemon, arguments: list[str], told: str
) -> None:
    """A message has one subject: several messages do not make it shorter."""
    done = operator.run(*arguments)
    assert (done.code, done.out, done.err, daemon.requests) == (2, "", told, [])


def test_2_when_the_daemon_calls_it_a_bad_request(operator: Operator, daemon: FakeDaemon) -> None:
    """What the daemon cannot understand was asked wrongly, whatever the state of the line."""
    daemon.refuses("show", "bad-request", "no id looks like that")
    assert operator.run("show", "///").code == 2


def test_a_method_the_daemon_lacks_is_no_crash(operator: Operator, daemon: FakeDaemon) -> None:
    """A newer command beside an older daemon happens at every upgrade."""
    done = operator.run("retry")
    assert (done.code, complaint(done.err)) == (2, ["hotline: there is no such method"])
    assert [method for method, _ in daemon.requests] == ["retry"]


def test_3_when_the_daemon_hangs_up(operator: Operator, daemon: FakeDaemon) -> None:
    """A daemon that dies in the middle must not look like an empty inbox."""

    def hang_up(_params: Params, _connection: Connection) -> None:
        raise Gone

    daemon.on("inbox", hang_up)
    done = operator.run("inbox")
    assert done.code == 3
    assert "went away" in complaint(done.err)[0]


@pytest.mark.parametrize(
    "said",
    [
        b"220 mail.example ESMTP\r\n",
        b'["status"]\n',
        b'{"jsonrpc":"2.0","id":[1],"result":{}}\n',
        b'{"jsonrpc":"2.0","method":"event","params":["up"]}\n',
        b'{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no","data":["full"]}}\n',
    ],
)
def test_3_when_something_else_answers(operator: Operator, daemon: FakeDaemon, said: bytes) -> None:
    """Another program's socket at that path must not be believed."""

    def babble(_params: Params, connection: Connection) -> None:
        connection.raw(said)
        raise Gone

    daemon.on("status", babble)
    done = operator.run("status")
    assert done.code == 3
    assert "no hotline daemon" in complaint(done.err)[0]


def test_3_when_an_answer_has_no_end(operator: Operator, daemon: FakeDaemon) -> None:
    """A daemon that says too much is there: who looks for a dead one would search long."""

    def pour(_params: Params, connection: Connection) -> None:
        connection.raw(b"x" * (ANSWER_BYTES + 2 * RECEIVE_BYTES))
        raise Silent

    daemon.on("status", pour)
    done = operator.run("status")
    assert done.code == 3
    assert "more than 64.0 MiB in one answer" in complaint(done.err)[0]
    assert "went away" not in done.err


def test_an_error_message_of_the_daemon_is_shown_safely(
    operator: Operator, daemon: FakeDaemon
) -> None:
    """Errors quote what the peer wrote."""
    daemon.refuses("ack", "not-found", "no message \x1b]0;owned\x07 \u202e\nhotline: all is well")
    done = operator.run("ack", "x")
    assert done.code == 5
    assert len(complaint(done.err)) == 2
    assert "\x1b" not in done.err
    assert "\\u{202e}" in done.err


@pytest.mark.parametrize(
    ("states", "check", "code"),
    [
        (["up", "up"], "--check", 0),
        (["up", "degraded"], "--check", 6),
        (["up", "down"], "--check=north", 0),
        (["up", "down"], "--check=south", 6),
        (["up", "halted"], "--check=south", 6),
        ([], "--check", 6),
        (["up", "up"], "--check=east", 5),
        (["down", "down"], "--json", 0),
    ],
)
def test_6_when_a_line_is_not_fit(
    operator: Operator, daemon: FakeDaemon, states: list[str], check: str, code: int
) -> None:
    """An alarm hangs on this: degraded, down, halted and no line at all are not fit."""
    names = ("north", "south")
    lines = [line(name=name, state=state) for name, state in zip(names, states, strict=False)]
    daemon.answers("status", {"station": "alpha", "station_id": "00", "lines": lines})
    done = operator.run("status", check)
    assert done.code == code
    if code:
        complaint(done.err)


FAULT = """
import hotline.cli.station
def planted(*_):
    raise KeyError("planted")
hotline.cli.station.connect = planted
"""


def test_no_traceback_even_for_a_fault_of_ours(operator: Operator) -> None:
    """The operator gets a sentence, not a stack, and nothing of what it was about."""
    (operator.folder / "sitecustomize.py").write_text(FAULT)
    path = f"{operator.folder}:{ROOT}"
    done = operator.run("inbox", PYTHONPATH=path)
    assert done.code == 1
    assert complaint(done.err)[0].startswith("hotline: a fault in this program: KeyError")
    assert "planted" not in done.err
    assert "Traceback" in operator.run("inbox", PYTHONPATH=path, HOTLINE_TRACEBACK="1").err


@pytest.mark.parametrize(
    ("verb", "code", "said"),
    [
        ("send bravo", 2, "nothing to send"),
        ("send bravo -", 2, "nothing to send"),
        ("send bravo --batch -", 0, "0 accepted for bravo"),
        ("send bravo text --id x", 0, "queued x for bravo"),
    ],
)
def test_a_closed_standard_input_is_an_empty_one(
    operator: Operator, daemon: FakeDaemon, verb: str, code: int, said: str
) -> None:
    """A supervisor that starts a script so is told what is wrong with its command, not with ours."""
    daemon.on("send", accept_all)
    done = operator.run(*verb.split(), through=["sh", "-c", 'exec "$@" <&-', "sh"])
    assert (done.code, "fault" in done.err) == (code, False)
    assert said in done.out + done.err


def test_3_when_an_answer_makes_no_sense(operator: Operator, daemon: FakeDaemon) -> None:
    """A daemon of another version is told as such, with the place, and not as a fault of ours."""
    daemon.answers("inbox", {"unexpected": True})
    done = operator.run("inbox")
    assert done.code == 3
    assert "does not understand: inbox: messages" in complaint(done.err)[0]
    assert "another version" in complaint(done.err)[1]


ENDLESS = {
    "inbox": {"messages": [{"row": 5, "id": "m5"}], "more": True},
    "courier_export": {
        "line": "bravo",
        "after": 0,
        "last": 2,
        "entry_bytes": 9,
        "receipt": None,
        "more": True,
        "file": "AAAA",
    },
}


@pytest.mark.parametrize(
    ("method", "verb", "asked"),
    [
        ("inbox", "inbox --all", 2),
        ("inbox", "inbox --limit 9", 2),
        ("courier_export", "courier export bravo --to x.courier", 2),
    ],
)
def test_3_when_an_answer_does_not_go_on(
    operator: Operator, daemon: FakeDaemon, method: str, verb: str, asked: int
) -> None:
    """The same page again and again would fill a screen, or a disk, for ever."""

    def again(_params: Params, _connection: Connection) -> Params:
        if len(daemon.params(method)) > asked:
            raise Gone
        return ENDLESS[method]

    daemon.on(method, again)
    done = operator.run(*verb.split())
    assert (done.code, len(daemon.params(method))) == (3, asked)
    assert "does not go on" in done.err


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_3_when_an_answer_has_what_is_no_number(
    operator: Operator, daemon: FakeDaemon, number: str
) -> None:
    """Handed on with --json, it would break whoever reads that."""

    def answer(_params: Params, connection: Connection) -> Params:
        result = f'{{"station":"alpha","lines":[],"more":{number}}}'
        connection.raw(f'{{"jsonrpc":"2.0","id":1,"result":{result}}}\n'.encode())
        raise Gone

    daemon.on("status", answer)
    done = operator.run("status", "--json")
    assert (done.code, done.out) == (3, "")
    assert "is no hotline daemon" in done.err


def test_interrupting_is_quiet(operator: Operator, daemon: FakeDaemon) -> None:
    """Ctrl-C ends a watch many times a day; a stack trace each time hides the real ones."""
    daemon.answers("watch", {})
    process = operator.start("watch")
    assert process.stderr is not None
    process.stderr.readline()
    process.send_signal(2)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, b"")


@pytest.mark.parametrize(
    ("verb", "codes"), [("completion bash", [141]), ("card", [141]), ("--help", [0, 141])]
)
def test_a_reader_that_leaves_is_no_error_to_talk_about(
    operator: Operator, verb: str, codes: list[int]
) -> None:
    """``hotline ... | head`` is ordinary (newer argparse passes over a failed print of help)."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "hotline", *verb.split()],
        cwd=operator.folder,
        env=operator.env({}),
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert done.stderr == b""
    assert done.returncode in codes


def test_config_comes_from_option_environment_or_folder(
    operator: Operator, daemon: FakeDaemon
) -> None:
    """Two stations on one machine: a verb that asks the wrong one answers wrongly."""
    daemon.answers("status", {"station": "alpha", "station_id": "00", "lines": []})
    path = str(operator.folder / "hotline.toml")
    elsewhere = Operator(operator.folder / "peer")
    assert operator.run("status").code == 0
    assert elsewhere.run("status").code == 3
    assert elsewhere.run("status", HOTLINE_CONFIG=path).code == 0
    assert elsewhere.run("--config", path, "status").code == 0
    assert elsewhere.run("status", "--config", path, HOTLINE_CONFIG="nowhere").code == 0
    nothing = Operator(operator.folder / "state").run("status")
    assert nothing.code == 2
    assert "hotline init" in complaint(nothing.err)[1]


def test_the_console_script_gives_the_code(operator: Operator, daemon: FakeDaemon) -> None:
    """The installed command goes through entry(), which must give what main() gives."""
    daemon.on("send", accept_all)
    program = "import sys; from hotline.cli.main import entry; sys.exit(entry())"
    for arguments, code in ((["--version"], 0), (["send", "bravo", "x"], 0), (["nothing"], 2)):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=operator.folder,
            env=operator.env({}),
            capture_output=True,
            check=False,
        )
        assert done.returncode == code


@pytest.mark.parametrize(
    "verb",
    "init|card|peer|peer add|peer list|peer verify|run|send|inbox|outbox|show|ack|cancel"
    "|status|watch|heartbeats|retry|completion".split("|"),
)
def test_every_verb_helps_with_examples(operator: Operator, verb: str) -> None:
    """At three in the morning an example is worth more than a grammar."""
    done = operator.run(*verb.split(), "--help")
    assert done.code == 0
    assert f"examples:\n  hotline {verb}"[:24] in done.out


def test_all_help_fits_a_terminal() -> None:
    """An exit code that the terminal cut in two is one more thing to puzzle over."""

    def parsers(one: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
        yield one
        for action in one._actions:
            if isinstance(action, argparse._SubParsersAction):
                for under in action.choices.values():
                    yield from parsers(under)

    every = [parser.format_help() for parser in parsers(build())]
    assert len(every) > 20
    assert [row for text in every for row in text.splitlines() if len(row) > 80] == []

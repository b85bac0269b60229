"""peer verify and peer revoke: what an operator must say, and what reaches the daemon or the store."""

import re

import pytest
from cli.fake_daemon import FakeDaemon
from cli.station_operator import Operator

from hotline.identity import pair_code, read_card

WHEN = "2026-11-23T15:30:00.123456Z"
VERIFIED = {"verified_at": WHEN, "verified_by": "anna", "revoked_at": None, "revoked_by": None}
REVOKED = {"verified_at": None, "verified_by": None, "revoked_at": WHEN, "revoked_by": "anna"}


@pytest.fixture
def words(operator: Operator) -> list[str]:
    """Give the pair code."""
    folder = operator.folder
    return list(pair_code(read_card(folder / "alpha.card").id, read_card(folder / "bravo.card").id))


def cards(operator: Operator) -> dict[str, str]:
    """Give the ids that the daemon must be told, so that it can refuse if it has others."""
    folder = operator.folder
    return {
        "own_id": read_card(folder / "alpha.card").id.hex(),
        "peer_id": read_card(folder / "bravo.card").id.hex(),
    }


def test_looking_marks_nothing(operator: Operator, daemon: FakeDaemon) -> None:
    """A script that only looks at the code must not vouch for it."""
    assert operator.run("peer", "verify", "bravo").code == 0
    (found,) = operator.run("peer", "verify", "bravo", "--json").objects
    assert (found["verified_at"], daemon.requests) == (None, [])


def test_all_the_words_mark_a_line(
    operator: Operator, daemon: FakeDaemon, words: list[str]
) -> None:
    """In any case and spacing, as a person writes down what they hear."""
    daemon.answers("verify", VERIFIED)
    done = operator.run("peer", "verify", "bravo", "--confirm", "  ".join(words).upper())
    assert done.code == 0, done.err
    assert daemon.params("verify") == [{"line": "bravo", **cards(operator)}]
    assert "verified, 231530ZNOV26" in done.out
    assert "by anna" in done.out
    (found,) = operator.run(
        "peer", "verify", "bravo", "--json", "--confirm", " ".join(words)
    ).objects
    assert (found["verified_at"], found["verified_by"]) == (WHEN, "anna")


def test_other_words_mark_nothing(operator: Operator, daemon: FakeDaemon, words: list[str]) -> None:
    """Fifteen words that agree are what a forger hopes for."""
    for typed in ([*words[:-1], words[0]], [*words, "adult"], []):
        done = operator.run("peer", "verify", "bravo", "--confirm", " ".join(typed))
        assert done.code == 5
        assert "those are not the words" in done.err
    assert daemon.requests == []


def test_on_a_terminal_four_words_are_asked_for(operator: Operator, daemon: FakeDaemon) -> None:
    """One of each row, and not always the same: a habit must not become the answer."""
    daemon.answers("verify", VERIFIED)
    places = set()
    for _ in range(3):
        done = operator.converse("peer", "verify", "bravo", answers=[("nothing: ", "yes\n")])
        assert done.code == 5
        asked = re.findall(r"row (\d) word (\d)", done.out)
        assert [row for row, _ in asked] == ["1", "2", "3", "4"]
        places.add(tuple(word for _, word in asked))
        assert max(map(len, done.out.splitlines())) <= 80, "words in the midst of a row are misread"
    assert len(places) > 1
    assert operator.converse("peer", "verify", "bravo", answers=[("nothing: ", "\n")]).code == 0
    assert daemon.requests == []


def test_the_words_asked_for_mark_a_line(
    operator: Operator, daemon: FakeDaemon, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the question names is what the answer is compared with."""
    from types import SimpleNamespace

    from hotline.cli import cards as asking
    from hotline.cli.verbs import peer_verify

    asked: list[str] = []

    def answer(question: str) -> str:
        asked.append(question)
        places = re.findall(r"row (\d) word (\d)", question)
        return " ".join(words[4 * (int(row) - 1) + int(word) - 1] for row, word in places)

    daemon.answers("verify", VERIFIED)
    monkeypatch.setattr(asking, "on_terminal", lambda: True)
    monkeypatch.setattr(asking, "answer", answer)
    path = str(operator.folder / "hotline.toml")
    given = SimpleNamespace(config=path, line="bravo", confirm=None, json=False)
    assert peer_verify.run(given) == 0  # type: ignore[arg-type]
    assert len(asked) == 1
    assert len(daemon.params("verify")) == 1


@pytest.mark.parametrize("typed", ["", "Bravo"])
def test_a_revocation_is_confirmed_by_name(
    operator: Operator, daemon: FakeDaemon, typed: str
) -> None:
    """It cannot be undone: a slip, or the wrong terminal, must not be enough."""
    asked = [("to revoke its card: ", typed + "\n")]
    assert operator.converse("peer", "revoke", "bravo", answers=asked).code == 2
    assert operator.run("peer", "revoke", "bravo", "--confirm", typed).code == 2
    assert operator.run("peer", "revoke", "bravo").code == 2
    assert daemon.requests == []


def test_a_revocation_reaches_the_daemon(operator: Operator, daemon: FakeDaemon) -> None:
    """By terminal and by option; the answer tells who and when."""
    daemon.answers("revoke", REVOKED)
    asked = [("to revoke its card: ", "bravo\n")]
    done = operator.converse("peer", "revoke", "bravo", answers=asked)
    assert done.code == 0, done.out
    assert daemon.params("revoke") == [{"line": "bravo", **cards(operator)}]
    (found,) = operator.run("peer", "revoke", "bravo", "--confirm", "bravo", "--json").objects
    assert (found["line"], found["revoked_at"], found["revoked_by"]) == ("bravo", WHEN, "anna")
    assert operator.run("peer", "revoke", "nobody", "--confirm", "nobody").code == 5


def test_a_revoked_card_is_not_added(operator: Operator, daemon: FakeDaemon) -> None:
    """The daemon would refuse the line; the operator learns of it before anything is written."""
    assert operator.run("init", "charlie", "--dir", "c").code == 0
    before = (operator.folder / "hotline.toml").read_bytes()
    daemon.answers("trust", REVOKED)
    done = operator.run("peer", "add", "c/charlie.card")
    assert (done.code, (operator.folder / "hotline.toml").read_bytes()) == (5, before)
    assert "refused for good" in done.err
    assert not (operator.folder / "charlie.card").exists()


def test_without_a_daemon_the_store_is_told(operator: Operator, words: list[str]) -> None:
    """A card can be compared before the first start, and revoked although no daemon starts."""
    done = operator.run("peer", "verify", "bravo", "--confirm", " ".join(words))
    assert done.code == 0, done.err
    (first,) = operator.run("peer", "revoke", "bravo", "--confirm", "bravo", "--json").objects
    (again,) = operator.run("peer", "revoke", "bravo", "--confirm", "bravo", "--json").objects
    assert first == again, "the first time stands"
    done = operator.run("peer", "verify", "bravo", "--confirm", " ".join(words))
    assert (done.code, "is revoked" in done.err) == (5, True)
    config = operator.folder / "hotline.toml"
    config.write_text(config.read_text().partition("# The station bravo")[0])
    done = operator.run("peer", "add", "peer/bravo.card", "--name", "again")
    assert (done.code, "refused for good" in done.err) == (5, True)


def test_status_shows_marks_and_notices(operator: Operator, daemon: FakeDaemon) -> None:
    """Hostile text cannot come here, but what does come is escaped like everything else."""
    from cli.fake_daemon import line

    notice = {"code": "never-verified", "text": "the pair code was never\x1b compared"}
    old = {"code": "peer-key-old", "text": "the peer's keys: older than 730 days"}
    lines = [line(**VERIFIED, notices=[old]), line(name="charlie", notices=[notice])]
    own = {"code": "key-due", "text": "this station's keys: 730 days old in 3 days"}
    status = {"station": "alpha", "station_id": "c4c7", "notices": [own], "lines": lines}
    daemon.answers("status", status)
    shown = operator.run("status").out
    assert "pair code compared 231530ZNOV26 by anna" in shown
    assert "note: the pair code was never\\u{1b} compared [never-verified]" in shown
    assert "hotline peer verify charlie" in shown
    assert "note: the peer's keys: older than 730 days [peer-key-old]\n" in shown
    assert "note: this station's keys: 730 days old in 3 days [key-due]" in shown

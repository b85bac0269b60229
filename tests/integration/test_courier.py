"""A line whose wire is cut, and a courier between two daemons."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest

from hotline import limits
from support.stations import Refused, Station, Stations, message


def export(station: Station, line: str, to: Path) -> None:
    """Have a station seal what it has for a line into a file, heard of the peer or not."""
    done = station.hotline("courier", "export", line, "--to", str(to), "--unheard")
    assert done.code == 0, done.err


def states(station: Station, line: str) -> list[str]:
    return [one["state"] for one in station.box("outbox", line)]


def bodies(station: Station, line: str) -> list[str]:
    return [one["body"] for one in station.box("inbox", line)]


def without_wire(stations: Stations) -> tuple[Station, Station]:
    """Give two stations that know each other's cards, and no way to each other."""
    alpha, bravo = stations.make("alpha"), stations.make("bravo")
    alpha.pin(bravo, calls=False)
    bravo.pin(alpha, calls=False)
    for station in (alpha, bravo):
        station.start()
    return alpha, bravo


def swap_keys(alpha: Station, bravo: Station) -> None:
    """Carry both courier keys across."""
    for one, other in ((alpha, bravo), (bravo, alpha)):
        path = other.folder / "peer.courier-key"
        done = one.hotline("courier", "key")
        assert done.code == 0, done.err
        path.write_text(done.out)
        done = other.hotline("courier", "add", str(path))
        assert done.code == 0, done.err


def test_a_courier_goes_both_ways_and_the_wire_goes_on_from_there(stations: Stations) -> None:
    """Messages that go by hand would be lost, doubled, or never known to have arrived."""
    alpha, bravo = without_wire(stations)
    refused = alpha.hotline("courier", "export", "bravo", "--to", str(alpha.folder / "none"))
    assert (refused.code, "no courier key" in refused.err) == (5, True)
    swap_keys(alpha, bravo)

    out = alpha.folder / "out.courier"
    empty = alpha.hotline("courier", "export", "bravo", "--to", str(alpha.folder / "empty"))
    assert empty.code == 0, empty.err
    alpha.send("bravo", *(message(f"m{n}") for n in range(3)))
    # A restored store would now sign under numbers that it has used, and nobody would tell it.
    refused = alpha.hotline("courier", "export", "bravo", "--to", str(out))
    assert (refused.code, "--unheard" in refused.err) == (5, True)
    assert states(alpha, "bravo") == ["queued"] * 3
    export(alpha, "bravo", out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert states(alpha, "bravo") == ["sent"] * 3
    again = alpha.hotline("courier", "export", "bravo", "--to", str(out))
    assert (again.code, "never overwritten" in again.err) == (2, True)

    done = bravo.hotline("courier", "import", str(out), "--json")
    assert done.code == 0, done.err
    assert {
        "line": "alpha",
        "after": 0,
        "last": 3,
        "entries": 3,
        "messages": 3,
        "delivered": 0,
    }.items() <= json.loads(done.out).items()
    assert bodies(bravo, "alpha") == [f"body of m{n}" for n in range(3)]
    done = bravo.hotline("courier", "import", str(out))
    assert (done.code, "nothing that was not known" in done.out) == (0, True)
    assert bravo.hotline("ack", "m1", "--decision", "wilco").code == 0

    back = bravo.folder / "back.courier"
    export(bravo, "alpha", back)
    done = alpha.hotline("courier", "import", str(back))
    assert (done.code, "3 of our messages are delivered" in done.out) == (0, True)
    assert states(alpha, "bravo") == ["delivered", "acknowledged", "delivered"]

    # Two more, of which the file is not yet there when the wire is.
    alpha.send("bravo", message("m3"), message("m4"))
    late = alpha.folder / "late.courier"
    export(alpha, "bravo", late)
    bravo.pin(alpha)
    assert bravo.hotline("peer", "list").code == 0
    bravo.stop()
    bravo.start()
    alpha.up("bravo")
    alpha.settled("bravo")
    assert bravo.hotline("courier", "import", str(late)).code == 0
    assert bodies(bravo, "alpha") == [f"body of m{n}" for n in range(5)]
    assert set(states(alpha, "bravo")) == {"delivered", "acknowledged"}
    assert [one["attempts"] for one in alpha.box("outbox", "bravo")] == [1, 1, 1, 2, 2]


def test_a_long_queue_goes_in_several_files(stations: Stations) -> None:
    """A file that no request can carry, or that fills the memory, would be a limit on the queue."""
    alpha, bravo = without_wire(stations)
    swap_keys(alpha, bravo)
    texts = [f"{n} " + "x" * 900_000 for n in range(5)]
    for n, text in enumerate(texts):
        alpha.send("bravo", message(f"m{n}", text))
    export(alpha, "bravo", alpha.folder / "out")
    files = sorted(alpha.folder.glob("out*"))
    assert [path.name for path in files] == ["out", "out.0002", "out.0003"]
    early = bravo.hotline("courier", "import", str(files[1]))
    assert (early.code, "entry" in early.err, "missing" in early.err) == (5, True, True)
    assert bodies(bravo, "alpha") == []
    done = bravo.hotline("courier", "import", *map(str, files))
    assert done.code == 0, done.err
    assert bodies(bravo, "alpha") == texts


def test_what_is_no_courier_file_is_refused_by_the_daemon(stations: Stations) -> None:
    """Any program may speak to the control socket, and a stick may hold anything."""
    alpha, bravo = without_wire(stations)
    swap_keys(alpha, bravo)
    alpha.send("bravo", message("a"))
    out = alpha.folder / "out"
    export(alpha, "bravo", out)
    sound = out.read_bytes()
    damaged = sound[:-1] + bytes([sound[-1] ^ 1])
    with bravo.client() as client:
        for file, code, why in (
            (b"", "bad-courier", "it is no courier file"),
            (b"junk", "bad-courier", "it is no courier file"),
            (damaged, "bad-courier", "not taken in"),
            (sound[:-1], "bad-courier", f"no whole courier file: none is {len(sound) - 1} bytes"),
            (sound[:40] + bytes(14) + sound[54:], "bad-courier", "belongs to no line"),
            (bytes(limits.COURIER_FILE_BYTES + 1), "too-large", "at most"),
        ):
            with pytest.raises(Refused, match=why) as refused:
                client.call("courier_import", file=base64.b64encode(file).decode())
            assert refused.value.code == code
        for text in ("%", "A", "\u00e9"):
            with pytest.raises(Refused) as refused:
                client.call("courier_import", file=text)
            assert refused.value.code == "bad-request"
        with pytest.raises(Refused) as refused:
            client.call("courier_add", key="junk")
        assert refused.value.code == "bad-courier"
        with pytest.raises(Refused) as refused:
            client.call("courier_export", line="alpha", limit_bytes=0)
        assert refused.value.code == "bad-request"
        bravo.send("alpha", message("waits"))
        with pytest.raises(Refused) as refused:
            client.call("courier_export", line="alpha")
        assert refused.value.code == "unheard"
        own = client.call("courier_key")["key"]
        with pytest.raises(Refused) as refused:
            client.call("courier_add", key=own)
        assert refused.value.code == "bad-courier"
    assert bodies(bravo, "alpha") == []
    assert bravo.hotline("courier", "import", str(out)).code == 0


def test_keys_come_by_wire_and_serve_when_it_is_cut(stations: Stations) -> None:
    """Who thinks of courier keys only when the wire is cut has no way to bring them across."""
    alpha, bravo = stations.running_pair()
    bravo.await_logged("courier_key_kept")
    alpha.await_logged("courier_key_kept")
    bravo.kill()
    alpha.send("bravo", message("after"))
    out = alpha.folder / "out.courier"
    done = alpha.hotline("courier", "export", "bravo", "--to", str(out))
    assert done.code == 0, done.err
    bravo.lines["alpha"]["addresses"] = []
    bravo.write()
    alpha.kill()
    bravo.start()
    done = bravo.hotline("courier", "import", str(out))
    assert done.code == 0, done.err
    assert bodies(bravo, "alpha") == ["body of after"]

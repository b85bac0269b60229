"""hotline.text: what a terminal may see, and times, durations and sizes as people write them."""

import errno
import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline import text

NS = 1_000_000_000
MOMENT = 1_795_447_800 * NS  # 2026-11-23T15:30:00Z
U64 = st.integers(0, 2**64 - 1)

HOSTILE = {
    "\x1b[31m": "\\u{1b}[31m",
    "\x9b31m": "\\u{9b}31m",
    "\x00\x07\x08\x7f\r": "\\u{0}\\u{7}\\u{8}\\u{7f}\\u{d}",
    "\u202eabc\u2066": "\\u{202e}abc\\u{2066}",
    "\u200e\u200f\u061c": "\\u{200e}\\u{200f}\\u{61c}",
    "a\u2028b\u2029": "a\\u{2028}b\\u{2029}",
    "\u200b\u200d\ufeff\u00ad": "\\u{200b}\\u{200d}\\u{feff}\\u{ad}",
    "\ufe0f\U000e0100\u3164\u034f": "\\u{fe0f}\\u{e0100}\\u{3164}\\u{34f}",
    "\U000e0041": "\\u{e0041}",
    "\ud800": "\\u{d800}",
    "\ue000\uffff": "\\u{e000}\\u{ffff}",
}


@pytest.mark.parametrize(("raw", "shown"), HOSTILE.items(), ids=range(len(HOSTILE)))
def test_hostile_characters_are_escaped(raw: str, shown: str) -> None:
    """One of these raw on a terminal moves the cursor, reorders a line or hides a word."""
    assert text.one_line(raw) == shown
    assert text.block(raw) == shown


def test_a_body_keeps_its_lines_and_a_subject_does_not() -> None:
    """A newline in a subject would start a line that looks like Hotline's own."""
    assert text.block("a\n\tb") == "a\n\tb"
    assert text.one_line("a\n\tb") == "a\\u{a}\\u{9}b"


def test_ordinary_text_of_any_script_is_left_alone() -> None:
    """Escaping what people write would make the line unusable for most of them."""
    for said in ("Überflug 20 NM", "Самолёт", "航空機は北へ", "a\u00a0b\u3000c", "é", "\\u{41}"):
        assert text.one_line(said) == said


@given(st.text())
def test_nothing_unsafe_comes_out(raw: str) -> None:
    """Whatever the peer writes, only visible characters (and a body's newlines) reach a terminal."""
    unsafe = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert not {unicodedata.category(c) for c in text.one_line(raw)} & unsafe
    shown = text.block(raw).replace("\n", "").replace("\t", "")
    assert not {unicodedata.category(c) for c in shown} & unsafe


@given(st.text())
def test_what_is_safe_is_shown_once(raw: str) -> None:
    """Escaping twice, in two layers, must not make text worse."""
    assert text.one_line(text.one_line(raw)) == text.one_line(raw)


def test_times_are_written_as_agreed() -> None:
    """Programs parse these; operators read the group aloud."""
    assert text.utc(MOMENT) == "2026-11-23T15:30:00Z"
    assert text.utc_microseconds(MOMENT + 123_456_789) == "2026-11-23T15:30:00.123456Z"
    assert text.dtg(MOMENT) == "231530ZNOV26"


@given(U64)
def test_utc_comes_back(at_ns: int) -> None:
    """A time that changes when it is copied between commands is a lie about when."""
    assert text.parse_utc(text.utc_microseconds(at_ns)) == at_ns // 1000 * 1000
    assert text.parse_utc(text.utc(at_ns)) == at_ns // NS * NS


@given(st.integers(946_684_800, 4_102_444_799))
def test_date_time_groups_come_back(at_s: int) -> None:
    """The group shown in a table can be given to --expires."""
    assert text.parse_dtg(text.dtg(at_s * NS)) == at_s // 60 * 60 * NS


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "now",
        "2026-11-23",
        "2026-11-23T15:30:00",
        "2026-11-23T15:30:00+01:00",
        "2026-13-23T15:30:00Z",
        "2026-11-23T15:30:00.Z",
        "2026-11-23T15:30:00Z\n",
        "٢٠٢٦-11-23T15:30:00Z",
    ],
)
def test_other_forms_of_a_time_are_refused(wrong: str) -> None:
    """A local time taken for UTC would let a message expire hours early."""
    with pytest.raises(ValueError, match=r".+"):
        text.parse_utc(wrong)


@pytest.mark.parametrize(
    "wrong", ["", "231530NOV26", "321530ZNOV26", "232530ZNOV26", "231530ZNOX26"]
)
def test_other_date_time_groups_are_refused(wrong: str) -> None:
    """A group that names no moment must not be guessed at."""
    with pytest.raises(ValueError, match=r".+"):
        text.parse_dtg(wrong)


@pytest.mark.parametrize(
    ("written", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86400), ("0.5s", 0.5)]
)
def test_durations_are_read(written: str, seconds: float) -> None:
    """A unit taken for another one is a wait sixty times too long."""
    assert text.parse_duration(written) == seconds


@pytest.mark.parametrize(
    "wrong", ["", "15", "m", "-1s", "1 h", "1w", "1e9s", "9" * 40 + "s", "1h30m"]
)
def test_other_durations_are_refused(wrong: str) -> None:
    """A duration half understood would be a deadline nobody asked for."""
    with pytest.raises(ValueError, match=r".+"):
        text.parse_duration(wrong)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 ms"),
        (0.42, "420 ms"),
        (0.9996, "1.0 s"),
        (4.2, "4.2 s"),
        (59.7, "1m 00s"),
        (725, "12m 05s"),
        (3599.6, "1h 00m"),
        (7800, "2h 10m"),
        (86400 * 3 + 4 * 3600, "3d 4h"),
        (-0.003, "-3 ms"),
    ],
)
def test_durations_are_shown(seconds: float, shown: str) -> None:
    """Rounding must never show sixty seconds or a thousand milliseconds."""
    assert text.duration(seconds) == shown


@pytest.mark.parametrize(
    ("per_s", "shown"),
    [
        (300.4, "300 a second"),
        (0.96, "1 a second"),
        (0.94, "56 a minute"),
        (0.1, "6 a minute"),
        (0.001, "4 an hour"),
        (0.0, "0 an hour"),
    ],
)
def test_rates_are_shown(per_s: float, shown: str) -> None:
    """A slow line moves: "0 a second, 7 s to go" is no answer."""
    assert text.rate(per_s) == shown


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (1048575, "1.0 MiB"), (2**40, "1.0 TiB")],
)
def test_sizes_are_shown(size_bytes: int, shown: str) -> None:
    """An operator compares these with limits."""
    assert text.size(size_bytes) == shown


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/etc/shadow"), "permission denied"),
        (OSError(errno.EIO, os.strerror(errno.EIO)), "input/output error"),
        (OSError("AF_UNIX path too long"), "af_unix path too long"),
        (OSError(errno.EINVAL, "two\nlines\x1b[2J"), "two\\u{a}lines\\u{1b}[2j"),
        (TimeoutError(), "timeouterror"),
    ],
)
def test_a_fault_of_the_system_s_has_one_spelling(error: OSError, shown: str) -> None:
    """What says "None" or "[Errno 13]" sends an operator to look for the wrong thing."""
    assert text.reason(error) == shown

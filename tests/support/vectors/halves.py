"""A line secret of two halves: words, files, the secret, its check code, words to be refused."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hotline.identity.halves import Half, combine, write_half
from support.vectors.fixed import ALPHA, BRAVO, Json


def make() -> Json:
    """Give both halves, and what each station makes of them."""
    halves = [
        Half(one.card.id, other.card.id, bytes(range(start, start + 32)))
        for one, other, start in ((ALPHA, BRAVO, 0), (BRAVO, ALPHA, 32))
    ]
    secret, code = combine(*halves)
    assert combine(*reversed(halves)) == (secret, code)
    words = list(halves[0].words())
    swapped = [words[2], words[1], words[0], *words[3:]]
    misheard = [*words[:-1], "Yucatan"]
    return {
        "halves": [
            {
                "from": half.writer_id,
                "to": half.reader_id,
                "half": half.secret,
                "words": " ".join(half.words()),
                "file": _file(half),
            }
            for half in halves
        ],
        "line_secret": secret,
        "check_code": " ".join(code),
        "refused": [
            {"why": "two words change places", "words": " ".join(swapped)},
            {"why": "a word was misheard", "words": " ".join(misheard)},
            {"why": "it is the other station's", "words": " ".join(halves[1].words())},
            {"why": "a word is missing", "words": " ".join(words[:-1])},
        ],
    }


def _file(half: Half) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.half"
        write_half(path, half)
        return path.read_text()

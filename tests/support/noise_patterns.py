"""The patterns of the Noise specification that the product does not speak, for outside vectors.

In the specification's notation (sections 7.4, 7.5 and 18.1), one pattern a line.
"""

from typing import Final, get_args

from hotline.noise.patterns import PATTERNS, HandshakePattern, Token

_TEXT: Final = """
N     <- s ... -> e, es
K     -> s <- s ... -> e, es, ss
X     <- s ... -> e, es, s, ss

NN    -> e <- e, ee
NK    <- s ... -> e, es <- e, ee
NX    -> e <- e, ee, s, es
XN    -> e <- e, ee -> s, se
XK    <- s ... -> e, es <- e, ee -> s, se
XX    -> e <- e, ee, s, es -> s, se
KN    -> s ... -> e <- e, ee, se
KX    -> s ... -> e <- e, ee, se, s, es
IN    -> e, s <- e, ee, se
IK    <- s ... -> e, es, s, ss <- e, ee, se
IX    -> e, s <- e, ee, se, s, es

NK1   <- s ... -> e <- e, ee, es
NX1   -> e <- e, ee, s -> es
X1N   -> e <- e, ee -> s <- se
X1K   <- s ... -> e, es <- e, ee -> s <- se
XK1   <- s ... -> e <- e, ee, es -> s, se
X1K1  <- s ... -> e <- e, ee, es -> s <- se
X1X   -> e <- e, ee, s, es -> s <- se
XX1   -> e <- e, ee, s -> es, s, se
X1X1  -> e <- e, ee, s -> es, s <- se
K1N   -> s ... -> e <- e, ee -> se
K1K   -> s <- s ... -> e, es <- e, ee -> se
KK1   -> s <- s ... -> e <- e, ee, se, es
K1K1  -> s <- s ... -> e <- e, ee, es -> se
K1X   -> s ... -> e <- e, ee, s, es -> se
KX1   -> s ... -> e <- e, ee, se, s -> es
K1X1  -> s ... -> e <- e, ee, s -> se, es
I1N   -> e, s <- e, ee -> se
I1K   <- s ... -> e, es, s <- e, ee -> se
IK1   <- s ... -> e, s <- e, ee, se, es
I1K1  <- s ... -> e, s <- e, ee, es -> se
I1X   -> e, s <- e, ee, s, es -> se
IX1   -> e, s <- e, ee, se, s -> es
I1X1  -> e, s <- e, ee, s -> se, es
"""

_TOKENS: Final[dict[str, Token]] = {token: token for token in get_args(Token)}


def _parse(line: str) -> HandshakePattern:
    name, rest = line.split(maxsplit=1)
    before, _, after = rest.rpartition("...")
    arrows = after.replace("->", "<-").split("<-")[1:]
    messages = tuple(
        tuple(_TOKENS[token.strip()] for token in message.split(",")) for message in arrows
    )
    return HandshakePattern(
        name,
        ("s",) if "-> s" in before else (),
        ("s",) if "<- s" in before else (),
        messages,
    )


ALL_PATTERNS: Final = dict(PATTERNS) | {
    pattern.name: pattern for pattern in map(_parse, filter(None, _TEXT.splitlines()))
}
"""The product's own patterns and all others, by name."""

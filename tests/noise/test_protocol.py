"""Protocol names and pattern modifiers."""

import pytest

from hotline.errors import LocalMisuseError
from hotline.noise.cipher import AES_GCM
from hotline.noise.hash import SHA512
from hotline.noise.kem import MLKEM1024
from hotline.noise.patterns import KK
from hotline.noise.protocol import parse_protocol_name
from support.noise_patterns import ALL_PATTERNS
from support.noise_sides import PRODUCT


def test_the_products_name() -> None:
    """The product would speak another handshake than the one it names."""
    assert PRODUCT.pattern.initiator_pre_message == ("s",)
    assert PRODUCT.pattern.responder_pre_message == ("s",)
    assert PRODUCT.pattern.messages == (
        ("psk", "e", "es", "e1", "ss"),
        ("e", "ee", "ekem1", "se"),
    )
    assert (PRODUCT.kem, PRODUCT.cipher, PRODUCT.hash) == (MLKEM1024, AES_GCM, SHA512)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Noise_KK_25519_AESGCM",
        "Noise_KK_25519_AESGCM_SHA512_",
        "Noise_KK_25519_AESGCM_SHA512\n",
        "noise_KK_25519_AESGCM_SHA512",
        "Noise_QQ_25519_AESGCM_SHA512",
        "Noise_KK_448_AESGCM_SHA512",
        "Noise_KK_25519_AES_SHA512",
        "Noise_KK_25519_AESGCM_MD5",
        "Noise_KKfallback_25519_AESGCM_SHA512",
        "Noise_KKpsk_25519_AESGCM_SHA512",
        "Noise_KKpsk3_25519_AESGCM_SHA512",
        "Noise_KKpsk10_25519_AESGCM_SHA512",
        "Noise_KKpsk0+psk0_25519_AESGCM_SHA512",
        "Noise_KKpsk0+hfs_25519+MLKEM1024_AESGCM_SHA512",
        "Noise_KKhfs+_25519+MLKEM1024_AESGCM_SHA512",
        "Noise_KKhfs_25519_AESGCM_SHA512",
        "Noise_KK_25519+MLKEM1024_AESGCM_SHA512",
        "Noise_KKhfs_25519+Kyber1024_AESGCM_SHA512",
        "Noise_XX_25519_AESGCM_SHA512",
    ],
)
def test_names_that_are_refused(name: str) -> None:
    """A misspelt name would quietly stand for another protocol; only the product's KK is known."""
    with pytest.raises(LocalMisuseError):
        parse_protocol_name(name)


def test_psk_modifiers() -> None:
    """A psk in the wrong place would leave a message without its protection."""
    messages = KK.modified("psk0").modified("psk1").modified("psk2").messages
    assert messages == (("psk", "e", "es", "ss", "psk"), ("e", "ee", "se", "psk"))


@pytest.mark.parametrize(
    ("name", "messages"),
    [
        ("NN", "e e1, e ee ekem1"),
        ("NK", "e es e1, e ee ekem1"),
        ("XX", "e e1, e ee ekem1 s es, s se"),
        ("XK", "e es e1, e ee ekem1, s se"),
        ("KN", "e e1, e ee ekem1 se"),
        ("IK", "e es e1 s ss, e ee ekem1 se"),
        ("IX", "e e1 s, e ee ekem1 se s es"),
    ],
)
def test_hfs_modifier(name: str, messages: str) -> None:
    """A KEM key would be sent in the clear where the draft's table has it encrypted."""
    hybrid = ALL_PATTERNS[name].modified("hfs")
    assert ", ".join(" ".join(message) for message in hybrid.messages) == messages


def test_hfs_needs_an_answer() -> None:
    """A one-way pattern has no ee: the KEM key would be sent and never used."""
    with pytest.raises(LocalMisuseError):
        ALL_PATTERNS["N"].modified("hfs")

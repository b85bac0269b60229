"""What all tests share: where the outside vectors are, and how Hypothesis behaves."""

import os
import signal
from pathlib import Path

import hypothesis
import pytest

from support.flips import Walk

# Assertions that stand outside the test modules explain themselves too.
pytest.register_assert_rewrite("store.conformance", "store.acts")

# A deadline measures the machine, not the program: it fails on a busy one.
hypothesis.settings.register_profile("hotline", deadline=None)
hypothesis.settings.load_profile("hotline")

# Whoever starts the tests in the background of a script has them ignore SIGINT, and an ignored
# signal is inherited: an operator's command, started by a test, could never be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a test that changes a byte of a file do so at each of its places."""
    parser.addoption(
        "--every-byte",
        action="store_true",
        help="change every byte of files that prove or carry, not only some within keys (minutes)",
    )


@pytest.fixture
def walk(request: pytest.FixtureRequest) -> Walk:
    """Give the way through the bytes of a file: all of them if ``--every-byte`` asks for it."""
    return Walk.today(every=request.config.getoption("--every-byte"))


@pytest.fixture(scope="session")
def vectors_dir() -> Path:
    """Give the directory of outside test vectors, which are no part of this repository.

    Without it the test is skipped, or fails if HOTLINE_REQUIRE_VECTORS=1.
    """
    beside = Path(__file__).resolve().parents[2] / "shared" / "vectors"
    directory = Path(os.environ.get("HOTLINE_VECTORS") or beside)
    if not directory.is_dir():
        why = f"no vectors at {directory}: set HOTLINE_VECTORS to their directory"
        if os.environ.get("HOTLINE_REQUIRE_VECTORS") == "1":
            pytest.fail(why)
        pytest.skip(why)
    return directory

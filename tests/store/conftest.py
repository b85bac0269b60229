"""The suite's assertions stand outside the test modules; let them explain themselves too."""

import pytest

pytest.register_assert_rewrite("store.conformance", "store.acts")

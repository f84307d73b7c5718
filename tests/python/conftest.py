"""What the Python tests share: the device they run on, and the counts that they print.

BOLIDE_TEST_DEVICE=cuda runs everything that takes `device` on CUDA, which in `make test` is the emulated one.
"""

import os
import sys

import pytest

DEVICE = os.environ.get("BOLIDE_TEST_DEVICE", "cpu")


@pytest.fixture(scope="session")
def device():
    """The name of the device under test: "cpu" or "cuda"."""
    return DEVICE


def pytest_terminal_summary(terminalreporter):
    harness, rows = sys.modules.get("harness"), sys.modules.get("op_rows")
    if harness and rows and harness.COUNTS.combinations:
        terminalreporter.write_line(
            f"op harness on {DEVICE}: {len(rows.ALL)} rows, {harness.COUNTS.text()}"
        )
    for module in ("test_ops",):
        for line in getattr(sys.modules.get(module), "summary_lines", list)():
            terminalreporter.write_line(line)

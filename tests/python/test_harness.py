"""The op harness notices planted faults: every fault of faults.py in every row that it applies to, on the CPU.

A harness that lets a fault pass proves nothing; one that refuses everything is caught by test_ops.py, where the same
checks pass.
"""

import bolide
import harness
import harness_checks
import numpy as np
import op_rows
import pytest
from conftest import DEVICE
from faults import FAULTS
from harness import Counts, Library, Mismatch

pytestmark = pytest.mark.skipif(
    DEVICE != "cpu", reason="what the harness notices does not depend on the device"
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "_"))
def test_harness_notices(fault):
    library = Library(bolide, "cpu", lambda call, row: fault.plant(bolide, call))
    rows = [row for row in op_rows.ALL if fault.applies(row)]
    assert len(rows) >= 5
    missed = []
    for row in rows:
        try:
            harness_checks.check_row(row, library, Counts(), fault.noticed_by)
            missed.append(row.name)
        except (Mismatch, IndexError, bolide.BolideError):
            # Indices read from the wrong place may be out of range, matrices singular.
            harness.COUNTS.add("planted faults noticed")
    assert not missed


def test_rounding_of_the_harness():
    assert harness.round_to(1 + 2.0**-8, "bfloat16") == 1.0  # a tie goes to the even one
    assert harness.round_to(1 + 3 * 2.0**-8, "bfloat16") == 1 + 2.0**-6
    assert harness.round_to(2.0**-134, "bfloat16") == 0.0
    assert harness.round_to(1.5 * 2.0**-133, "bfloat16") == 2.0**-132
    assert harness.round_to(3.4e38, "bfloat16") == np.inf
    assert (
        harness.round_to(65519.99, "float16") == 65504.0
        and harness.round_to(65520.0, "float16") == np.inf
    )
    assert (
        np.isnan(harness.round_to(np.nan, "bfloat16"))
        and harness.round_to(-np.inf, "bfloat16") == -np.inf
    )
    assert np.signbit(harness.round_to(-0.0, "bfloat16"))


@pytest.mark.parametrize("layout", harness.LAYOUTS[:4])
def test_layouts_are_what_they_say(layout):
    library = Library(bolide)
    array = np.arange(12.0).reshape(3, 4)
    x = library.tensor(array, "float32", layout)
    assert np.array_equal(library.array_of(x), array)
    assert (x.is_contiguous(), x.storage_offset() > 0) == {
        "contiguous": (True, False),
        "transposed": (False, False),
        "sliced": (False, True),
        "offset": (True, True),
    }[layout]


@pytest.mark.parametrize("got", [np.nan, np.inf, 1.1, -1.0])
def test_comparison_lets_nothing_pass(got):
    row = op_rows.BY_NAME["exp"]
    wrong = harness.differing(row, "float32", np.array([got]), np.array([1.0]), 1.0, False)
    assert wrong.all()

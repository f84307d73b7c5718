"""docs/support.md: which op takes which dtypes, on which device, and what it has besides.

    PYTHONPATH=build/python .venv/bin/python tests/python/support_table.py    # writes the page

It is read off the rows of op_rows.py, every one of which test_ops.py runs on both devices: dtypes that it names are
computed in, others are refused, and a row that a device lacks raises NotImplementedError there. test_support.py fails
when the committed page is another.
"""

from pathlib import Path

import op_rows
import op_rows_fft
import op_rows_linalg
import op_rows_rare
import op_rows_sort
import op_rows_statistics
from harness import EVERY, FLOATS, INTEGERS, SETS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "support.md"

# By device the rows that have no kernel there, each with the reason.
MISSING = {
    "cuda": {
        **{
            row.name: "sort and search have no CUDA kernel yet"
            for row in op_rows_sort.ALL
            if row.name.split()[0] not in ("bincount", "histc") and row.name != "unique_consecutive"
        },
        **dict.fromkeys(op_rows_linalg.ON_LAPACK, "LAPACK has no CUDA kernel yet"),
        **{
            row.name: "seldom used functions (kernels/rare.def) have no CUDA kernel"
            for row in op_rows_rare.ALL
        },
        **dict.fromkeys(op_rows_statistics.ON_SORT, "sort and search have no CUDA kernel yet"),
        **{row.name: "the transforms have no CUDA kernel yet" for row in op_rows_fft.ALL},
    }
}

HEAD = """# What is supported

Written by tests/python/support_table.py from the rows of the op tests; do not edit it by hand.

A dtype that an op does not take raises DTypeError, a kernel that a device lacks NotImplementedError with the names of op, dtype
and device. "2" means that the op is differentiated twice, "1" once. int: uint8, int8, int16, int32, int64; float: float16, bfloat16,
float32, float64; complex: complex64, complex128. "as float32": taken, and computed in float32. "CUDA" says what the tests run
on the emulated device; what ran on a GPU is in benchmarks/results/gpu.md.
"""
KINDS = {
    "bool": ("bool",),
    "int": INTEGERS,
    "float": FLOATS,
    "complex": ("complex64", "complex128"),
}


def dtypes_of(rows):
    """ "bool, int, float": whole kinds by their name, single dtypes otherwise."""
    taken = {dtype for row in rows for dtype in SETS[row.dtypes]}
    words = []
    for kind, members in KINDS.items():
        found = [dtype for dtype in members if dtype in taken]
        words += [kind] if len(found) == len(members) else found
    if any(row.outside == "floats" for row in rows) and not taken & {*INTEGERS, "bool"}:
        words.append("bool and int as float32")
    assert taken <= set(EVERY) and words
    return ", ".join(words)


def device_of(rows, device):
    reasons = [MISSING.get(device, {}).get(row.name) for row in rows]
    if not any(reasons):
        return "yes"
    return "no" if all(reasons) else "in part"


def order_of(rows):
    if not any(any(row.gradient) for row in rows):
        return ""
    return "2" if all(row.second for row in rows if any(row.gradient)) else "1"


def page():
    functions = {}
    for row in op_rows.ALL:
        functions.setdefault(row.name.split(" ")[0], []).append(row)
    lines = ["| op | dtypes | CPU | CUDA | gradient | in place |", "|---|---|---|---|---|---|"]
    for name, rows in sorted(functions.items()):
        aliases = sorted({alias for row in rows for alias in row.aliases} - {name})
        cells = [
            ", ".join(f"`{n}`" for n in (name, *aliases)),
            dtypes_of(rows),
            device_of(rows, "cpu"),
            device_of(rows, "cuda"),
            order_of(rows),
            "yes" if any(row.inplace for row in rows) else "",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    counts = (
        f"{len(functions)} ops: {sum(device_of(r, 'cuda') == 'yes' for r in functions.values())} on CUDA, "
        f"{sum(bool(order_of(r)) for r in functions.values())} differentiable."
    )
    reasons = sorted({reason for rows in MISSING.values() for reason in rows.values()})
    return "\n".join(
        [HEAD, counts + " What is missing on CUDA: " + "; ".join(reasons) + ".", "", *lines, ""]
    )


if __name__ == "__main__":
    PAGE.write_text(page())

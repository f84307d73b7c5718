"""Expressions, over a thousand, give what they give in PyTorch: values, dtypes, shapes, types and errors.

The reference is references/behaviour.json, made by references/make_behaviour.py from the lines of behaviour.txt. To
add a case: a line there, then run that program where torch is.
"""

import importlib.util
import json
import re
import warnings
from pathlib import Path

import bolide
import pytest
from behaviour import agree, outcome
from conftest import DEVICE

PAIRS = json.loads((Path(__file__).parent / "references" / "behaviour.json").read_text())

# Where bolide differs on purpose: a pattern of the expression, and why. An entry that no longer applies fails.
EXCEPTIONS = {
    # better than PyTorch: what group D of the tests of known bugs asks for
    r"dtype=t.u?int8\) (<=?|>=?|==|!=) -?\d+$": "comparisons with numbers out of range are mathematically right",
    r"\]\) (<|==) 2\*\*\d+$|\]\) \* 2\*\*64$": "integers of any size compare, and meet floats",
    r"\]\) \+ 2\*\*63$": "integers beyond 64 bits are no int64: OverflowError",
    r"multinomial\(t.tensor\(\[0.,1.\]\), 2\)": "a weight of zero is never drawn",
    r"tensor\(-1, dtype=t.uint8\)": "does not fit, as 256",
    # accepted where PyTorch refuses
    r"to\(other=|full\(2, 3\)|randint\(5, 3\)|prod\(t.ones\(2,3\), \(0,1\)\)": "an easier call for the same",
    r"tensor\(\[t.tensor\(\[": "lists of tensors are joined",
    r"tensor\((bytearray|memoryview)": "bytes are uint8",
    r"device\('cuda:01'\)": "leading zeros do no harm",
    r"\[1\]\) - t.tensor\(\[True\]\)|where\(t.tensor\(\[1,0\]\)": "bool counts as 0 and 1",
    r"np.ones\(2\) \+ t.ones": "NumPy's operators leave tensors to bolide",
    r"norm\(t.tensor\(\[3,4\]\), dtype": "dtype converts before",
    r"isclose\(t.tensor\(\[1\]\), t.tensor\(\[1.\]": "dtypes are promoted, as everywhere",
    # refused, or another error
    r"to\(3.5\)": "a number is no dtype",
    r"tensor\(\[\[1,2\],3\]\)|tensor\(\[1,\[2\]\]\)": "lists of different depth: ValueError, as of different length",
    r"tensor\(\['a'\]\)|manual_seed\('a'\)|manual_seed\(1.5\)": "TypeError for what is of the wrong type",
    r"__rdiv__": "of Python 2",
    r"sum\(.*out=t.empty\(2, dtype=t.int64": "out= of a lower category is refused, as by every op",
}  # fmt: skip
if importlib.util.find_spec("ml_dtypes"):
    EXCEPTIONS[r"dtype=t.bfloat16\).numpy"] = "NumPy has bfloat16 with the package ml_dtypes"


def reason_of(expression):
    found = [pattern for pattern in EXCEPTIONS if re.search(pattern, expression)]
    return found[0] if found else None


@pytest.fixture(scope="module")
def differing():
    """The expressions that differ; all run once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [(line, outcome(line, bolide), wanted) for line, wanted in PAIRS]
    return [(line, got, wanted) for line, got, wanted in found if not agree(got, wanted)]


@pytest.mark.skipif(DEVICE != "cpu", reason="the expressions name no device")
def test_expressions(differing):
    wrong = [
        f"{line}\n    expected {wanted}\n    got      {got}"
        for line, got, wanted in differing
        if reason_of(line) is None
    ]
    assert not wrong, f"{len(wrong)} of {len(PAIRS)} differ:\n" + "\n".join(wrong)
    assert len(PAIRS) > 800


@pytest.mark.skipif(DEVICE != "cpu", reason="the expressions name no device")
def test_exceptions_still_apply(differing):
    seen = {reason_of(line) for line, _, _ in differing}
    assert not set(EXCEPTIONS) - seen

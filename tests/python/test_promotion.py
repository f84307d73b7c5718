"""The dtype of a op b for every pair of dtypes and every form of the operands, as PyTorch gives it.

The reference is references/promotion.json, made by references/make_promotion.py. Values are compared with torch's where
torch can be imported.
"""

import json
from pathlib import Path

import bolide
import pytest
from conftest import DEVICE

REFERENCE = json.loads((Path(__file__).parent / "references" / "promotion.json").read_text())
DTYPES, LETTERS = REFERENCE["dtypes"], REFERENCE["letters"]
NAMES = {letter: name for name, letter in LETTERS.items()}
NUMBERS = {"bool": True, "int": 2, "float": 2.5, "complex": 2j}
FORMS = ("tt", "tz", "zt", "zz", "ts", "st", "zs", "sz")

# Where bolide differs on purpose: (op, what) and why. An entry that no longer differs fails.
EXCEPTIONS = {
    "complex32": "PyTorch's half of complex64 is not here: float16 with complex numbers gives complex64",
    "pow": "bool to the power of bool: DTypeError, as for two tensors",
}


def operand(dtype, form, module=bolide, device=DEVICE):
    return module.ones((3,) if form == "t" else (), dtype=getattr(module, dtype), device=device)


def apply(op, a, b, module=bolide, device=DEVICE):
    if op == "where":
        return module.where(module.tensor([True, False, True], device=device), a, b)
    return getattr(module, op)(a, b)


def combinations(form):
    """(name, operand) of the second or of the number, for each of the first: in the order of the reference."""
    for dtype in DTYPES:
        for other in NUMBERS if "s" in form else DTYPES:
            yield dtype, other


def operands(form, dtype, other, module=bolide, device=DEVICE):
    if form[0] == "s":
        return NUMBERS[other], operand(dtype, form[1], module, device)
    second = NUMBERS[other] if form[1] == "s" else operand(other, form[1], module, device)
    return operand(dtype, form[0], module, device), second


def outcome(op, form, dtype, other):
    try:
        found = str(apply(op, *operands(form, dtype, other)).dtype).split(".")[-1]
    except (TypeError, RuntimeError, NotImplementedError) as error:
        assert str(error).startswith("["), error
        return "-"
    return LETTERS[found]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("op", REFERENCE["ops"])
def test_dtype_of_result(op, form):
    wanted = REFERENCE["ops"][op][form]
    pairs = list(combinations(form))
    assert len(wanted) == len(pairs)
    wrong = []
    for (dtype, other), letter in zip(pairs, wanted, strict=True):
        found = outcome(op, form, dtype, other)
        if letter not in (*NAMES, "-"):
            letter = LETTERS["complex64"]  # EXCEPTIONS["complex32"]
        if letter == "-" and found != "-":
            continue  # PyTorch refuses what is defined here
        if op == "pow" and found == "-" and {dtype, other} == {"bool"}:
            continue  # EXCEPTIONS["pow"]
        if found != letter:
            wrong.append(
                f"{dtype} {other}: expected {NAMES.get(letter, 'an error')}, got {NAMES.get(found, 'an error')}"
            )
    assert not wrong, wrong


def test_promote_types():
    wanted = iter(REFERENCE["promote_types"])
    for a in DTYPES:
        for b in DTYPES:
            found = bolide.promote_types(getattr(bolide, a), getattr(bolide, b))
            assert found is getattr(bolide, NAMES[next(wanted)]), (a, b)
            assert bolide.promote_types(getattr(bolide, b), getattr(bolide, a)) is found


def test_result_type():
    for form in ("tt", "tz", "zz", "ts", "zs"):
        wanted = REFERENCE["ops"]["add"][form]
        for (dtype, other), letter in zip(combinations(form), wanted, strict=True):
            if letter in NAMES:
                found = bolide.result_type(*operands(form, dtype, other))
                assert found is getattr(bolide, NAMES[letter]), (form, dtype, other)


def test_in_place_keeps_the_dtype_or_refuses():
    for (a, b), letter in zip(combinations("tt"), REFERENCE["inplace add"], strict=True):
        x, y = operand(a, "t"), operand(b, "t")
        if letter == "-":
            with pytest.raises(bolide.DTypeError):
                x.add_(y)
            assert x.tolist() == operand(a, "t").tolist() and x._version == 0
        else:
            assert str(x.add_(y).dtype).split(".")[-1] == a


def test_there_is_no_complex32():
    """The exception above, which fails when it no longer applies."""
    assert EXCEPTIONS["complex32"] and not hasattr(bolide, "complex32")
    assert (bolide.ones(2, dtype=bolide.float16, device=DEVICE) * 1j).dtype is bolide.complex64


def test_numbers_that_no_integer_holds():
    """Comparisons with a number outside the dtype's range are mathematically right; integer arithmetic takes 64 bits."""
    x = bolide.tensor([0, 200], dtype=bolide.uint8, device=DEVICE)
    assert (x <= -19).tolist() == [False, False]
    assert (x < 300).tolist() == [True, True]
    assert (x == 256).tolist() == [False, False]
    for number in (2**63, 2**64):
        assert (bolide.ones(2, device=DEVICE) + number).tolist() == [float(number)] * 2
        with pytest.raises(OverflowError, match=str(number)):
            bolide.ones(2, device=DEVICE, dtype=bolide.int32) + number


@pytest.mark.skipif(DEVICE != "cpu", reason="values on other devices: test_ops.py")
@pytest.mark.parametrize("op", ["add", "mul", "div", "floor_divide", "remainder", "pow", "maximum"])
def test_values_are_torchs(op):
    """Of mixed dtypes: the operands are converted before, not after."""
    torch = pytest.importorskip("torch")
    values = [3, 1, 7, 100]
    for a in DTYPES[:10]:
        for b in DTYPES[:10]:
            pair = [[v % 2 for v in values] if dtype == "bool" else values for dtype in (a, b)]
            try:
                wanted = apply(op, *(torch.tensor(v, dtype=getattr(torch, d)) for v, d in zip(pair, (a, b), strict=True)),
                               module=torch)  # fmt: skip
            except (RuntimeError, NotImplementedError):
                continue
            found = apply(
                op,
                *(
                    bolide.tensor(v, dtype=getattr(bolide, d))
                    for v, d in zip(pair, (a, b), strict=True)
                ),
            )
            assert str(found.dtype).split(".")[-1] == str(wanted.dtype).split(".")[-1]
            for got, want in zip(found.tolist(), wanted.tolist(), strict=True):
                assert got == pytest.approx(want, rel=1e-6, nan_ok=True), (op, a, b)

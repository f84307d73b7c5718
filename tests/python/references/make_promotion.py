"""Writes promotion.json: what PyTorch gives for the dtype of a op b, for every pair and form of operands.

    python tests/python/references/make_promotion.py

Needs torch; made with 2.13.0. A table is one string of letters, row by row: the letter of the result, "-" where PyTorch
refuses, "x" for complex32, which bolide does not have. Forms: t a tensor with dimensions, z a 0-d tensor, s a Python number.
"""

import json
from pathlib import Path

import torch

LETTERS = {
    "bool": "b", "uint8": "u", "int8": "c", "int16": "s", "int32": "i", "int64": "l", "float16": "h", "bfloat16": "g",
    "float32": "f", "float64": "d", "complex64": "F", "complex128": "D",
}  # fmt: skip
NUMBERS = {"bool": True, "int": 2, "float": 2.5, "complex": 2j}
OPS = (
    "add",
    "sub",
    "mul",
    "div",
    "floor_divide",
    "remainder",
    "pow",
    "eq",
    "lt",
    "bitwise_and",
    "maximum",
    "where",
)


def operand(dtype, form):
    return torch.ones((3,) if form == "t" else (), dtype=getattr(torch, dtype))


def apply(op, a, b):
    if op == "where":
        return torch.where(torch.tensor([True, False, True]), a, b)
    return getattr(torch, op)(a, b)


def letter(op, a, b):
    try:
        return LETTERS.get(str(apply(op, a, b).dtype).split(".")[1], "x")
    except (RuntimeError, TypeError, NotImplementedError):
        return "-"


def tables(op):
    found = {}
    for first in "tz":
        for second in "tz":
            found[first + second] = "".join(
                letter(op, operand(a, first), operand(b, second)) for a in LETTERS for b in LETTERS
            )
        found[first + "s"] = "".join(
            letter(op, operand(a, first), n) for a in LETTERS for n in NUMBERS.values()
        )
        found["s" + first] = "".join(
            letter(op, n, operand(a, first)) for a in LETTERS for n in NUMBERS.values()
        )
    return found


def main():
    text = {
        "made with": f"torch {torch.__version__.split('+')[0]}",
        "dtypes": list(LETTERS),
        "letters": LETTERS,
    }
    text["numbers"] = list(NUMBERS)
    text["promote_types"] = "".join(
        LETTERS[str(torch.promote_types(getattr(torch, a), getattr(torch, b))).split(".")[1]]
        for a in LETTERS
        for b in LETTERS
    )
    text["ops"] = {op: tables(op) for op in OPS}
    text["inplace add"] = "".join(inplace_letter(a, b) for a in LETTERS for b in LETTERS)
    path = Path(__file__).with_name("promotion.json")
    path.write_text(json.dumps(text, indent=1) + "\n")


def inplace_letter(a, b):
    try:
        return LETTERS[str(operand(a, "t").add_(operand(b, "t")).dtype).split(".")[1]]
    except RuntimeError:
        return "-"


if __name__ == "__main__":
    main()

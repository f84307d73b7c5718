"""Writes _C.pyi, what type checkers and editors know of the compiled part: ``python -m bolide._stubs [folder]``.

Most of it comes from the op table itself; what pybind11 binds beside the table is read from its docstrings.
"""

import re
import sys
from pathlib import Path

_HEAD = '''"""Made by python -m bolide._stubs; not to be edited."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self, overload

Number = bool | int | float | complex
'''

_FIXED = """
class dtype:
    itemsize: int
    is_floating_point: bool
    def to_real(self) -> dtype: ...
    def to_complex(self) -> dtype: ...
    is_complex: bool
    is_signed: bool

class device:
    type: str
    index: int | None
    def __init__(self, type: str | int | device, index: int | None = None) -> None: ...

_dtype = dtype
_device = device

class Size(tuple[int, ...]):
    def numel(self) -> int: ...

class ValuesIndices(NamedTuple):
    values: Tensor
    indices: Tensor
"""

# The builtins that names of dtypes and methods hide, as stubs have to say them.
_HIDDEN = ("bool", "int", "float")


def _operators():
    binary = "add sub mul truediv floordiv mod pow and or xor lshift rshift matmul".split()
    lines = ["    def __new__(cls, *args: Any, **named: Any) -> Self: ..."]
    for name in binary:
        for form in ("", "r", "i"):
            lines.append(f"    def __{form}{name}__(self, other: Any) -> Tensor: ...")
    for name in ("lt", "le", "gt", "ge", "eq", "ne"):
        lines.append(
            f"    def __{name}__(self, other: Any) -> Tensor: ...  # type: ignore[override]"
        )
    for name in ("neg", "pos", "abs", "invert"):
        lines.append(f"    def __{name}__(self) -> Tensor: ...")
    kinds = {
        "bool": "bool",
        "int": "int",
        "float": "float",
        "index": "int",
        "len": "int",
        "hash": "int",
    }
    lines += [f"    def __{name}__(self) -> builtins.{kind}: ..." for name, kind in kinds.items()]
    lines.append("    def __getitem__(self, key: Any) -> Tensor: ...")
    lines.append("    def __setitem__(self, key: Any, value: Any) -> None: ...")
    lines.append("    def __iter__(self) -> Any: ...")
    lines.append("    def __contains__(self, element: Any) -> builtins.bool: ...")
    return "\n".join(lines) + "\n"


def _qualify(text):
    """Types written as builtins.int: inside Tensor and beside the dtypes the plain names mean something else."""
    pattern = r"(?<=[:\[|>]\s)({0})\b|(?<=\[)({0})\b".format("|".join(_HIDDEN))
    return re.sub(pattern, lambda found: "builtins." + found.group(0), text)


def stub_text():
    """The whole stub, as text."""
    from bolide import _C

    table = _C._stub_text().replace(
        " from: ", " from_: "
    )  # uniform_'s first name is a keyword of Python
    at = table.index("\n\n") + 1
    body = table[:at] + _operators() + table[at:]
    known = set(re.findall(r"^(?:def|class) (\w+)", body + _FIXED, re.MULTILINE))
    rest = []
    for name in sorted(vars(_C)):
        value = getattr(_C, name)
        if name in known or (name.startswith("__") and name != "__version__"):
            continue
        if isinstance(value, _C.dtype):
            rest.append(f"{name}: dtype")
        elif isinstance(value, type) and issubclass(value, BaseException):
            bases = ", ".join(base.__name__ for base in value.__bases__)
            rest.append(f"class {name}({bases}): ...")
        elif isinstance(value, type):
            rest.append(f"{name}: Any")
        elif callable(value):
            rest.append(f"def {name}(*args: Any, **named: Any) -> Any: ...")
        else:
            rest.append(f"{name}: Any")
    # In class Tensor these two names are properties.
    body = re.sub(
        r"(?<=: )(dtype|device)(?= \||,|\)| =)|(?<=-> )(dtype|device)(?=:)", r"_\g<0>", body
    )
    head = _HEAD.replace("from typing", "import builtins\nfrom typing", 1)
    head = head.replace(
        "from collections.abc import Sequence\nimport builtins\n",
        "import builtins\nfrom collections.abc import Sequence\n",
    )
    head = head.replace(
        "Number = bool | int | float | complex",
        "Number = builtins.bool | builtins.int | builtins.float | builtins.complex",
    )
    return (
        head
        + _FIXED.replace(": bool", ": builtins.bool")
        .replace(": int", ": builtins.int")
        .replace("-> int", "-> builtins.int")
        .replace("tuple[int", "tuple[builtins.int")
        .replace("| int", "| builtins.int")
        + "\n"
        + _qualify(body)
        + "\n".join(rest)
        + "\n"
    )


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    path = folder / "_C.pyi"
    path.write_text(stub_text())
    print(path)


if __name__ == "__main__":
    main()

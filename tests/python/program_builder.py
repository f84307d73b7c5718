"""What the steps of random programs (program_steps.py) ask for: choices, drawn by Hypothesis, and operands that fit.

Choices are made so that 0 is the simplest, which is what Hypothesis shrinks to.
"""

import functools

from hypothesis import strategies as st
from programs import name_of

DTYPES = (
    "float64",
    "float32",
    "int64",
    "bool",
    "int32",
    "uint8",
    "float16",
    "bfloat16",
    "int8",
    "int16",
)
FLOATING = ("float64", "float32", "float16", "bfloat16")
SIZES = (2, 3, 1, 4, 0)
NUMBERS = ("2", "1", "0.5", "-1.5", "True", "0", "3", "-2", "False", "-0.25", "1e3", "float('nan')", "float('inf')",
           "300", "-129", "2**31")  # fmt: skip
POOL = 7  # live tensors
LENGTH = 14  # lines, at most, before the end

MAKERS, CHANGERS = [], []


def makes(weight):
    return lambda function: MAKERS.extend([function] * weight) or function


def changes(weight):
    return lambda function: CHANGERS.extend([function] * weight) or function


@functools.lru_cache
def below(n):
    return st.integers(0, n - 1)


class Builder:
    """What a step asks: choices, and operands that fit."""

    operators, gradients = ("+", "*", "-", "/", "//", "%", "**"), True

    def __init__(self, draw, pair):
        self.draw, self.pair = draw, pair
        self.fresh = 0

    # ---- choices
    def upto(self, n):
        return self.draw(below(n)) if n > 1 else 0

    def pick(self, values):
        return values[self.upto(len(values))]

    def rarely(self, n):
        return self.upto(n) == n - 1

    def number(self):
        return NUMBERS[min(self.upto(len(NUMBERS)), self.upto(len(NUMBERS)))]

    def dtype(self):
        return DTYPES[min(self.upto(len(DTYPES)), self.upto(len(DTYPES)))]

    def shape(self, most=3):
        return tuple(SIZES[min(self.upto(5), self.upto(5))] for _ in range(self.upto(most + 1)))

    # ---- tensors
    def at(self, name):
        return self.pair.reference.names[name]

    def tensor(self, fits=None):
        """The name of a live tensor, mostly a late one."""
        names = [n for n in reversed(self.pair.tensors) if fits is None or fits(self.at(n))]
        return self.pick(names) if names else None

    def floating(self):
        return self.tensor(lambda x: x.is_floating_point())

    def target(self):
        """What an in-place op may be called on: a tensor, or a part of one that is only a view."""
        name = self.tensor()
        if self.rarely(4):
            return name + self.basic_key(self.at(name).shape)
        return name

    def made(self, shape, dtype=None):
        return f"make({shape}, '{dtype or self.dtype()}', {self.upto(20)})"

    def fitting(self, shape, numbers=True):
        """An expression that broadcasts with the shape."""
        shape = tuple(shape)
        kind = self.upto(8)
        if kind < 4:
            name = self.tensor(lambda x: broadcasts(tuple(x.shape), shape))
            if name:
                return name
        if kind < 6 and numbers:
            return self.number()
        return self.made(self.smaller(shape))

    def smaller(self, shape):
        """A shape that broadcasts to this one."""
        if self.rarely(24):
            return self.shape()
        shape = shape[self.upto(len(shape) + 1) :] if self.rarely(3) else shape
        return tuple(1 if self.rarely(4) else n for n in shape)

    def mask(self, shape):
        name = self.tensor(
            lambda x: name_of(x) == "bool" and broadcasts(tuple(x.shape), tuple(shape))
        )
        return name if name and self.upto(2) else self.made(self.smaller(tuple(shape)), "bool")

    # ---- arguments
    def dim(self, rank):
        if self.rarely(40):
            return self.pick((rank, -rank - 1, 9))
        return self.upto(max(rank, 1)) - (max(rank, 1) if self.rarely(3) else 0)

    def dims(self, rank):
        """A dim, or a tuple of some, or None, as text."""
        kind = self.upto(5)
        if kind < 3:
            return str(self.dim(rank))
        if kind == 3 or not rank:
            return "None"
        return str(tuple(self.dim(rank) for _ in range(1 + self.upto(rank))))

    def bound(self, n):
        return "" if self.rarely(3) else str(self.upto(n + 2) - (n if self.rarely(3) else 0))

    def slice(self, n):
        step = self.pick(("", ":2", ":3", ":1", ":"))
        return f"{self.bound(n)}:{self.bound(n)}{step}"

    def one_index(self, n):
        if not n or self.rarely(40):
            return str(n + self.upto(2))
        return str(self.upto(n) - (n if self.rarely(3) else 0))

    def basic_key(self, shape):
        parts, left = [], list(shape)
        dots = False
        for _ in range(self.upto(len(left) + 2)):
            kind = self.upto(12)
            if kind == 10:
                parts.append("None")
            elif kind == 11 and not dots:
                dots = True
                parts.append("...")
                left = left[self.upto(len(left) + 1) :]
            elif left:
                n = left.pop(0)
                parts.append(":" if kind == 0 else self.slice(n) if kind < 7 else self.one_index(n))
        return f"[{', '.join(parts) or '...'}]"

    def places(self, n, count):
        if not n or self.rarely(40):
            return [n] * count
        return [self.upto(n) - (n if self.rarely(4) else 0) for _ in range(count)]

    def index_part(self, n, count):
        places = self.places(n, count)
        return f"idx({places})" if self.upto(2) else str(places)

    def advanced_key(self, shape):
        """Index arrays and masks among slices and numbers."""
        if not shape:
            return self.pick(("[True]", "[False]", "[None]", "[make((), 'bool', 0)]"))
        if self.rarely(4):
            rank = 1 + self.upto(len(shape))
            rest = f", {self.slice(shape[rank])}" if rank < len(shape) and self.rarely(3) else ""
            name = self.tensor(
                lambda x: (
                    name_of(x) == "bool" and x.dim() and tuple(x.shape) == tuple(shape[: x.dim()])
                )
            )
            if name and self.rarely(2):
                return f"[{name}]"
            return f"[{self.made(tuple(shape[:rank]), 'bool')}{rest}]"
        count, parts, some = 1 + self.upto(3), [], False
        for n in shape[: 1 + self.upto(len(shape))]:
            kind = self.upto(6)
            if kind < 3 or (not some and len(parts) == len(shape) - 1):
                some = True
                column = self.rarely(6) and kind == 0
                parts.append(
                    f"idx({self.places(n, count)})[:, None]"
                    if column
                    else self.index_part(n, count)
                )
            elif kind == 5:
                parts.append(self.one_index(n))
            else:
                parts.append(self.slice(n))
            if self.rarely(10):
                parts.append("None")
        return f"[{', '.join(parts)}]"

    def key(self, shape):
        return self.basic_key(shape) if self.upto(2) == 0 else self.advanced_key(tuple(shape))


class PlainBuilder(Builder):
    """Of programs that NumPy runs too (program_model.py)."""

    operators, gradients = ("+", "*", "-"), False

    def dtype(self):
        return "float64"

    def number(self):
        return self.pick(("2", "1", "0.5", "-1.5", "0"))


def broadcasts(a, b):
    return all(x == y or x == 1 or y == 1 for x, y in zip(reversed(a), reversed(b), strict=False))


def broadcasts_to(a, b):
    return len(a) <= len(b) and all(
        x in (y, 1) for x, y in zip(reversed(a), reversed(b), strict=False)
    )

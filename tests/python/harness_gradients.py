"""The op harness: first and second derivatives, compared with finite differences in float64 by random projection.

One number stands for a whole Jacobian, and a wrong entry shows in it. Narrower types are compared with float64.
"""

import numpy as np
from harness import (
    COMPLEX,
    COUNTS,
    EPSILON,
    FLOATS,
    SETS,
    Fixed,
    Mismatch,
    as_tuple,
    layouts_of,
    name_of,
    prepared,
    random_for,
    round_to,
    shapes_text,
    tensors_of,
)

# The types whose slopes are compared with finite differences; the others are compared with these.
WIDE = ("float64", "complex128")


def gradient_places(row, case):
    given = zip(case.inputs, row.gradient, strict=False)
    return [k for k, (spec, wanted) in enumerate(given) if wanted and isinstance(spec, tuple)]


def floating_outputs(outputs):
    return [y for y in as_tuple(outputs) if hasattr(y, "dtype") and name_of(y) in FLOATS + COMPLEX]


def real_sum(products):
    """The sum of the real parts: a real number of complex ones."""
    return (products.real if name_of(products) in COMPLEX else products).sum()


def along(slope, direction):
    """How fast a real number grows in a direction, by its gradient; and the sum of the sizes."""
    products = np.conj(slope) * direction
    return float(np.sum(products.real)), float(np.sum(abs(products)))


class Projection:
    """L = sum of w * f(x): the number whose slopes along random directions are compared."""

    def __init__(self, row, case, library, dtype, layout, key):
        self.row, self.case, self.library, self.dtype, self.layout = (
            row,
            case,
            library,
            dtype,
            layout,
        )
        self.arrays = prepared(row, case, dtype, key, smooth=True)
        if dtype not in WIDE:
            self.arrays = [round_to(a, dtype) if self.is_drawn(a) else a for a in self.arrays]
        self.places = gradient_places(row, case)
        self.random = random_for(row.name, key, "directions")
        self.weights = None

    @staticmethod
    def is_drawn(a):
        return isinstance(a, np.ndarray) and not isinstance(a, Fixed) and a.dtype.kind in "fc"

    def leaves(self, arrays):
        _, tensors = tensors_of(self.library, arrays, self.dtype, self.layout)
        for k in self.places:
            tensors[k] = tensors[k].detach().requires_grad_()
        return tensors

    def outputs(self, tensors):
        return floating_outputs(
            self.library.run(self.row, *tensors, *self.case.args, **self.case.named)
        )

    def weights_for(self, outputs):
        if self.weights is None:
            self.weights = [round_to(self.weight(tuple(y.shape)) if name_of(y) not in COMPLEX else
                                     self.weight(tuple(y.shape)) + 1j * self.weight(tuple(y.shape)), name_of(y))
                            for y in outputs]  # fmt: skip
        return self.weights

    def weight(self, shape):
        return self.random.uniform(0.5, 1.5, shape) * self.random.choice([-1, 1], shape)

    def loss(self, outputs, weights):
        terms = [real_sum(y * w) for y, w in zip(outputs, weights, strict=True)]
        return sum(terms[1:], terms[0])

    def weight_tensors(self, outputs, requires_grad=False):
        made = [
            self.library.from_array(w, name_of(y))
            for w, y in zip(self.weights_for(outputs), outputs, strict=True)
        ]
        return [w.requires_grad_() for w in made] if requires_grad else made

    def gradients(self):
        """Of the loss, as arrays: one per differentiated input."""
        tensors = self.leaves(self.arrays)
        outputs = self.outputs(tensors)
        loss = self.loss(outputs, self.weight_tensors(outputs))
        inputs = [tensors[k] for k in self.places]
        found = self.library.module.autograd.grad(loss, inputs, allow_unused=True)
        for x, g in zip(inputs, found, strict=True):
            if g is None:
                raise Mismatch(f"{self.text()}: there is no gradient")
            if tuple(g.shape) != tuple(x.shape) or g.dtype != x.dtype:
                raise Mismatch(f"{self.text()}: expected a gradient of {tuple(x.shape)} {x.dtype}, "
                               f"got {tuple(g.shape)} {g.dtype}")  # fmt: skip
        return [self.library.array_of(g) for g in found]

    def text(self):
        return f"{self.row.name} {shapes_text(self.case)} {self.dtype} {self.layout}"

    def moved(self, directions, step):
        arrays = list(self.arrays)
        for k, v in zip(self.places, directions, strict=True):
            arrays[k] = np.asarray(arrays[k] + step * v)
        return arrays

    def directions(self):
        return [self.direction_like(self.arrays[k]) for k in self.places]

    def direction_like(self, array):
        step = self.random.uniform(-1, 1, array.shape)
        return (
            step + 1j * self.random.uniform(-1, 1, array.shape) if array.dtype.kind == "c" else step
        )

    def value(self, arrays):
        outputs = self.outputs(self.leaves(arrays))
        return float(
            self.library.array_of(self.loss(outputs, self.weight_tensors(outputs)).detach())
        )

    def check_slope(self):
        """The gradients agree with finite differences."""
        analytic = self.gradients()
        directions = self.directions()
        h = 1e-5
        numeric = (
            self.value(self.moved(directions, h)) - self.value(self.moved(directions, -h))
        ) / (2 * h)
        found = [along(g, v) for g, v in zip(analytic, directions, strict=True)]
        got, size = sum(f[0] for f in found), sum(f[1] for f in found)
        compare_slopes(f"{self.text()} gradient", got, numeric, size)
        return analytic

    def inner(self, arrays, weights, projections, differentiate):
        """G = <gradient of L by x, u>, and if wanted G's own gradients by x and by w."""
        tensors = self.leaves(arrays)
        outputs = self.outputs(tensors)
        ws = [
            self.library.from_array(w, name_of(y)).requires_grad_()
            for w, y in zip(weights, outputs, strict=True)
        ]
        inputs = [tensors[k] for k in self.places]
        grad = self.library.module.autograd.grad
        first = grad(self.loss(outputs, ws), inputs, create_graph=True, allow_unused=True)
        terms = [real_sum(g * self.library.from_array(u, self.dtype))
                 for g, u in zip(first, projections, strict=True) if g is not None]  # fmt: skip
        total = sum(terms[1:], terms[0])
        if not differentiate:
            return float(self.library.array_of(total.detach())), None
        # Without a history of its own it says that everything is zero, which the differences may deny.
        second = (
            grad(total, inputs + ws, allow_unused=True)
            if total.requires_grad
            else [None] * (len(inputs) + len(ws))
        )
        return total, [0.0 if g is None else self.library.array_of(g) for g in second]

    def check_second(self):
        """The gradients of the gradients agree with finite differences, by the inputs and by the incoming gradient."""
        self.gradients()
        projections, directions = self.directions(), self.directions()
        turns = [self.direction_like(w) for w in self.weights]
        _, second = self.inner(self.arrays, self.weights, projections, True)
        h = 1e-5
        values = [self.inner(self.moved(directions, s * h), [w + s * h * v for w, v in zip(self.weights, turns, strict=True)],
                             projections, False)[0] for s in (1, -1)]  # fmt: skip
        numeric = (values[0] - values[1]) / (2 * h)
        found = [along(g, v) for g, v in zip(second, directions + turns, strict=True)]
        compare_slopes(
            f"{self.text()} second derivative",
            sum(f[0] for f in found),
            numeric,
            sum(f[1] for f in found),
        )


def compare_slopes(where, got, numeric, size):
    # Differences in float64 with a step of 1e-5 hold about ten digits; 1e-6 leaves room for curvature.
    if not abs(got - numeric) <= 1e-6 * (1 + size + abs(numeric)):
        raise Mismatch(
            f"{where}: expected {numeric} along a random direction, as differences say, got {got}"
        )


def wide_dtypes(row, case):
    return [d for d in WIDE if d in SETS[row.dtypes] and d in case.dtypes]


def gradient_cases(row):
    return [(at, case) for at, case in enumerate(row.cases)
            if case.smooth and gradient_places(row, case) and "float64" in case.dtypes]  # fmt: skip


def check_gradients(row, library, counts=COUNTS):
    """float64 against finite differences in every layout; the other floats against float64."""
    for at, case in gradient_cases(row):
        for dtype in wide_dtypes(row, case):
            for layout in layouts_of(row, case, dtype):
                # Broadcast makes elements equal, where the largest one has no derivative.
                if layout != "broadcast":
                    Projection(row, case, library, dtype, layout, at).check_slope()
                    counts.add("gradients")
        for dtype in SETS[row.dtypes]:
            if dtype in FLOATS + COMPLEX and dtype in case.dtypes and dtype not in WIDE:
                compare_narrow(row, case, library, dtype, at)
                counts.add("gradients")


def compare_narrow(row, case, library, dtype, key):
    """The gradients of a narrower type are those of float64 at the same inputs, but for rounding."""
    narrow = Projection(
        row,
        case,
        library,
        dtype,
        "sliced" if key % 2 and "sliced" in case.layouts else "contiguous",
        key,
    )
    got = narrow.gradients()
    wide = Projection(
        row, case, library, "complex128" if dtype in COMPLEX else "float64", "contiguous", key
    )
    wide.arrays, wide.weights = narrow.arrays, narrow.weights
    for g, wanted in zip(got, wide.gradients(), strict=True):
        size = float(abs(wanted).max(initial=0.0))
        limit = row.gradient_ulps * EPSILON[dtype] * (abs(wanted) + size + 1)
        wrong = ~(abs(g - wanted) <= limit)
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise Mismatch(
                f"{narrow.text()}: expected the gradient {wanted[at]} at {at}, got {g[at]}"
            )


def check_second_order(row, library, counts=COUNTS):
    if not row.second:
        return
    for at, case in gradient_cases(row):
        for dtype in wide_dtypes(row, case):
            for layout in ("contiguous", "transposed"):
                if layout in layouts_of(row, case, dtype):
                    Projection(row, case, library, dtype, layout, at).check_second()
                    counts.add("second derivatives")

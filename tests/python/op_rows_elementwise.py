"""Rows of op_rows.py: what computes element by element: kernels/elementwise.def and what is made of it."""

import math

import numpy as np
import op_oracles as oracle
from harness import COMPLEX, FLOATS, SETS, Case, Fixed, Row


def cases(*inputs, **options):
    return tuple(Case(one, **options) for one in inputs)


# 131: two blocks of 64 and a rest.
UNARY_CASES = cases(((3, 5),), ((2, 3, 4),), ((131,),), ((),), ((0, 3),))
BINARY_CASES = (
    *cases(
        ((3, 5), (3, 5)),
        ((2, 3, 4), (3, 1)),
        ((131,), (131,)),
        ((), ()),
        ((3, 5), ()),
        ((0, 3), (1, 3)),
    ),
    *cases(((4, 1), (1, 7)), ((5,), (3, 5)), ((2, 1, 3, 1), (4, 1, 2))),
)
TERNARY_CASES = (
    *cases(
        ((3, 5), (3, 5), (3, 5)),
        ((131,), (131,), (131,)),
        ((), (), ()),
        ((4, 1), (1, 7), (2, 4, 7)),
    ),
    *cases(((0, 3), (1, 3), ()), ((3, 5), (), (5,))),
)
# With a Python number on either side; bool would be promoted.
NUMBERS = SETS["Number"]
SCALAR_CASES = (Case(((3, 5), 2), dtypes=NUMBERS + COMPLEX), Case((2, (3, 5)), dtypes=NUMBERS + COMPLEX),
                Case(((3, 5), 1.5), dtypes=FLOATS + COMPLEX), Case((1.5, (3, 5)), dtypes=FLOATS + COMPLEX),
                Case(((3, 5), 1.5 - 0.5j), dtypes=COMPLEX), Case((1.5j, (3, 5)), dtypes=COMPLEX))  # fmt: skip


def unary(name, function, dtypes="Float", more=(), **options):
    return Row(
        name, function, dtypes, cases=UNARY_CASES + tuple(more), **{"extremes": True, **options}
    )


def with_arguments(*named):
    return [Case(((3, 5),), named=one) for one in named]


def binary(name, function, dtypes="Number", scalars=SCALAR_CASES, **options):
    return Row(
        name, function, dtypes, cases=BINARY_CASES + tuple(scalars), **{"extremes": True, **options}
    )


def ternary(name, function, dtypes, **options):
    return Row(name, function, dtypes, cases=TERNARY_CASES, **{"extremes": True, **options})


SLOPE = {"gradient": (True,)}
SLOPES = {"gradient": (True, True)}
# Sums whose terms cancel keep the absolute, not the relative accuracy.
FLOATING = {"result": "floating", "outside": "floats"}
FC = "Float|Complex"
POSITIVE = (0.2, 4.0)

UNARY = [
    unary("neg", np.negative, "Number|Complex", complex_extremes=True, inplace=True, aliases=("negative",), **SLOPE),
    unary("abs", np.abs, "Number|Complex", result="real", inplace=True, complex_extremes=True, aliases=("absolute",), **SLOPE),
    unary("square", lambda x: x * x, "Number|Complex", outside="skip", inplace=True, **SLOPE),
    unary("sign", oracle.sign, "Any", inplace=True, reason="that of NaN is NaN, as in the Array API standard (PyTorch "
          "gives 0)", **SLOPE),
    unary("sgn", oracle.sgn, "Any|Complex", inplace=True, ulps=3, reason="as sign; a length and a quotient", **SLOPE),
    unary("conj_physical", np.conj, "Any|Complex", inplace=True, complex_extremes=True, **SLOPE),
    unary("angle", oracle.angle, FC, result="real", outside="floats", **SLOPE),
    unary("relu", oracle.relu, "Number", inplace=True, zero_sign=False, reason="relu(-0.0) is 0.0 in PyTorch, -0.0 "
          "in others", **SLOPE),
    unary("reciprocal", lambda x: 1 / x, dtypes=FC, inplace=True, domain=POSITIVE, **FLOATING, **SLOPE),
    unary("sqrt", np.sqrt, dtypes=FC, inplace=True, domain=POSITIVE, **FLOATING, **SLOPE),
    unary("rsqrt", lambda x: 1 / np.sqrt(x), dtypes=FC, inplace=True, domain=POSITIVE, **FLOATING, **SLOPE),
    unary("exp", np.exp, dtypes=FC, inplace=True, **FLOATING, **SLOPE),
    unary("exp2", np.exp2, dtypes=FC, inplace=True, **FLOATING, **SLOPE),
    unary("expm1", np.expm1, dtypes=FC, inplace=True, **FLOATING, **SLOPE),
    unary("log", np.log, dtypes=FC, complex_ulps=6, reason="near |x| = 1 the real part cancels", inplace=True, domain=POSITIVE, **FLOATING, **SLOPE),
    unary("log2", np.log2, dtypes=FC, complex_ulps=6, inplace=True, domain=POSITIVE, ulps=3, reason="a logarithm and a product",
          **FLOATING, **SLOPE),
    unary("log10", np.log10, dtypes=FC, complex_ulps=6, inplace=True, domain=POSITIVE, ulps=3, reason="a logarithm and a product",
          **FLOATING, **SLOPE),
    unary("log1p", np.log1p, dtypes=FC, complex_ulps=6, inplace=True, domain=(-0.8, 4.0), ulps=3, reason="a logarithm and a correction",
          **FLOATING, **SLOPE),
    unary("sin", np.sin, dtypes=FC, inplace=True, absolute=1, ignore=lambda x: abs(x) > 1e5, reason="arguments are reduced with "
          "an absolute error; docs/accuracy.md has the limit for large ones", **FLOATING, **SLOPE),
    unary("cos", np.cos, dtypes=FC, inplace=True, absolute=1, ignore=lambda x: abs(x) > 1e5, reason="as sin", **FLOATING, **SLOPE),
    unary("tan", np.tan, dtypes=FC, inplace=True, ulps=6, absolute=2, domain=(-1.3, 1.3), ignore=lambda x: abs(x) > 1e5,
          reason="a quotient of sin and cos, as they are", **FLOATING, **SLOPE),
    unary("atan", np.arctan, dtypes=FC, inplace=True, aliases=("arctan",), **FLOATING, **SLOPE),
    unary("tanh", np.tanh, dtypes=FC, inplace=True, **FLOATING, **SLOPE),
    unary("sigmoid", oracle.sigmoid, dtypes=FC, inplace=True, ulps=3, reason="an exponential, a sum and a quotient", **FLOATING,
          **SLOPE),
    unary("log_sigmoid", lambda x: -np.logaddexp(0, -x), ulps=3, absolute=1, reason="log1p(exp(-|x|)) cancels with x",
          zero_sign=False, aliases=("logsigmoid",), **SLOPE),
    unary("silu", lambda x: x * oracle.sigmoid(x), dtypes=FC, ulps=4, reason="a sigmoid and a product", **SLOPE),
    unary("gelu", oracle.gelu, absolute=2, ulps=3, more=with_arguments({"approximate": "tanh"}),
          reason="docs/accuracy.md: absolute accuracy only for negative numbers", zero_sign=False,
          aliases=("gelu_erf", "gelu_tanh"), **SLOPE),
    unary("mish", lambda x: x * np.tanh(oracle.softplus(x, threshold=np.inf)), ulps=6,
          reason="softplus, tanh and a product", **SLOPE),
    unary("softsign", lambda x: x / (1 + abs(x)), **SLOPE),
    unary("erf", oracle.erf, inplace=True, **FLOATING, **SLOPE),
    unary("floor", lambda x: np.floor(x).astype(x.dtype), "Number", inplace=True, **SLOPE),
    unary("ceil", lambda x: np.ceil(x).astype(x.dtype), "Number", inplace=True, **SLOPE),
    unary("round", oracle.rounded_half_to_even, "Number", inplace=True, **SLOPE),
    unary("trunc", lambda x: np.trunc(x).astype(x.dtype), "Number", inplace=True, aliases=("fix",), **SLOPE),
    unary("isnan", np.isnan, "Any|Complex", complex_extremes=True, result="boolean"),
    unary("isinf", np.isinf, "Any|Complex", complex_extremes=True, result="boolean"),
    unary("isfinite", np.isfinite, "Any|Complex", complex_extremes=True, result="boolean"),
    unary("logical_not", np.logical_not, "Any|Complex", complex_extremes=True, result="boolean", inplace=True),
    unary("invert", np.invert, "IntBool", inplace=True, aliases=("bitwise_not",)),
    unary("leaky_relu", lambda x, negative_slope=0.01: np.where(x > 0, x, negative_slope * x),
          more=with_arguments({"negative_slope": 0.3}), **SLOPE),
    unary("elu", oracle.elu, more=with_arguments({"alpha": 0.6}), ulps=3, reason="expm1 and a product", **SLOPE),
    unary("softplus", oracle.softplus, more=with_arguments({"beta": 2.0, "threshold": 3.0}), ulps=4,
          reason="an exponential, a logarithm and a sum", **SLOPE),
    unary("hardtanh", oracle.hardtanh, "Number", more=with_arguments({"min_val": -2, "max_val": 2}), **SLOPE),
]  # fmt: skip


def shift(function):
    """Shifts are as wide as the type computes, which an oracle in int64 has to be told; 64 leaves nothing of less."""
    return lambda a, b: function(a, b, 64)


COMPARE = {"result": "boolean", "dtypes": "Any", "inplace": True}
EQUAL = {"result": "boolean", "dtypes": "Any|Complex", "inplace": True}
BINARY = [
    binary("add", oracle.add, "Any|Complex", inplace=True, **SLOPES),
    binary("sub", np.subtract, "Number|Complex", inplace=True, aliases=("subtract",), **SLOPES),
    binary("mul", np.multiply, "Any|Complex", inplace=True, aliases=("multiply",), **SLOPES),
    binary("div", np.true_divide, FC, inplace=True, domain=((-3.0, 3.0), POSITIVE), integers=(1, 9),
           aliases=("divide", "true_divide"), **FLOATING, **SLOPES),
    binary("floor_divide", oracle.floor_divide, inplace=True, **SLOPES),
    binary("remainder", oracle.remainder, inplace=True, domain=((-3.0, 3.0), POSITIVE), **SLOPES),
    binary("pow", oracle.power, "Number|Complex", complex_ulps=40, reason="exp(b log(a)): the error of the logarithm grows with the product", inplace=True, domain=(POSITIVE, (-2.0, 2.0)), integers=(-3, 9), **SLOPES),
    binary("atan2", np.arctan2, "Float", inplace=True, domain=POSITIVE, aliases=("arctan2",), **FLOATING, **SLOPES),
    binary("hypot", np.hypot, "Float", scalars=(), inplace=True, **SLOPES),
    binary("logaddexp", oracle.logaddexp, FC, scalars=(), ulps=3, complex_ulps=12, absolute=1, reason="the larger one cancels with the "
           "logarithm", **SLOPES),
    binary("maximum", np.maximum, "Any", scalars=(), zero_sign=False, reason="of 0.0 and -0.0 either is the larger",
           **SLOPES),
    binary("minimum", np.minimum, "Any", scalars=(), zero_sign=False, reason="as maximum", **SLOPES),
    binary("eq", np.equal, complex_extremes=True, **EQUAL),
    binary("ne", np.not_equal, aliases=("not_equal",), complex_extremes=True, **EQUAL),
    binary("lt", np.less, aliases=("less",), **COMPARE),
    binary("le", np.less_equal, aliases=("less_equal",), **COMPARE),
    binary("gt", np.greater, aliases=("greater",), **COMPARE),
    binary("ge", np.greater_equal, aliases=("greater_equal",), **COMPARE),
    binary("logical_and", np.logical_and, scalars=(), **EQUAL),
    binary("logical_or", np.logical_or, scalars=(), **EQUAL),
    binary("logical_xor", np.logical_xor, scalars=(), **EQUAL),
    binary("bitwise_and", np.bitwise_and, "IntBool", inplace=True),
    binary("bitwise_or", np.bitwise_or, "IntBool", inplace=True),
    binary("bitwise_xor", np.bitwise_xor, "IntBool", inplace=True),
    binary("bitwise_left_shift", shift(oracle.shift_left), "Int", inplace=True),
    binary("bitwise_right_shift", shift(oracle.shift_right), "Int", inplace=True, ignore=None),
]  # fmt: skip

MASK = Fixed(np.arange(15).reshape(3, 5) % 3 == 0)
TERNARY = [
    Row("where", np.where, "Any|Complex", cases=cases((MASK, (3, 5), (3, 5)), (MASK, (5,), ()), (MASK[:1], (3, 1), (3, 5)),
        (Fixed(True), (), ()), (Fixed(np.arange(131) % 2 == 0), (131,), (131,)), (Fixed(np.zeros((0, 3), bool)), (0, 3),
        (3,))), gradient=(False, True, True), extremes=True, outside="skip"),
    ternary("clamp", oracle.clamp, "Number", inplace=True, aliases=("clip",), gradient=(True, True, True),
            zero_sign=False, reason="of 0.0 and -0.0 either is the larger"),
    ternary("lerp", lambda a, b, t: a + t * (b - a), FC, inplace=True, gradient=(True, True, True), absolute=2,
            scale=lambda a, b, t: abs(a) + abs(t) * (abs(a) + abs(b)), zero_sign=False, extremes=False,
            reason="a sum that cancels; what overflows on the way is not defined"),
    ternary("addcmul", lambda a, b, c: a + b * c, "Number|Complex", inplace=True, gradient=(True, True, True), extremes=False,
            absolute=1, scale=lambda a, b, c: abs(b * c), reason="a sum that cancels"),
    ternary("addcdiv", lambda a, b, c: a + b / c, FC, inplace=True, gradient=(True, True, True), extremes=False,
            domain=((-3.0, 3.0), (-3.0, 3.0), POSITIVE), absolute=1, scale=lambda a, b, c: abs(b / c),
            reason="a sum that cancels"),
]  # fmt: skip


def bounds(library, x, low, high):
    return library.clamp(x, low, high)


COMPOSED = [
    Row("clamp_min", np.maximum, "Number", cases=cases(((3, 5), (3, 5)), ((3, 5), 1), ((131,), ())), outside="skip", half_roundings=2, **SLOPES),
    Row("clamp_max", np.minimum, "Number", cases=cases(((3, 5), (3, 5)), ((3, 5), 1), ((131,), ())), outside="skip", half_roundings=2, **SLOPES),
    Row("rsub", lambda a, b, alpha=1: b - alpha * a, "Number|Complex", cases=(*cases(((3, 5), (3, 5)), ((3, 5), 2)),
        Case(((3, 5), (5,)), named={"alpha": 2})), absolute=1, reason="a sum that cancels", outside="skip", half_roundings=2, **SLOPES),
    Row("masked_fill", lambda x, mask, value: np.where(mask, np.asarray(value, x.dtype), x), "Any|Complex",
        cases=cases(((3, 5), MASK, 2), ((2, 3, 5), MASK, 1), ((5,), MASK, 1)), outside="skip", **SLOPE),
    Row("isclose", oracle.isclose, FC, "bool", cases=(*cases(((3, 5), (3, 5)), ((4,), ())),
        Case(((7,), (7,)), named={"rtol": 0.5, "atol": 0.5, "equal_nan": True})), outside="skip"),
    Row("fmod", oracle.fmod, "Number", inplace=True, cases=BINARY_CASES, domain=((-3.0, 3.0), POSITIVE), outside="skip", half_roundings=2, **SLOPES),
    Row("nan_to_num", lambda x, nan=0.0, posinf=None, neginf=None: np.where(np.isnan(x), nan, x), "Float", inplace=True, aliases=("replaced",),
        cases=(*cases(((3, 5),), ((),)), Case((Fixed(np.array([math.nan, 2.0])),), named={"nan": 7.0},
        dtypes=("float64",))), outside="skip", **SLOPE),
]  # fmt: skip

# ---- special functions: kernels/special.h, bindings/ops_pointwise.cpp ----------------------------

UNIT = (-0.95, 0.95)
# Below 0 the gamma functions have poles between the whole numbers, where no oracle of float64 has digits to spare.
GAMMA = {
    "domain": POSITIVE,
    "integers": (1, 9),
    "extremes": False,
    "ulps": 4,
    "absolute": 2,
    **FLOATING,
    **SLOPE,
}
SPECIAL = [
    unary("asin", np.arcsin, dtypes=FC, inplace=True, domain=UNIT, ulps=3, reason="an inverse tangent of a quotient of roots",
          integers=(-1, 1), aliases=("arcsin",), **FLOATING, **SLOPE),
    unary("acos", np.arccos, dtypes=FC, inplace=True, domain=UNIT, ulps=3, reason="as asin", integers=(-1, 1), aliases=("arccos",),
          **FLOATING, **SLOPE),
    unary("sinh", np.sinh, dtypes=FC, inplace=True,
          **FLOATING, **SLOPE),
    unary("cosh", np.cosh, dtypes=FC, inplace=True, **FLOATING, **SLOPE),
    unary("asinh", np.arcsinh, dtypes=FC, inplace=True, aliases=("arcsinh",),
          **FLOATING, **SLOPE),
    unary("acosh", np.arccosh, dtypes=FC, inplace=True, domain=(1.05, 4.0), integers=(1, 9),
          aliases=("arccosh",), **FLOATING, **SLOPE),
    unary("atanh", np.arctanh, dtypes=FC, inplace=True, domain=UNIT, integers=(0, 1),
          aliases=("arctanh",), **FLOATING, **SLOPE),
    unary("erfc", oracle.each(math.erfc), inplace=True, **FLOATING, **SLOPE),
    unary("erfinv", oracle.erfinv, inplace=True, domain=UNIT, integers=(0, 0), ulps=4, extremes=False,
          reason="Giles 2012 in float32", **FLOATING, **SLOPE),
    unary("lgamma", oracle.each(oracle.lgamma), inplace=True, reason="it crosses 0 at 1 and 2, where math.lgamma has an absolute error", **{**GAMMA, "absolute": 8}),
    unary("digamma", oracle.each(oracle.digamma), inplace=True, reason="terms that cancel: it crosses 0 at 1.46",
          **{**GAMMA, "scale": lambda x: 1 / x + 3}),
    Row("polygamma", lambda x, n: oracle.each(oracle.polygamma)(x, n), cases=(*(Case(((3, 5), n)) for n in (1, 2, 3)),
        Case(((), 1)), Case(((0, 3), 2))), call=lambda library, x, n: library.polygamma(n, x), domain=POSITIVE,
        integers=(1, 9), ulps=16, reason="a sum of powers", aliases=("polygamma_at", "zeta"), **FLOATING, **SLOPE),
    binary("copysign", np.copysign, "Float", inplace=True, scalars=SCALAR_CASES[2:4], **FLOATING, **SLOPES),
    binary("xlogy", oracle.xlogy, "Float", inplace=True, domain=((-3.0, 3.0), POSITIVE), integers=(1, 9), ulps=3,
           reason="a logarithm and a product", **FLOATING, **SLOPES),
    binary("gcd", np.gcd, "Int", scalars=(), inplace=True, extremes=False),
]  # fmt: skip


def pointwise(name, function, dtypes="Float", more=(), **options):
    return Row(name, function, dtypes, cases=UNARY_CASES + tuple(more),
               **{"outside": "skip", "ulps": 4, "reason": "rounds at each step", **options})  # fmt: skip


def pairs(name, function, dtypes="Float", **options):
    return Row(name, function, dtypes, cases=BINARY_CASES,
               **{"outside": "skip", "ulps": 4, "reason": "rounds at each step", **options})  # fmt: skip


SHRINKS = {"absolute": 1, "scale": lambda x, **_: abs(x) + 1}
POINTWISE = [
    pointwise("frac", lambda x: x - np.trunc(x), inplace=True, **SLOPE),
    pointwise("isposinf", lambda x: np.isposinf(x) if x.dtype.kind == "f" else np.zeros(x.shape, bool), "Any",
              result="boolean", extremes=True),
    pointwise("isneginf", lambda x: np.isneginf(x) if x.dtype.kind == "f" else np.zeros(x.shape, bool), "Any",
              result="boolean", extremes=True),
    pointwise("signbit", np.signbit, "Any", result="boolean"),
    pairs("nextafter", np.nextafter, inplace=True, half_roundings=4),  # exactly: in test_bugs_values.py
    pairs("heaviside", lambda x, v: np.where(x == 0, v, x > 0).astype(x.dtype), "Any", inplace=True),
    pairs("ldexp", lambda x, n: x * 2.0**n, domain=((-3.0, 3.0), (-4.0, 4.0)), half_roundings=2, inplace=True, **SLOPES),
    pairs("lcm", np.lcm, "Int", integers=(-9, 9), inplace=True),
    pairs("float_power", lambda a, b: np.float_power(a, b), "Number", result="float64", domain=(POSITIVE, (-2.0, 2.0)),
          integers=(1, 5), **SLOPES),
    Row("float_power complex", lambda a, b: np.power(a, b), "Complex", "complex128", cases=cases(((3, 5), 1.5), ((4,), (4,))),
        call=lambda library, a, b: library.float_power(a, b), outside="skip", ulps=40, absolute=1, reason="as pow", **SLOPES),
    pairs("fmax", np.fmax, "Any", zero_sign=False, **SLOPES),
    pairs("fmin", np.fmin, "Any", zero_sign=False, **SLOPES),
    pairs("logaddexp2", np.logaddexp2, absolute=4, scale=lambda a, b: abs(a) + abs(b) + 1, **SLOPES),
    pointwise("rad2deg", np.rad2deg, inplace=True, **FLOATING, **SLOPE),
    pointwise("deg2rad", np.deg2rad, inplace=True, **FLOATING, **SLOPE),
    pointwise("sinc", np.sinc, dtypes=FC, inplace=True, absolute=4, scale=lambda x: 1.0, complex_ulps=16,
              reason="pi x is rounded, and the error grows with it", **FLOATING, **SLOPE),
    pointwise("logit", lambda x, eps=None: (lambda p: np.log(p / (1 - p)))(x if eps is None else np.clip(x, eps, 1 - eps)),
              more=with_arguments({"eps": 0.25}), domain=(0.1, 0.9), inplace=True, absolute=8, scale=lambda x, **_: 3.0,
              **SLOPE),
    pointwise("softshrink", lambda x, lambd=0.5: np.sign(x) * np.maximum(abs(x) - lambd, 0), zero_sign=False,
              more=with_arguments({"lambd": 1.2}), **SHRINKS, **SLOPE),
    pointwise("hardshrink", lambda x, lambd=0.5: np.where(abs(x) <= lambd, 0, x), more=with_arguments({"lambd": 1.2}),
              **SLOPE),
    pointwise("tanhshrink", lambda x: x - np.tanh(x), **SHRINKS, **SLOPE),
    Row("threshold", lambda x, t, v: np.where(x <= t, np.asarray(v, x.dtype), x), "Number",
        cases=cases(((3, 5), 1, 2), ((131,), 0, 7)), outside="skip", **SLOPE),
    pointwise("relu6", lambda x: np.clip(x, 0, 6), "Number", domain=(-3.0, 9.0), zero_sign=False, **SLOPE),
    pointwise("selu", lambda x: 1.0507009873554805 * oracle.elu(x, 1.6732632423543772), **SLOPE),
    pointwise("celu", lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(x / alpha)),
              more=with_arguments({"alpha": 0.6}), **SLOPE),
    pointwise("hardsigmoid", lambda x: np.clip(x + 3, 0, 6) / 6, domain=(-5.0, 5.0), absolute=1,
              scale=lambda x: abs(x) + 1, **SLOPE),
    pointwise("hardswish", lambda x: x * np.clip(x + 3, 0, 6) / 6, domain=(-5.0, 5.0), absolute=2, zero_sign=False,
              scale=lambda x: x * x + 3, **SLOPE),
    Row("prelu", oracle.prelu, cases=cases(((3, 5), (1,)), ((2, 3, 4), (3,)), ((5,), (5,)), ((), ()), ((3, 5), ())),
        half_roundings=2, outside="skip", **SLOPES),
    Row("glu", oracle.glu, cases=(*cases(((3, 6),), ((2, 4, 2),)), Case(((4, 3),), named={"dim": 0})), half_roundings=2,
        ulps=4, reason="a sigmoid and a product", outside="skip", **SLOPE),
]  # fmt: skip


def special(name, function, *inputs, **options):
    """A function that only bolide.special has."""
    return Row(f"special.{name}", function, cases=tuple(Case(one) for one in inputs), outside="skip",
               call=lambda library, *given: getattr(library.module.special, name)(*given),
               **options)  # fmt: skip


ONES = ((3, 5),), ((131,),), ((),), ((0, 3),)
SPECIAL_ONLY = [
    special("entr", lambda x: -oracle.xlogy(x, x), *ONES, domain=POSITIVE, absolute=2, reason="x log(x) crosses 0 at 1",
            **SLOPE),
    special("ndtr", lambda x: oracle.each(math.erfc)(-x / math.sqrt(2)) / 2, *ONES, ulps=16,
            reason="erfc of a product, in the oracle too: the error grows with x * x", **SLOPE),
    special("xlog1py", oracle.xlog1py, ((3, 5), (3, 5)), ((2, 3, 4), (3, 1)), ((), ()), ((0, 3), (1, 3)), ulps=4, half_roundings=2,
            domain=((-3.0, 3.0), (-0.8, 4.0)), reason="a logarithm and a product", **SLOPES),
    special("zeta", oracle.each(oracle.zeta), ((3, 5), (3, 5)), ((4,), ()), ((0, 3), (1, 3)), domain=((2.2, 6.0), POSITIVE),
            ulps=16, reason="a sum of powers", gradient=(False, True)),
]  # fmt: skip

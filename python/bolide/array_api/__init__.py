"""bolide under the names of the Python array API standard 2025.12 (https://data-apis.org/array-api/2025.12).

``x.__array_namespace__()`` gives this module, so that array-agnostic code (SciPy, scikit-learn) runs on bolide. It
is thin: the names imported from bolide below are its own ops; those of the modules beside this one differ in
arguments, in promotion (a 0-d array counts as any other, where PyTorch's does not) or in a result. docs/array_api.md
has what the standard's test suite says.

    >>> import bolide.array_api as xp
    >>> xp.add(xp.ones(2), xp.asarray(1.0, dtype=xp.float64))
    tensor([2., 2.], dtype=bolide.float64)
"""

import bolide as _bolide
from bolide import (
    abs,
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atanh,
    bool,
    ceil,
    complex64,
    complex128,
    conj,
    cos,
    cosh,
    e,
    empty_like,
    exp,
    float32,
    float64,
    floor,
    full_like,
    imag,
    inf,
    int8,
    int16,
    int32,
    int64,
    isfinite,
    isinf,
    isnan,
    log,
    log1p,
    log2,
    log10,
    logical_not,
    nan,
    newaxis,
    ones_like,
    pi,
    positive,
    real,
    reciprocal,
    signbit,
    sin,
    sinh,
    sqrt,
    square,
    tan,
    trunc,
    uint8,
    zeros_like,
)
from bolide import bitwise_not as bitwise_invert
from bolide import neg as negative
from bolide import sgn as sign
from bolide.array_api import fft, linalg
from bolide.array_api._creation import (
    arange,
    asarray,
    empty,
    eye,
    from_dlpack,
    full,
    linspace,
    meshgrid,
    ones,
    tril,
    triu,
    zeros,
)
from bolide.array_api._data_types import (
    __array_namespace_info__,
    astype,
    can_cast,
    finfo,
    iinfo,
    isdtype,
    result_type,
)
from bolide.array_api._elementwise import (
    add,
    atan2,
    bitwise_and,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    clip,
    copysign,
    divide,
    equal,
    expm1,
    floor_divide,
    greater,
    greater_equal,
    hypot,
    less,
    less_equal,
    logaddexp,
    logical_and,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    multiply,
    nextafter,
    not_equal,
    pow,
    remainder,
    round,
    subtract,
    tanh,
    where,
)
from bolide.array_api._manipulation import (
    broadcast_arrays,
    broadcast_shapes,
    broadcast_to,
    concat,
    expand_dims,
    flip,
    isin,
    moveaxis,
    nonzero,
    permute_dims,
    repeat,
    reshape,
    roll,
    squeeze,
    stack,
    take,
    take_along_axis,
    tile,
    unique_all,
    unique_counts,
    unique_inverse,
    unique_values,
    unstack,
)
from bolide.array_api._products import matmul, matrix_transpose, tensordot, vecdot
from bolide.array_api._statistics import (
    all,
    any,
    argmax,
    argmin,
    argsort,
    count_nonzero,
    cumulative_prod,
    cumulative_sum,
    diff,
    max,
    mean,
    min,
    prod,
    searchsorted,
    sort,
    std,
    sum,
    var,
)

__array_api_version__ = "2025.12"
# Each version only added to the one before.
__array_api_versions__ = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")
__version__ = _bolide.__version__

"""What the ops of op_rows.py should give: NumPy in float64 (in int64 for integers), and nothing else.

A function takes arrays and the op's arguments, and gives an array or a tuple of them. It is written for clarity, loops
included: the arrays are small. No SciPy: erf is math.erf, element by element.
"""

import decimal
import math
from decimal import Decimal

import numpy as np

LARGEST_INT64 = 2**63 - 1


def each(function):
    """A function of numbers as one of arrays."""
    return np.vectorize(function, otypes=[np.float64])


erf = each(math.erf)


def is_float(x):
    return np.asarray(x).dtype.kind == "f"


# ---- elementwise ---------------------------------------------------------------------------------


def sign(x):
    if x.dtype == bool:
        return x
    return (x > 0).astype(x.dtype) - (x < 0).astype(x.dtype) if not is_float(x) else np.sign(x)


def sgn(x):
    if x.dtype.kind != "c":
        return sign(x)
    return np.where(x == 0, 0, x / np.where(x == 0, 1, abs(x)))


def angle(x):
    if x.dtype.kind == "c":
        return np.angle(x)
    return np.where(np.isnan(x) if is_float(x) else False, x, np.where(x < 0, np.pi, 0.0))


def relu(x):
    return np.where(x <= 0, 0, x)


def rounded_half_to_even(x):
    return np.rint(x) if is_float(x) else x


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x, beta=1.0, threshold=20.0):
    return np.where(x * beta > threshold, x, np.logaddexp(0, x * beta) / beta)


def gelu(x, approximate="none"):
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return x * 0.5 * each(math.erfc)(-x / math.sqrt(2))


def elu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * np.expm1(x))


def hardtanh(x, min_val=-1.0, max_val=1.0):
    return np.where(x < min_val, min_val, np.where(x > max_val, max_val, x)).astype(x.dtype)


def add(a, b):
    return a | b if a.dtype == bool and b.dtype == bool else a + b


def floor_divide(a, b):
    """Rounded down; an integer divided by zero gives 0 here, a float what a / b gives."""
    if is_float(a):
        return np.where(b == 0, a / b, np.floor_divide(a, b))
    return np.where(b == 0, 0, np.floor_divide(a, np.where(b == 0, 1, b)))


def remainder(a, b):
    """With the sign of b; of an integer and zero 0 here."""
    if is_float(a):
        return np.remainder(a, b)
    return np.where(b == 0, 0, np.remainder(a, np.where(b == 0, 1, b)))


def fmod(a, b):
    if is_float(a):
        return np.fmod(a, b)
    return np.where(b == 0, 0, np.fmod(a, np.where(b == 0, 1, b)))


def power(a, b):
    """Integers: modulo 2^64, and 0 for negative exponents unless |a| is 1."""
    if a.dtype.kind == "c" or b.dtype.kind == "c":
        return np.power(a.astype(np.complex128), b)
    if is_float(a) or is_float(b):
        return np.power(a.astype(np.float64), b)

    def one(x, n):
        if n < 0:
            return {1: 1, -1: -1 if n % 2 else 1}.get(x, 0)
        value = pow(x, n, 2**64)
        return value - 2**64 if value > LARGEST_INT64 else value

    return np.vectorize(lambda x, n: one(int(x), int(n)), otypes=[np.int64])(a, b)


def shift_left(a, b, bits):
    return np.where((b >= 0) & (b < bits), np.left_shift(a, np.clip(b, 0, bits - 1)), 0)


def shift_right(a, b, bits):
    return np.right_shift(a, np.where((b >= 0) & (b < bits), b, bits - 1))


def clamp(x, low=None, high=None):
    y = x if low is None else np.maximum(x, low)
    return y if high is None else np.minimum(y, high)


def isclose(a, b, rtol=1e-5, atol=1e-8, equal_nan=False):
    close = (a == b) | (np.isfinite(a - b) & (abs(a - b) <= atol + rtol * abs(b)))
    return close | (np.isnan(a) & np.isnan(b)) if equal_nan else close


# ---- special functions ---------------------------------------------------------------------------


def lgamma(x):
    """Of x > 0, in 50 digits: the recurrence to 60, then Stirling's series."""
    if not 0 < x < math.inf:
        return math.inf if x == x else x
    with decimal.localcontext(prec=50):
        x, product = Decimal(x), Decimal(1)
        while x < 60:
            product, x = product * x, x + 1
        series = sum(Decimal(a) / b / x ** (2 * k + 1) for k, (a, b) in enumerate(STIRLING))
        return float((x - Decimal("0.5")) * x.ln() - x + HALF_LOG_TWO_PI + series - product.ln())


STIRLING = ((1, 12), (-1, 360), (1, 1260), (-1, 1680), (1, 1188), (-691, 360360), (1, 156))
HALF_LOG_TWO_PI = Decimal("0.91893853320467274178032973640561763986139747363778")


def zeta(s, q):
    """Sum of (q + k)^-s: ten thousand terms, and the integral and half a term for the rest."""
    terms = (q + np.arange(10000.0)) ** -s
    rest = q + 10000.0
    return float(
        math.fsum(terms) + rest ** (1 - s) / (s - 1) + 0.5 * rest**-s + s / 12 * rest ** (-s - 1)
    )


def digamma(x):
    """Of x >= 0, in 50 digits: the derivative of lgamma's terms."""
    if not 0 < x < math.inf:
        return -math.inf if x == 0 else x
    with decimal.localcontext(prec=50):
        x, total = Decimal(x), Decimal(0)
        while x < 60:
            total, x = total - 1 / x, x + 1
        series = sum(
            -(2 * k + 1) * Decimal(a) / b / x ** (2 * k + 2) for k, (a, b) in enumerate(STIRLING)
        )
        return float(total + x.ln() - 1 / (2 * x) + series)


def polygamma(x, n):
    n = int(n)
    return (-1) ** (n + 1) * math.factorial(n) * zeta(n + 1, x)


@each
def erfinv(x):
    """Newton's method on erf, from 0: it converges from there for all |x| < 1."""
    a, y = abs(x), 0.0
    if a == 1:
        return math.copysign(math.inf, x)
    for _ in range(60):
        miss = math.erf(y) - a if a < 0.5 else (1 - a) - math.erfc(y)
        y -= miss / (2 / math.sqrt(math.pi) * math.exp(-y * y))
    return math.copysign(y, x)


def multigammaln(x, p):
    steps = sum(each(lgamma)(x - k / 2) for k in range(p))
    return steps + p * (p - 1) / 4 * math.log(math.pi)


def xlogy(a, b):
    return np.where((a == 0) & ~np.isnan(b), 0, a * np.log(b))


def xlog1py(a, b):
    return np.where((a == 0) & ~np.isnan(b), 0, a * np.log1p(b))


def prelu(x, weight):
    slope = weight.reshape(-1, *[1] * (x.ndim - 2)) if x.ndim > 1 and weight.size > 1 else weight
    return np.where(x > 0, x, (slope if x.ndim or not slope.ndim else slope[0]) * x)


def glu(x, dim=-1):
    a, b = np.split(x, 2, axis=dim)
    return a * sigmoid(b)


# ---- reductions ----------------------------------------------------------------------------------


def axes(dim):
    return tuple(dim) if isinstance(dim, list | tuple) else dim


def reduction(function):
    """NumPy's function with PyTorch's arguments."""
    return lambda x, dim=None, keepdim=False: function(
        x, axis=axes(dim) if x.ndim else None, keepdims=keepdim
    )


def logaddexp(a, b):
    if np.result_type(a, b).kind != "c":
        return np.logaddexp(a, b)
    swap = np.real(a) < np.real(b)
    large, small = np.where(swap, b, a), np.where(swap, a, b)
    return large + np.log1p(np.exp(small - large))


def running_logsumexp(x, dim):
    if x.dtype.kind != "c":
        return scan(np.logaddexp)(x, dim)
    return np.log(np.cumsum(np.exp(x), dim)) if x.ndim else x


def logsumexp(x, dim=None, keepdim=False):
    if x.dtype.kind == "c":
        over = None if dim is None or not x.ndim else axes(dim)
        return np.log(np.sum(np.exp(x), axis=over, keepdims=keepdim))
    return np.logaddexp.reduce(
        x,
        axis=tuple(range(x.ndim)) if dim is None or not x.ndim else axes(dim),
        keepdims=keepdim,
        initial=-np.inf,
    )


def spread(function):
    return lambda x, dim=None, correction=1, keepdim=False: function(
        x, axis=axes(dim), ddof=correction, keepdims=keepdim
    )


def norm(x, p=2.0, dim=None, keepdim=False):
    options = {"axis": axes(dim), "keepdims": keepdim}
    if p in ("fro", 2.0):
        return np.sqrt(np.sum(abs(x) ** 2, **options))
    if p == 0:
        return np.sum(x != 0, **options).astype(x.dtype)
    if abs(p) == np.inf:
        return (np.max if p > 0 else np.min)(abs(x), **options)
    return np.sum(abs(x) ** p, **options) ** (1 / p)


def place(function):
    def found(x, dim=None, keepdim=False):
        if x.ndim == 0:
            return np.int64(0)
        return function(x, axis=dim, keepdims=keepdim)

    return found


def extreme(values, places):
    """max(x, dim) and min(x, dim): the values and where they are."""

    def found(x, dim=0, keepdim=False):
        if x.ndim == 0:
            return x, np.int64(0)
        return values(x, axis=dim, keepdims=keepdim), places(x, axis=dim, keepdims=keepdim)

    return found


# ---- scans ------------------------------------------------------------------------------------------


def scan(function):
    # Of float64 in more digits, since the oracle's own roundings would add up too.
    def running(x, dim):
        if x.ndim == 0:
            return x
        if x.dtype == np.float64:
            return function.accumulate(x.astype(np.longdouble), axis=dim).astype(np.float64)
        return function.accumulate(x, axis=dim)

    return running


def scan_size(x, dim):
    """What the rounding of a running sum is in proportion to."""
    return scan(np.add)(abs(np.asarray(x)).astype(np.float64), dim)


def running_extreme(function):
    """cummax and cummin of numbers without NaN: the values, and the last place of equal ones."""

    def found(x, dim):
        if x.ndim == 0:
            return x, np.int64(0)
        values = (np.maximum if function is np.fmax else np.minimum).accumulate(x, axis=dim)
        shape = [-1 if d == dim % x.ndim else 1 for d in range(x.ndim)]
        steps = np.arange(x.shape[dim]).reshape(shape)
        return values, np.maximum.accumulate(np.where(x == values, steps, 0), axis=dim)

    return found


def nanmean(x, dim=None, keepdim=False):
    there = ~np.isnan(x)
    total = reduction(np.sum)(np.where(there, x, 0), dim, keepdim)
    return total / reduction(np.sum)(there, dim, keepdim)


# ---- shapes --------------------------------------------------------------------------------------


def flatten(x, start_dim=0, end_dim=-1):
    if x.ndim == 0:
        return x.reshape(1)
    first, last = start_dim % x.ndim, end_dim % x.ndim
    return x.reshape(*x.shape[:first], -1, *x.shape[last + 1 :])


def squeeze(x, dim=None):
    wanted = (
        range(x.ndim)
        if dim is None
        else [d % x.ndim for d in (dim if isinstance(dim, tuple) else (dim,))]
    )
    return x.reshape([size for d, size in enumerate(x.shape) if d not in wanted or size != 1])


def expand(x, *sizes):
    own = (1,) * (len(sizes) - x.ndim) + x.shape
    return np.broadcast_to(
        x, [have if want == -1 else want for want, have in zip(sizes, own, strict=True)]
    )


def padded(x, pad, value=0):
    """pad: before and behind, the last dimension first; negative numbers cut."""
    for i in range(0, len(pad), 2):
        d, (before, behind) = x.ndim - 1 - i // 2, pad[i : i + 2]
        x = np.take(x, range(max(0, -before), x.shape[d] - max(0, -behind)), d)
        widths = [(0, 0)] * x.ndim
        widths[d] = (max(0, before), max(0, behind))
        x = np.pad(x, widths, constant_values=value)
    return x


def split(x, sizes, dim=0):
    if isinstance(sizes, int):
        sizes = [min(sizes, x.shape[dim] - at) for at in range(0, x.shape[dim], sizes)]
    return tuple(np.split(x, np.cumsum(sizes)[:-1], axis=dim))


def chunk(x, chunks, dim=0):
    return split(x, -(-x.shape[dim] // chunks), dim)


def unbind(x, dim=0):
    return tuple(np.moveaxis(x, dim, 0))


# ---- indexing ------------------------------------------------------------------------------------


def gather(x, dim, index):
    if x.ndim == 0:
        return x
    return np.take_along_axis(x[tuple(slice(n) if d != dim % x.ndim else slice(None) for d, n in enumerate(index.shape))],
                              index, dim)  # fmt: skip


def put(x, value, key, accumulate=False):
    y = x.copy()
    y[key] = value
    return y


def one_hot(x, num_classes=-1):
    return (x[..., None] == np.arange(num_classes if num_classes >= 0 else x.max() + 1)).astype(
        np.int64
    )


# ---- networks ------------------------------------------------------------------------------------


def convolution(x, weight, bias=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    """Cross-correlation, one output place at a time."""
    if padding == "same":
        padding = tuple(d * (k - 1) // 2 for d, k in zip(dilation, weight.shape[2:], strict=True))
    if x.ndim == 3:
        return convolution(x[None], weight, bias, stride, padding, dilation, groups)[0]
    x = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    outs, ins, height, width = weight.shape
    rows = (x.shape[2] - dilation[0] * (height - 1) - 1) // stride[0] + 1
    columns = (x.shape[3] - dilation[1] * (width - 1) - 1) // stride[1] + 1
    y = np.zeros((x.shape[0], outs, rows, columns), x.dtype)
    of_group = outs // groups
    for o in range(outs):
        first = o // of_group * ins
        for i in range(rows):
            for j in range(columns):
                window = x[
                    :,
                    first : first + ins,
                    i * stride[0] : i * stride[0] + dilation[0] * (height - 1) + 1 : dilation[0],
                    j * stride[1] : j * stride[1] + dilation[1] * (width - 1) + 1 : dilation[1],
                ]
                y[:, o, i, j] = (window * weight[o]).sum((1, 2, 3))
    return y if bias is None else y + bias[:, None, None]


def largest_of_windows(
    x, kernel_size, stride=None, padding=(0, 0), dilation=(1, 1), ceil_mode=False
):
    """max_pool2d: the values, and their places in the image."""
    if x.ndim == 3:
        values, places = largest_of_windows(
            x[None], kernel_size, stride, padding, dilation, ceil_mode
        )
        return values[0], places[0]
    stride = stride or kernel_size
    sizes = []
    for d in range(2):
        span = x.shape[2 + d] + 2 * padding[d] - dilation[d] * (kernel_size[d] - 1) - 1
        size = (span + (stride[d] - 1 if ceil_mode else 0)) // stride[d] + 1
        late = ceil_mode and (size - 1) * stride[d] >= x.shape[2 + d] + padding[d]
        sizes.append(size - 1 if late else size)
    values = np.zeros((*x.shape[:2], *sizes), x.dtype)
    places = np.zeros(values.shape, np.int64)
    for n, c, i, j in np.ndindex(values.shape):
        best, at = -np.inf, -1
        for ki in range(kernel_size[0]):
            for kj in range(kernel_size[1]):
                row = i * stride[0] - padding[0] + ki * dilation[0]
                column = j * stride[1] - padding[1] + kj * dilation[1]
                if not (0 <= row < x.shape[2] and 0 <= column < x.shape[3]):
                    continue
                value = x[n, c, row, column]
                if at < 0 or value > best or np.isnan(value):
                    best, at = value, row * x.shape[3] + column
        values[n, c, i, j], places[n, c, i, j] = best, at
    return values, places


def log_softmax(x, dim):
    if x.ndim == 0:
        return x - x
    largest = x.max(axis=dim, keepdims=True, initial=-np.inf)
    shifted = x - np.where(np.isfinite(largest), largest, 0)
    return shifted - np.log(np.exp(shifted).sum(axis=dim, keepdims=True))


def nll_loss(x, target, weight=None, ignore_index=-100, reduction="mean"):
    if x.ndim == 1:
        return nll_loss(
            x[None], target[None], weight, ignore_index, "sum" if reduction == "none" else reduction
        )
    weight = np.ones(x.shape[1]) if weight is None else weight
    kept = target != ignore_index
    safe = np.where(kept, target, 0)
    weights = np.where(kept, weight[safe], 0)
    losses = -np.take_along_axis(x, safe[:, None], 1)[:, 0] * weights
    losses = np.where(kept, losses, 0)
    return {"none": losses, "sum": losses.sum(), "mean": losses.sum() / weights.sum()}[reduction]


def cross_entropy(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    if x.ndim == 1:
        x, target = x[None], target[None]
        if reduction == "none":
            reduction = "sum"
    logs = log_softmax(x, 1)
    hard = nll_loss(logs, target, weight, ignore_index, "none")
    scale = np.ones(x.shape[1]) if weight is None else weight
    kept = target != ignore_index
    shown = scale.reshape(-1, *[1] * (x.ndim - 2))
    smooth = np.where(kept, -(logs * shown).sum(1), 0)
    losses = (1 - label_smoothing) * hard + label_smoothing / x.shape[1] * smooth
    weights = np.where(kept, scale[np.where(kept, target, 0)], 0)
    return {"none": losses, "sum": losses.sum(), "mean": losses.sum() / weights.sum()}[reduction]

"""Activation functions as modules: any shape in, the same shape out."""

from __future__ import annotations

from bolide import _C
from bolide._C import Tensor
from bolide.nn import functional
from bolide.nn.modules.module import Module


class _MaybeInPlace(Module):
    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class ReLU(_MaybeInPlace):
    """max(x, 0). Reference: torch.nn.ReLU."""

    def forward(self, input: Tensor) -> Tensor:
        return input.relu_() if self.inplace else _C.relu(input)


class SiLU(_MaybeInPlace):
    """x * sigmoid(x). Reference: torch.nn.SiLU."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.silu(input, self.inplace)


class GELU(Module):
    """x * Phi(x); ``approximate="tanh"`` takes the faster formula. Reference: torch.nn.GELU."""

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        if approximate not in ("none", "tanh"):
            raise ValueError(
                f"approximate argument must be either none or tanh, got {approximate!r}"
            )
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return _C.gelu(input, approximate=self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class Tanh(Module):
    """tanh(x). Reference: torch.nn.Tanh."""

    def forward(self, input: Tensor) -> Tensor:
        return _C.tanh(input)


class Sigmoid(Module):
    """1 / (1 + exp(-x)). Reference: torch.nn.Sigmoid."""

    def forward(self, input: Tensor) -> Tensor:
        return _C.sigmoid(input)


class LeakyReLU(Module):
    """x where positive, negative_slope * x elsewhere. Reference: torch.nn.LeakyReLU."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return functional.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class ELU(Module):
    """x where positive, alpha * (exp(x) - 1) elsewhere. Reference: torch.nn.ELU."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return functional.elu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class Softplus(Module):
    """log(1 + exp(beta x)) / beta, and x itself where beta x > threshold. Reference:
    torch.nn.Softplus.
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Tensor) -> Tensor:
        return _C.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class _AlongDim(Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        if not isinstance(dim, int):
            raise TypeError(f"[{type(self).__name__}] expected an int as dim, got {dim!r}.")
        self.dim = dim

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(_AlongDim):
    """exp(x) / sum(exp(x)) along ``dim``, which must be named. Reference: torch.nn.Softmax."""

    def forward(self, input: Tensor) -> Tensor:
        return _C.softmax(input, self.dim)


class LogSoftmax(_AlongDim):
    """log(softmax(x)) along ``dim``, which must be named. Reference: torch.nn.LogSoftmax."""

    def forward(self, input: Tensor) -> Tensor:
        return _C.log_softmax(input, self.dim)

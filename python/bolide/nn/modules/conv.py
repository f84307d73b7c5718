"""Convolution and pooling over images [N, C, H, W] (or one image [C, H, W])."""

from __future__ import annotations

import math

import bolide
from bolide._C import Tensor
from bolide._C import conv2d as _conv2d
from bolide._C import max_pool2d as _max_pool2d
from bolide.nn import init
from bolide.nn.modules.module import Module
from bolide.nn.parameter import Parameter


def _pair(name: str, value: int | tuple[int, int], least: int) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or not all(isinstance(v, int) and v >= least for v in pair):
        raise ValueError(f"{name} should be an integer >= {least} or a pair of them, got {value!r}")
    return pair


def _padding(padding: str | int | tuple[int, int], kernel, dilation, stride) -> tuple[int, int]:
    if not isinstance(padding, str):
        return _pair("padding", padding, 0)
    if padding not in ("same", "valid"):
        raise ValueError(f"Invalid padding string {padding!r}, should be one of 'valid', 'same'")
    if padding == "valid":
        return (0, 0)
    if stride != (1, 1):
        raise ValueError("padding='same' is not supported for strided convolutions")
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    if any(total % 2 for total in totals):
        raise NotImplementedError(
            "[Conv2d] expected dilation * (kernel_size - 1) to be even for padding='same', got "
            f"{totals}."
        )
    return (totals[0] // 2, totals[1] // 2)


class Conv2d(Module):
    """Cross-correlation of images with learned kernels.

    Args:
        in_channels, out_channels: channels of input and output; ``groups`` divides both.
        kernel_size, stride, padding, dilation: an int or a pair (height, width); padding also
            "same" or "valid".
        bias: whether to add one per output channel.
        padding_mode: "zeros".
        device, dtype: of the parameters.

    Shapes: input [N, in_channels, H, W], weight [out_channels, in_channels / groups, kH, kW],
        output
    [N, out_channels, (H + 2 padding - dilation (kH - 1) - 1) / stride + 1, the same for W].
    Raises: ValueError for sizes that do not fit, ShapeError at the call.

    Example:
        >>> nn.Conv2d(1, 32, 3, padding=1)(bolide.randn(8, 1, 28, 28)).shape
        bolide.Size([8, 32, 28, 28])

    Reference: torch.nn.Conv2d.
    """

    bias: Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: str | int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device=None,
        dtype=None,
    ) -> None:
        super().__init__()
        if groups <= 0:
            raise ValueError(f"groups must be a positive integer, got {groups}")
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"in_channels and out_channels must be divisible by groups, got {in_channels}, "
                f"{out_channels}, {groups}"
            )
        if padding_mode != "zeros":
            raise NotImplementedError(
                f"[Conv2d] expected padding_mode 'zeros', got {padding_mode!r}."
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = _pair("kernel_size", kernel_size, 1)
        self.stride = _pair("stride", stride, 1)
        self.dilation = _pair("dilation", dilation, 1)
        self.padding = _padding(padding, self.kernel_size, self.dilation, self.stride)
        self.groups = groups
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        self.weight = Parameter(bolide.empty(shape, device=device, dtype=dtype))
        self.register_parameter(
            "bias",
            Parameter(bolide.empty(out_channels, device=device, dtype=dtype)) if bias else None,
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values: uniform in +-1 / sqrt(in_channels / groups * kernel area)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = math.prod(self.weight.shape[1:])
            bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        return _conv2d(
            input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}"
        text += f", kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0, 0):
            text += f", padding={self.padding}"
        if self.dilation != (1, 1):
            text += f", dilation={self.dilation}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        return text if self.bias is not None else text + ", bias=False"


class MaxPool2d(Module):
    """The largest value of each window.

    Args:
        kernel_size, stride, padding, dilation: an int or a pair; stride is kernel_size when left
            out.
        ceil_mode: let the last window reach over the edge.

    Shapes: [N, C, H, W] to [N, C, (H + 2 padding - dilation (kH - 1) - 1) / stride + 1, the same
        for W].

    Example:
        >>> nn.MaxPool2d(2)(bolide.randn(8, 32, 28, 28)).shape
        bolide.Size([8, 32, 14, 14])

    Reference: torch.nn.MaxPool2d.
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        if return_indices:
            raise NotImplementedError("[MaxPool2d] expected return_indices=False, got True.")
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.ceil_mode = ceil_mode
        # what forward passes on: pairs, checked once
        self._window = (
            _pair("kernel_size", kernel_size, 1),
            _pair("stride", self.stride, 1),
            _pair("padding", padding, 0),
            _pair("dilation", dilation, 1),
            ceil_mode,
        )

    def forward(self, input: Tensor) -> Tensor:
        return _max_pool2d(input, *self._window)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )

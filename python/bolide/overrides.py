"""Classes that answer calls of ops: what stands around ``__torch_function__``.

An op with an object of such a class among its arguments, or in a list of them, calls
``cls.__torch_function__(func, types, args, kwargs)`` instead of computing. `func` is what was called: a function of
``bolide`` or a method of ``Tensor``. A class that gives NotImplemented passes the question on.

Example:
    >>> class Logged(bolide.Tensor):
    ...     @classmethod
    ...     def __torch_function__(cls, func, types, args=(), kwargs=None):
    ...         print(func.__name__)
    ...         return super().__torch_function__(func, types, args, kwargs)

Reference: torch.overrides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bolide._C import Tensor, _ask_class, _disable_subclasses, _has_torch_function

__all__ = [
    "DisableTorchFunctionSubclass",
    "get_default_nowrap_functions",
    "handle_torch_function",
    "has_torch_function",
    "is_tensor_like",
    "is_tensor_method_or_property",
]


class DisableTorchFunctionSubclass:
    """Inside the with block subclasses of Tensor are plain tensors to every op of this thread.

    Reference: torch._C.DisableTorchFunctionSubclass.
    """

    def __enter__(self) -> None:
        _disable_subclasses(1)

    def __exit__(self, *error) -> None:
        _disable_subclasses(-1)


def get_default_nowrap_functions() -> set:
    """The functions whose results stay as they are with a subclass: they give what others made."""
    return {Tensor.as_subclass, Tensor.grad.__get__, Tensor._base.__get__}  # type: ignore[union-attr]


def has_torch_function(relevant_args) -> bool:
    """Does one of these objects answer calls?"""
    return _has_torch_function(*relevant_args)


def is_tensor_like(inp: Any) -> bool:
    """A tensor, or an object whose class answers calls?"""
    return isinstance(inp, Tensor) or hasattr(type(inp), "__torch_function__")


def is_tensor_method_or_property(func: Callable) -> bool:
    """Is it a method or an attribute of Tensor, as a class is told of it?"""
    owner = getattr(func, "__objclass__", None) or type(getattr(func, "__self__", None))
    return owner is Tensor or owner.__name__ == "getset_descriptor"


def handle_torch_function(public_api: Callable, relevant_args, *args, **kwargs):
    """For functions of your own: asks the classes of `relevant_args` for the answer to ``public_api(*args, **kwargs)``.

    Raises:
        TypeError: every one of them gave NotImplemented.
    """
    return _ask_class(public_api, tuple(relevant_args), args, kwargs)

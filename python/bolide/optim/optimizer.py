"""Optimizer: parameter groups, state per parameter, and saving and loading both."""

from __future__ import annotations

import bolide
from bolide._C import Tensor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

_INFINITY = float("inf")


def check_at_least_zero(what: str, value: float) -> None:
    """Raise ValueError in PyTorch's words unless ``value`` is finite and not negative (NaN fails
    both).
    """
    if not 0.0 <= value < _INFINITY:
        raise ValueError(f"Invalid {what}: {value}")


class Optimizer:
    """Base class: keeps ``param_groups`` (dictionaries of "params" and options) and ``state``.

    Args:
        params: tensors, (name, tensor) pairs, or dictionaries with "params" and options of the
            group's own.
        defaults: options for the groups that do not name them.

    Raises:
        ValueError: no parameters, a parameter that is given twice or is not a leaf, an option out
            of range.
        TypeError: something that is not a tensor, or a set (its order changes between runs).

    Reference: torch.optim.Optimizer.
    """

    def __init__(self, params: Iterable, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, "
                f"but got {type(params).__name__}"
            )
        self.defaults = defaults
        self.state: dict[Tensor, dict[str, Any]] = {}
        self.param_groups: list[dict[str, Any]] = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def _check_options(self, group: dict[str, Any]) -> None:
        """Raise ValueError for options out of range; called with the complete options of each
        group.
        """

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimize more parameters, with options of their own: ``{"params": ..., "lr": 0.1}``."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        group = dict(param_group)
        params = group["params"]
        if isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the "
                "ordering of tensors "
                "in sets will change between runs. Please use a list instead."
            )
        params = [params] if isinstance(params, Tensor) else list(params)
        named = [param for param in params if isinstance(param, tuple)]
        if named:
            if len(named) != len(params):
                raise ValueError(
                    "all optimizer params should be with/without names. Some param names are "
                    "missing"
                )
            group["param_names"] = [name for name, _ in params]
            params = [param for _, param in params]
        group["params"] = params
        self._check_params(params)
        for name, default in self.defaults.items():
            group.setdefault(name, default)
        self._check_options(group)
        self.param_groups.append(group)

    def _check_params(self, params: list) -> None:
        known = {id(param) for group in self.param_groups for param in group["params"]}
        seen = set()
        for param in params:
            if not isinstance(param, Tensor):
                raise TypeError(
                    "optimizer can only optimize Tensors, but one of the params is "
                    f"{type(param).__name__}"
                )
            if not param.is_leaf:
                raise ValueError("can't optimize a non-leaf Tensor")
            if id(param) in known:
                raise ValueError("some parameters appear in more than one parameter group")
            # PyTorch only warns and then takes the step twice; nobody has wanted that
            if id(param) in seen:
                raise ValueError("optimizer contains a parameter group with duplicate parameters")
            seen.add(id(param))

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or fill them with zeros."""
        for group in self.param_groups:
            for param in group["params"]:
                if set_to_none:
                    param.grad = None
                elif param.grad is not None:
                    param.grad = bolide.zeros_like(param.grad)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient.

        ``closure``, when given, computes the loss and its gradients again; its result is returned.
        """
        loss = None
        if closure is not None:
            with bolide.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._step_group(group)
        return loss

    def _step_group(self, group: dict[str, Any]) -> None:
        raise NotImplementedError(f"{type(self).__name__} does not define _step_group")

    # ---- saving and loading ----------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """``{"state": {number: ...}, "param_groups": [...]}``, with parameters as numbers in their
        order.
        """
        numbers: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            packed = {name: value for name, value in group.items() if name != "params"}
            packed["params"] = [
                numbers.setdefault(id(param), len(numbers)) for param in group["params"]
            ]
            groups.append(packed)
        state = {numbers[id(param)]: dict(values) for param, values in self.state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict()`` gave, for groups of the same sizes.

        Tensors are copied to the device of their parameter, floating ones in its dtype. Raises
        ValueError, and changes nothing, when the groups do not fit or an option is out of range.
        """
        saved_groups = state_dict["param_groups"]
        if len(saved_groups) != len(self.param_groups):
            raise ValueError(
                "loaded state dict has a different number of parameter groups: "
                f"{len(saved_groups)}, "
                f"expected {len(self.param_groups)}"
            )
        by_number: dict[Any, Tensor] = {}
        groups = []
        for own, saved in zip(self.param_groups, saved_groups, strict=True):
            if len(own["params"]) != len(saved["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of "
                    "optimizer's "
                    f"group: {len(saved['params'])}, expected {len(own['params'])}"
                )
            by_number.update(zip(saved["params"], own["params"], strict=True))
            group = {**own, **saved, "params": own["params"]}
            self._check_options(group)
            groups.append(group)
        state = {}
        for number, values in state_dict["state"].items():
            if number not in by_number:
                raise ValueError(
                    f"loaded state dict has state for parameter {number}, which no group names"
                )
            param = by_number[number]
            state[param] = {
                name: self._load_value(param, name, value) for name, value in values.items()
            }
        # in place, so that a scheduler that holds a group goes on with the right one
        for own, loaded in zip(self.param_groups, groups, strict=True):
            own.update(loaded)
        self.state = state

    def _load_value(self, param: Tensor, name: str, value: Any) -> Any:
        if name == "step":
            return int(value.item() if isinstance(value, Tensor) else value)
        if not isinstance(value, Tensor):
            return value
        if value.ndim and tuple(value.shape) != tuple(param.shape):
            raise ValueError(
                f"loaded state '{name}' has shape {tuple(value.shape)}, its parameter "
                f"{tuple(param.shape)}"
            )
        return value.detach().to(param.device, param.dtype).clone()

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for number, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {number}")
            lines += [
                f"    {name}: {group[name]}"
                for name in sorted(group)
                if name not in ("params", "param_names")
            ]
        return "\n".join([*lines, ")"])

"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from bolide import _C
from bolide.optim.optimizer import Optimizer, check_at_least_zero

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


class SGD(Optimizer):
    """p -= lr * v with v = momentum * v + (1 - dampening) * (grad + weight_decay * p).

    Args:
        params: see Optimizer.
        lr: the learning rate.
        momentum: 0 keeps no buffer.
        dampening: of the gradient that enters the momentum (the first enters whole).
        weight_decay: added to the gradient, times the parameter.
        nesterov: use grad + momentum * v; wants a momentum and no dampening.
        maximize: go up instead of down.

    Raises ValueError for options that are negative or not finite.

    Example:
        >>> optimizer = bolide.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        >>> optimizer.zero_grad(); loss_fn(model(x), y).backward(); optimizer.step()

    Reference: torch.optim.SGD (Sutskever et al., 2013).
    """

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
            },
        )

    def _check_options(self, group: dict[str, Any]) -> None:
        check_at_least_zero("learning rate", group["lr"])
        check_at_least_zero("momentum value", group["momentum"])
        check_at_least_zero("weight_decay value", group["weight_decay"])
        if not abs(group["dampening"]) < float("inf"):
            raise ValueError(f"Invalid dampening value: {group['dampening']}")
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")

    def _step_group(self, group: dict[str, Any]) -> None:
        if group["momentum"] == 0:
            params = [param for param in group["params"] if param.grad is not None]
            self._fused(group, params, [], False)
            return
        state = self.state
        started: list[Any] = []
        fresh: list[Any] = []
        for param in group["params"]:
            if param.grad is not None:
                (started if "momentum_buffer" in state.get(param, ()) else fresh).append(param)
        self._fused(group, started, [state[param]["momentum_buffer"] for param in started], False)
        if fresh:
            # the first step copies the gradient into the buffer, so that its values need no
            # initialisation
            buffers = [_C.empty_like(param.grad) for param in fresh]
            self._fused(group, fresh, buffers, True)
            for param, buffer in zip(fresh, buffers, strict=True):
                state[param] = {"momentum_buffer": buffer}

    def _fused(self, group: dict[str, Any], params: list, buffers: list, first_step: bool) -> None:
        if params:
            _C._sgd_step(
                params,
                [param.grad for param in params],
                buffers,
                group["lr"],
                group["momentum"],
                group["dampening"],
                group["weight_decay"],
                group["nesterov"],
                group["maximize"],
                first_step,
            )

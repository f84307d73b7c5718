"""Adam, and AdamW with its decoupled weight decay."""

from __future__ import annotations

from bolide import _C
from bolide.optim.optimizer import Optimizer, check_at_least_zero

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


class Adam(Optimizer):
    """Steps by the running mean of the gradient over the root of the running mean of its square.

    Args:
        params: see Optimizer.
        lr: the learning rate.
        betas: how much of the two running means is kept each step, both in [0, 1).
        eps: added to the root.
        weight_decay: added to the gradient, times the parameter (with ``decoupled_weight_decay``,
            taken from the parameter itself, times lr).
        amsgrad: divide by the largest root so far.
        maximize: go up instead of down.

    Raises ValueError for options that are out of range or not finite.

    Example:
        >>> optimizer = bolide.optim.Adam(model.parameters(), lr=1e-3)
        >>> optimizer.zero_grad(); loss_fn(model(x), y).backward(); optimizer.step()

    Reference: torch.optim.Adam (Kingma and Ba, 2014; amsgrad: Reddi et al., 2018).
    """

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
                "decoupled_weight_decay": decoupled_weight_decay,
            },
        )

    def _check_options(self, group: dict[str, Any]) -> None:
        check_at_least_zero("learning rate", group["lr"])
        check_at_least_zero("epsilon value", group["eps"])
        betas = group["betas"]
        if len(betas) != 2:
            raise ValueError(f"Invalid betas: expected 2 values, got {betas}")
        for index, beta in enumerate(betas):
            if not 0.0 <= beta < 1.0:
                raise ValueError(f"Invalid beta parameter at index {index}: {beta}")
        check_at_least_zero("weight_decay value", group["weight_decay"])

    def _step_group(self, group: dict[str, Any]) -> None:
        amsgrad = group["amsgrad"]
        beta1, beta2 = group["betas"]
        # one call for all parameters that have taken the same number of steps, which usually is all
        # of them
        for step, (params, grads, states) in self._by_step(group).items():
            _C._adam_step(
                params,
                grads,
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [state["max_exp_avg_sq"] for state in states] if amsgrad else [],
                step,
                group["lr"],
                beta1,
                beta2,
                group["eps"],
                group["weight_decay"],
                group["decoupled_weight_decay"],
                amsgrad,
                group["maximize"],
            )
            for state in states:
                state["step"] = step

    def _by_step(self, group: dict[str, Any]) -> dict[int, tuple[list, list, list]]:
        by_step: dict[int, tuple[list, list, list]] = {}
        for param in group["params"]:
            grad = param.grad
            if grad is None:
                continue
            state = self.state.get(param) or self._new_state(param)
            if group["amsgrad"] and "max_exp_avg_sq" not in state:
                state["max_exp_avg_sq"] = _C.zeros_like(param.detach())
            step = state["step"] + 1
            lists = by_step.get(step)
            if lists is None:
                lists = by_step[step] = ([], [], [])
            lists[0].append(param)
            lists[1].append(grad)
            lists[2].append(state)
        return by_step

    def _new_state(self, param: Any) -> dict[str, Any]:
        plain = param.detach()
        state = self.state[param] = {
            "step": 0,
            "exp_avg": _C.zeros_like(plain),
            "exp_avg_sq": _C.zeros_like(plain),
        }
        return state


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameter by lr * weight_decay before the step.

    Arguments and errors are Adam's; ``weight_decay`` is 0.01 unless given.

    Reference: torch.optim.AdamW (Loshchilov and Hutter, 2017).
    """

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            maximize=maximize,
            decoupled_weight_decay=True,
        )

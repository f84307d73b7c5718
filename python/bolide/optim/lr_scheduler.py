"""Learning-rate schedules: call ``step()`` once an epoch (or batch), after the optimizer's step.

A new schedule derives from LRScheduler and defines ``get_lr``, which returns one rate per parameter
group from ``last_epoch``, ``base_lrs`` and the current rates.
"""

from __future__ import annotations

import math

from bolide.optim.optimizer import Optimizer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class LRScheduler:
    """Base class. ``last_epoch`` counts the steps from 0; -1 starts afresh, another value resumes.

    Reference: torch.optim.lr_scheduler.LRScheduler.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        self.optimizer = optimizer
        for number, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group["initial_lr"] = group["lr"]
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{number}] when "
                    "resuming an optimizer"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self.step()

    def get_lr(self) -> list[float]:
        """The rates for ``last_epoch``, one per group."""
        raise NotImplementedError(f"{type(self).__name__} does not define get_lr")

    def _current(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def get_last_lr(self) -> list[float]:
        """The rates that the last step set, one per group."""
        return self._last_lr

    def step(self) -> None:
        """Go on by one and set the groups' rates."""
        self.last_epoch += 1
        self._last_lr = self.get_lr()
        for group, lr in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = lr

    def state_dict(self) -> dict[str, Any]:
        """All but the optimizer."""
        return {name: value for name, value in self.__dict__.items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict()`` gave; load the optimizer's state too, it has the current
        rates.
        """
        self.__dict__.update(state_dict)


class LambdaLR(LRScheduler):
    """The initial rate times ``lr_lambda(last_epoch)``; one function, or one per group.

    Functions are not saved in ``state_dict``. Reference: torch.optim.lr_scheduler.LambdaLR.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | list[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        count = len(optimizer.param_groups)
        self.lr_lambdas = (
            list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * count
        )
        if len(self.lr_lambdas) != count:
            raise ValueError(f"Expected {count} lr_lambdas, but got {len(self.lr_lambdas)}")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        return [
            base * function(self.last_epoch)
            for base, function in zip(self.base_lrs, self.lr_lambdas, strict=True)
        ]

    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        del state["lr_lambdas"]
        return state


class StepLR(LRScheduler):
    """Multiplies the rate by ``gamma`` every ``step_size`` steps. Reference:
    torch.optim.lr_scheduler.StepLR.
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        if step_size < 1:
            raise ValueError(f"Invalid step_size: {step_size}, expected at least 1")
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0 or self.last_epoch % self.step_size:
            return self._current()
        return [lr * self.gamma for lr in self._current()]


class CosineAnnealingLR(LRScheduler):
    """From the initial rate to ``eta_min`` along half a cosine of ``T_max`` steps, and back after
    that.

    Each rate follows from the one before, as in PyTorch, so that it combines with other schedules.
    Reference: torch.optim.lr_scheduler.CosineAnnealingLR (Loshchilov and Hutter, 2016).
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        if T_max < 1:
            raise ValueError(f"Invalid T_max: {T_max}, expected at least 1")
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        now, period, least = self.last_epoch, self.T_max, self.eta_min
        if now == 0:
            return self._current()
        if (now - 1 - period) % (
            2 * period
        ) == 0:  # at the bottom the ratio below is 0 / 0: climb by one step
            rise = (1 - math.cos(math.pi / period)) / 2
            return [
                lr + (base - least) * rise
                for base, lr in zip(self.base_lrs, self._current(), strict=True)
            ]
        ratio = (1 + math.cos(math.pi * now / period)) / (
            1 + math.cos(math.pi * (now - 1) / period)
        )
        return [least + ratio * (lr - least) for lr in self._current()]

"""Optimizers and learning-rate schedules, with PyTorch's names, defaults and state.

Each optimizer collects the parameters of a group that have a gradient and hands them to one fused
call of the extension. A new one derives from Optimizer and defines ``_step_group``.
"""

from bolide.optim import lr_scheduler
from bolide.optim.adam import Adam, AdamW
from bolide.optim.optimizer import Optimizer
from bolide.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "lr_scheduler"]

"""The state of the random numbers: seeds, and parts of a program that leave it as it was."""

from contextlib import contextmanager

from bolide._C import (
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)

__all__ = [
    "default_generator",
    "fork_rng",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
]


@contextmanager
def fork_rng(devices=None, enabled=True, device_type="cuda"):
    """Leave the random numbers as they were before the block; all devices share their state.

    Args:
        devices, device_type: taken as PyTorch takes them, without effect.
        enabled: False does nothing.

    Example:
        >>> with bolide.random.fork_rng():
        ...     bolide.manual_seed(0)

    Reference: torch.random.fork_rng.
    """
    if not enabled:
        yield
        return
    state = get_rng_state()
    try:
        yield
    finally:
        set_rng_state(state)

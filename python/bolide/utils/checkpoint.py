"""checkpoint: a part of a model keeps nothing for backward; it is computed again when backward comes to it."""

import bolide
from bolide.autograd.graph import saved_tensors_hooks

__all__ = ["checkpoint"]


def checkpoint(function, *args, use_reentrant=None, preserve_rng_state=True, **kwargs):
    """``function(*args, **kwargs)``, whose saved tensors are dropped and computed again in backward.

    Args:
        function: has to save the same tensors, in the same order, each time.
        use_reentrant: None or False; PyTorch's older way is not here.
        preserve_rng_state: the second computation draws the same random numbers.

    Raises:
        NotImplementedError: ``use_reentrant=True``.
        RuntimeError (from backward): the second computation saves another number of tensors.

    Example:
        >>> y = checkpoint(block, x, use_reentrant=False)

    Reference: torch.utils.checkpoint.checkpoint; Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016.
    """
    if use_reentrant:
        raise NotImplementedError("[checkpoint] expected use_reentrant=False, got True.")
    state = bolide.get_rng_state() if preserve_rng_state else None
    saved = 0
    again: dict[int, bolide.Tensor] = {}

    def pack(tensor):
        nonlocal saved
        saved += 1
        return saved - 1

    def compute_again():
        now = bolide.get_rng_state() if preserve_rng_state else None
        found: list[bolide.Tensor] = []
        try:
            if preserve_rng_state:
                bolide.set_rng_state(state)
            with bolide.enable_grad(), saved_tensors_hooks(found.append, found.__getitem__):
                function(*args, **kwargs)
        finally:
            if preserve_rng_state:
                bolide.set_rng_state(now)
        if len(found) != saved:
            raise RuntimeError(
                f"[checkpoint] expected {saved} saved tensors from the second computation, got {len(found)}: "
                "function does not do the same each time."
            )
        again.update(enumerate(found))

    def unpack(place):
        if place not in again:
            compute_again()
        return again.pop(place)

    with saved_tensors_hooks(pack, unpack):
        return function(*args, **kwargs)

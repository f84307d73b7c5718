"""Tensor.apply_(), map_() and map2_(): a Python function of each element, on the CPU."""

from bolide import _C


def _put(op, tensor, function, others):
    for x in (tensor, *others):
        if not x.is_cpu:
            raise TypeError(f"[{op}] expected tensors on the CPU, got one on {x.device}.")
        if x.requires_grad:
            raise RuntimeError(
                f"[{op}] expected tensors that do not require grad, got one that does; use detach()."
            )
    columns = [x.expand(tensor.shape).flatten().tolist() for x in (tensor, *others)]
    values = [function(*row) for row in zip(*columns, strict=True)]
    made = _C.tensor(values, dtype=tensor.dtype) if values else tensor.new_empty(0)
    return tensor.copy_(made.view(tensor.shape))


def apply_(tensor, function):
    """What Tensor.apply_() calls."""
    return _put("apply_", tensor, function, ())


def map_(tensor, other, function):
    """What Tensor.map_() calls."""
    return _put("map_", tensor, function, (other,))


def map2_(tensor, x, y, function):
    """What Tensor.map2_() calls."""
    return _put("map2_", tensor, function, (x, y))

"""The graph itself: hooks on what it saves, nodes and edges."""

from typing import NamedTuple

from bolide import _C
from bolide._C import Node

__all__ = [
    "GradientEdge",
    "Node",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "save_on_cpu",
    "saved_tensors_hooks",
]


class GradientEdge(NamedTuple):
    """Where a gradient comes to: an output of a node. Reference: torch.autograd.graph.GradientEdge."""

    node: Node
    output_nr: int


def get_gradient_edge(tensor):
    """The edge that the gradient of ``tensor`` comes to.

    Raises:
        RuntimeError: it does not require grad.

    Reference: torch.autograd.graph.get_gradient_edge.
    """
    if not tensor.requires_grad:
        raise RuntimeError(
            "[get_gradient_edge] expected a tensor that requires grad, got one that does not."
        )
    return GradientEdge(*_C._gradient_edge(tensor))


def increment_version(tensor):
    """Count one more in-place change of a tensor (or of each of several), as after a write that bolide did not see.

    Reference: torch.autograd.graph.increment_version.
    """
    for t in (tensor,) if isinstance(tensor, _C.Tensor) else tensor:
        _C._increment_version(t)


class saved_tensors_hooks:  # noqa: N801: PyTorch's name
    """Context manager: what ops save for backward goes through ``pack_hook``, and comes back through ``unpack_hook``.

    Args:
        pack_hook: gets the tensor to save, returns anything; must not change the tensor.
        unpack_hook: gets that back, returns a tensor of the same values.

    Raises (from the ops and from backward):
        TypeError: unpack_hook returns no tensor.

    Example:
        >>> with bolide.autograd.graph.saved_tensors_hooks(lambda t: t.numpy(), bolide.from_numpy):
        ...     y = x.exp()

    Reference: torch.autograd.graph.saved_tensors_hooks.
    """

    def __init__(self, pack_hook, unpack_hook):
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self):
        _C._push_pack_hooks(self.pack_hook, self.unpack_hook)

    def __exit__(self, *error):
        _C._pop_pack_hooks()


class save_on_cpu(saved_tensors_hooks):  # noqa: N801: PyTorch's name
    """Context manager: what ops save is kept in the CPU's memory. Reference: torch.autograd.graph.save_on_cpu."""

    def __init__(self, pin_memory=False, device_type="cuda"):
        super().__init__(
            lambda t: (t.device, t.to("cpu", copy=True)),
            lambda kept: kept[1].to(kept[0], copy=True),
        )


class disable_saved_tensors_hooks:  # noqa: N801: PyTorch's name
    """Context manager: saved_tensors_hooks raises ``error_message`` inside.

    Reference: torch.autograd.graph.disable_saved_tensors_hooks.
    """

    def __init__(self, error_message):
        self.error_message = error_message

    def __enter__(self):
        _C._refuse_pack_hooks(self.error_message)

    def __exit__(self, *error):
        _C._pop_pack_hooks()

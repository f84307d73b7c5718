"""The graph itself: hooks on what it saves, nodes and edges."""

import threading
from typing import NamedTuple

from bolide import _C
from bolide._C import Node

__all__ = [
    "GradientEdge",
    "Node",
    "allow_mutation_on_saved_tensors",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
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

    Raises:
        RuntimeError: an inference tensor.

    Reference: torch.autograd.graph.increment_version.
    """
    for t in (tensor,) if isinstance(tensor, _C.Tensor) else tensor:
        if t.is_inference():
            raise RuntimeError(
                "[increment_version] expected a tensor with a version, got an inference tensor: it tracks none."
            )
        _C._increment_version(t)


class _Handles:
    """Handles that are removed together."""

    def __init__(self, handles):
        self.handles = handles

    def remove(self):
        for handle in self.handles:
            handle.remove()


def register_multi_grad_hook(tensors, fn, *, mode="all"):
    """Call ``fn`` once in each backward() that brings gradients to some of the tensors.

    Args:
        tensors: tensors that require grad.
        fn: with mode "all" it gets a list of the gradients of all tensors, None for those that this backward() does not
            reach, when the last has been computed; with "any" the first one that is computed. It returns nothing.

    Returns:
        a handle with a method ``remove()``.

    Raises:
        ValueError: another mode.
        RuntimeError: a tensor does not require grad.

    Example:
        >>> handle = bolide.autograd.graph.register_multi_grad_hook((a, b), lambda grads: print(grads))

    Reference: torch.autograd.graph.register_multi_grad_hook.
    """
    if mode not in ("all", "any"):
        raise ValueError(f"[register_multi_grad_hook] expected mode 'all' or 'any', got {mode!r}.")
    tensors = tuple(tensors)
    lock = threading.Lock()
    if mode == "any":
        called = set()

        def first(grad):
            run = _C._current_run()
            with lock:
                if run in called:
                    return
                called.add(run)
            fn(grad)

        return _Handles([t.register_hook(first) for t in tensors])

    nodes = [get_gradient_edge(t).node for t in tensors]
    waiting = {}  # number of a run: the gradients so far, and how many are still to come

    def collector(place):
        def collect(grad):
            run = _C._current_run()
            with lock:
                if run not in waiting:
                    waiting[run] = [[None] * len(tensors), sum(map(_C._run_reaches, nodes))]
                state = waiting[run]
                state[0][place] = grad
                state[1] -= 1
                done = not state[1]
                if done:
                    del waiting[run]
            if done:
                fn(state[0])

        return collect

    return _Handles([t.register_hook(collector(place)) for place, t in enumerate(tensors)])


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


class allow_mutation_on_saved_tensors(saved_tensors_hooks):  # noqa: N801: PyTorch's name
    """Context manager: what ops save is copied, so that it may be changed in place before backward.

    Example:
        >>> with bolide.autograd.graph.allow_mutation_on_saved_tensors():
        ...     y = (x * x).sum()
        ...     x.detach().zero_()
        >>> y.backward()

    Reference: torch.autograd.graph.allow_mutation_on_saved_tensors.
    """

    def __init__(self):
        super().__init__(lambda t: t.detach().clone(), lambda t: t)

    def __enter__(self):
        super().__enter__()
        return self

    def clear(self):
        """Let go of the copies: nothing to do, they go with the graph."""


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

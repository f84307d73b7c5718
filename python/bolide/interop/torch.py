"""bolide's ops, modules, losses and optimizers in a PyTorch program, on its tensors, with gradients.

    >>> import bolide.interop.torch as bt
    >>> loss_fn = bt.nn.CrossEntropyLoss()  # was torch.nn.CrossEntropyLoss()
    >>> optimizer = bt.optim.AdamW(model.parameters(), lr=1e-3)  # was torch.optim.AdamW

Any name of bolide can be asked for in this way: ``bt.softmax``, ``bt.nn.functional.gelu``, ``bt.nn.LayerNorm``.
Functions take and give torch tensors and are recorded by PyTorch's autograd, to any order; modules are
torch.nn.Modules with PyTorch's names for parameters; optimizers are torch.optim.Optimizers that change the
parameters in place. Tensors share their memory with bolide's: no copy, on any device that both have. A result that
would be a view of an argument is a copy.

``function``, ``module`` and ``optimizer`` wrap what has no name in bolide: functions, modules and optimizers of your
own, written with it.
"""

import inspect

import torch
from torch.utils.dlpack import from_dlpack as _from_capsule

import bolide
from bolide.interop._trees import Names, Place, call_like, map_tree, take
from bolide.optim import Optimizer as _BolideOptimizer

__all__ = ["function", "module", "optimizer"]

_READS_VERSIONS = torch.__version__ >= (2, 9)  # type: ignore[operator]  # capsules of DLPack 1.0


def to_bolide(tensor):
    """On the same memory, as a leaf that requires grad if the torch tensor does."""
    if tensor.requires_grad:
        return bolide.from_dlpack(tensor.detach()).requires_grad_()
    return bolide.from_dlpack(tensor)


def to_torch(tensor):
    """On the same memory, without history."""
    if tensor.requires_grad:
        tensor = tensor.detach()
    if tensor.is_cuda or not _READS_VERSIONS:
        return torch.from_dlpack(
            tensor
        )  # which tells bolide the stream, and costs five times as much
    return _from_capsule(tensor.__dlpack__(max_version=(1, 0)))


class _Inputs:
    """bolide's tensors on the memory of PyTorch's, and what has become of them."""

    __slots__ = ("all", "pairs", "taken")

    def __init__(self, tensors=()):
        self.pairs, self.taken, self.all = [], None, None
        for tensor in tensors:
            self.add(tensor)

    def add(self, tensor):
        shared = to_bolide(tensor)
        self.pairs.append((tensor, shared, shared._version))
        return shared

    def ours(self):  # from the first call on the same list
        if self.all is None:
            self.all = [shared for _, shared, _ in self.pairs]
        return self.all

    def theirs(self):
        return [tensor for tensor, _, _ in self.pairs]

    def require_grad(self):
        return True in [tensor.requires_grad for tensor, _, _ in self.pairs]

    def tell_changes(self):
        """Raises the versions of PyTorch's tensors that were changed in place; was there any?"""
        any_changed = False
        for tensor, shared, version in self.pairs:
            if shared._version != version:
                torch.autograd.graph.increment_version(tensor)
                any_changed = True
        return any_changed

    def apart(self, y):
        """The result, copied where it lies on the memory of an argument or of another: PyTorch would not see changes."""
        if self.taken is None:
            self.taken = [shared.untyped_storage().data_ptr() for _, shared, _ in self.pairs]
        address = y.untyped_storage().data_ptr()
        if address in self.taken:
            return y.clone()
        self.taken.append(address)
        return y


class _Call(torch.autograd.Function):
    """One call of a bolide function, as PyTorch's graph sees it."""

    @staticmethod
    def forward(ctx, run, inputs, *tensors):
        ctx.set_materialize_grads(False)
        ctx.run, ctx.random = run, bolide.get_rng_state()
        ctx.inputs = inputs.ours()
        with bolide.set_grad_enabled(True):
            ctx.outputs = [inputs.apart(y) for y in run(ctx.inputs)]
        ctx.in_place = inputs.tell_changes()
        results = tuple([to_torch(y) for y in ctx.outputs])
        fixed = [r for r, y in zip(results, ctx.outputs, strict=True) if not y.requires_grad]
        if fixed:
            ctx.mark_non_differentiable(*fixed)
        # never read: PyTorch looks whether they were changed since, and whether it is the second time
        ctx.save_for_backward(*tensors, *results)
        return results

    @staticmethod
    def backward(ctx, *grads):
        tensors = ctx.saved_tensors[: len(ctx.inputs)]
        wanted = [i for i, needed in enumerate(ctx.needs_input_grad[2:]) if needed]
        reached = [i for i, g in enumerate(grads) if g is not None and ctx.outputs[i].requires_grad]
        if not reached:
            found = [None] * len(wanted)
        elif torch.is_grad_enabled():  # create_graph: computed again, as a function of everything
            if ctx.in_place:
                raise RuntimeError(
                    "[bolide.interop.torch] expected a function that changes no argument for create_graph=True, got "
                    "one in place: it cannot be computed again."
                )
            run = _again(ctx.run, ctx.random)
            found = _gradients(run, wanted, reached, tensors, [grads[i] for i in reached])
        else:
            found = bolide.autograd.grad(
                [ctx.outputs[i] for i in reached],
                [ctx.inputs[i] for i in wanted],
                [to_bolide(grads[i].detach()) for i in reached],
                retain_graph=True,
                allow_unused=True,
            )
            found = [None if g is None else to_torch(g) for g in found]
        all_grads = [None] * len(ctx.inputs)
        for i, g in zip(wanted, found, strict=True):
            all_grads[i] = g
        return None, None, *all_grads


def _again(run, random):
    """run as it was: with the same random numbers, and without the changes to a module's buffers."""

    def run_again(inputs):
        now = bolide.get_rng_state()
        bolide.set_rng_state(random)
        try:
            return run(inputs, again=True)
        finally:
            bolide.set_rng_state(now)

    return run_again


def _gradients(run, wanted, reached, tensors, grads):
    """The gradients as one more call, which can be differentiated itself."""
    count = len(tensors)

    def run_gradients(inputs, again=False):
        leaves = [x if x.requires_grad else x.detach() for x in inputs[:count]]
        for i in wanted:
            leaves[i] = leaves[i] if leaves[i].requires_grad else leaves[i].requires_grad_()
        with bolide.enable_grad():
            outputs = run(leaves)
            found = bolide.autograd.grad(
                [outputs[i] for i in reached],
                [leaves[i] for i in wanted],
                inputs[count:],
                create_graph=True,
                allow_unused=True,
            )
        return [
            bolide.zeros_like(leaves[i]) if g is None else g
            for i, g in zip(wanted, found, strict=True)
        ]

    inputs = _Inputs([*tensors, *grads])
    return _Call.apply(run_gradients, inputs, *tensors, *grads)


def _call(f, arguments, keywords, more=None):
    """f on bolide tensors in the places of the torch tensors; those of ``more`` come first in a list, and
    then whether this computes again what it has computed before."""
    inputs = _Inputs(more or ())
    own = () if more is None else ([shared for _, shared, _ in inputs.pairs], False)
    args = [map_tree(torch.Tensor, inputs.add, value) for value in arguments]
    named = {name: map_tree(torch.Tensor, inputs.add, value) for name, value in keywords.items()}

    if not inputs.require_grad() or not torch.is_grad_enabled():
        with bolide.set_grad_enabled(False):
            result = f(*own, *args, **named)
            inputs.tell_changes()
            return map_tree(bolide.Tensor, lambda y: to_torch(inputs.apart(y)), result)

    first, shape = inputs.ours(), None

    def run(inputs, again=False):
        nonlocal shape
        if inputs is first:
            result = f(*own, *args, **named)
        else:
            others = {id(x): y for x, y in zip(first, inputs, strict=True)}
            given = map_tree(bolide.Tensor, lambda x: others.get(id(x), x), (own[:1], args, named))
            result = f(*given[0], *[again][: len(own)], *given[1], **given[2])
        outputs, shape = take(bolide.Tensor, result)
        return outputs

    results = _Call.apply(run, inputs, *inputs.theirs())
    return map_tree(Place, lambda place: results[place.number], shape)


def function(f):
    """A function of bolide tensors as one of torch tensors, recorded by PyTorch's autograd.

    Tensors may stand anywhere in tuples, lists and dictionaries, in arguments and results. ``f`` must compute its
    results from its arguments: what else it closes over gets no gradient. An op in place changes the argument,
    as long as that does not require grad.

    Raises:
        BufferError: a tensor that DLPack cannot share (sparse, conjugated, of a dtype that bolide does not have).

    Example:
        >>> swish = bt.function(lambda x: x * bolide.sigmoid(x))
        >>> swish(torch.ones(3, requires_grad=True)).sum().backward()
    """

    def wrapped(*args, **keywords):
        return _call(f, args, keywords)

    return call_like(wrapped, f, "torch tensors")


class _Module(torch.nn.Module):
    """A module of bolide as one of PyTorch, with parameters and buffers under the same names, on the same memory."""

    def __init__(self, inner, known=None):
        super().__init__()
        known = {} if known is None else known  # a parameter that two modules have stays one
        self.__dict__["inner"] = inner  # past __setattr__, which knows PyTorch's modules only
        for name, child in inner.named_children():
            self.add_module(name, _Module(child, known))
        for name, p in inner._parameters.items():
            if p is not None and p not in known:
                known[p] = torch.nn.Parameter(to_torch(p), p.requires_grad)
            self.register_parameter(name, None if p is None else known[p])
        for name, b in inner._buffers.items():
            persistent = name not in inner._non_persistent
            self.register_buffer(name, None if b is None else to_torch(b), persistent=persistent)

    def forward(self, *args, **keywords):
        places, own, buffers = [], [], []
        for mirror in self.modules():
            inner = mirror.__dict__["inner"]
            inner.training, members = mirror.training, inner.__dict__
            for name, p in mirror._parameters.items():
                if p is not None:
                    places.append((members, name))
                    own.append(p)
            buffers += [(members, name, b) for name, b in mirror._buffers.items() if b is not None]

        def run(parameters, again, *args, **keywords):
            before = [(members, name, members[name]) for members, name in places]
            for members, name, b in buffers:  # no part of any graph, changed in place
                members[name] = to_bolide(b.clone() if again else b)
            try:
                for (members, name), p in zip(places, parameters, strict=True):
                    members[name] = p
                return self.__dict__["inner"](*args, **keywords)
            finally:
                for members, name, p in before:
                    members[name] = p
                for members, name, b in () if again else buffers:
                    if members[name].data_ptr() != b.data_ptr():  # replaced
                        b.copy_(to_torch(members[name]))

        return _call(run, args, keywords, own)

    def extra_repr(self):
        return f"bolide {type(self.__dict__['inner']).__name__}"


def module(inner):
    """A bolide module as a torch.nn.Module: its parameters train, move and are saved with the rest of the model.

    Example:
        >>> norm = bt.module(bolide.nn.LayerNorm(64))  # the same as bt.nn.LayerNorm(64)
    """
    return _Module(inner)


class _Optimizer(torch.optim.Optimizer):
    """A bolide optimizer on the parameters of a PyTorch model, whose options are those of ``param_groups`` here."""

    kind: type

    def __init__(self, params, *args, **options):
        params = list(params)
        groups = params if params and isinstance(params[0], dict) else [{"params": params}]
        groups = [{**group, "params": _as_list(group["params"])} for group in groups]
        self.inner = self.kind(
            [{**group, "params": [self._shared(p) for p in group["params"]]} for group in groups],
            *args,
            **options,
        )
        super().__init__(groups, dict(self.inner.defaults))

    @staticmethod
    def _shared(parameter):
        return bolide.nn.Parameter(bolide.from_dlpack(_tensor_of(parameter).detach()))

    def add_param_group(self, param_group):
        """As in PyTorch: more parameters, with options of their own."""
        super().add_param_group(param_group)
        if len(self.param_groups) > len(self.inner.param_groups):
            group = self.param_groups[-1]
            self.inner.add_param_group(
                {**group, "params": [self._shared(p) for p in group["params"]]}
            )

    def _pairs(self):
        for group, inner in zip(self.param_groups, self.inner.param_groups, strict=True):
            yield from zip(group["params"], inner["params"], strict=True)

    def _send(self):
        """Options, memory and gradients, as they are now in PyTorch."""
        for group, inner in zip(self.param_groups, self.inner.param_groups, strict=True):
            inner.update({k: v for k, v in group.items() if k in inner and k != "params"})
        for p, shared in self._pairs():
            if p.data_ptr() != shared.data_ptr():  # .to() or .data = gave it other memory
                shared.data = bolide.from_dlpack(p.detach())
            shared.grad = None if p.grad is None else bolide.from_dlpack(p.grad.detach())

    @torch.no_grad()
    def step(self, closure=None):
        """Change every parameter that has a gradient, in place."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._send()
        self.inner.step()
        for p, shared in self._pairs():
            if shared.grad is not None:
                shared.grad = None
                torch.autograd.graph.increment_version(p)
                self.state[p] = map_tree(bolide.Tensor, to_torch, self.inner.state.get(shared, {}))
        return loss

    def state_dict(self):
        """As in PyTorch, with torch tensors, on the memory of the state."""
        self._send()
        return map_tree(bolide.Tensor, to_torch, self.inner.state_dict())

    def load_state_dict(self, state_dict):
        """Take over what ``state_dict()`` gave, here or in PyTorch."""
        self._send()
        self.inner.load_state_dict(map_tree(torch.Tensor, to_bolide, state_dict))
        for group, inner in zip(self.param_groups, self.inner.param_groups, strict=True):
            group.update({k: v for k, v in inner.items() if k != "params"})
        for p, shared in self._pairs():
            if shared in self.inner.state:
                self.state[p] = map_tree(bolide.Tensor, to_torch, self.inner.state[shared])


def _as_list(params):
    return [params] if isinstance(params, torch.Tensor) else list(params)


def _tensor_of(parameter):
    return parameter[1] if isinstance(parameter, tuple) else parameter


def optimizer(kind):
    """A class of bolide optimizers as one of torch.optim.Optimizers, which schedulers and the like take.

    Example:
        >>> AdamW = bt.optimizer(bolide.optim.AdamW)  # the same as bt.optim.AdamW
    """
    return type(kind.__name__, (_Optimizer,), {"kind": kind, "__doc__": kind.__doc__})


def _wrap(value):
    if inspect.isclass(value):
        if issubclass(value, bolide.nn.Module):
            return lambda *args, **options: module(value(*args, **options))
        if issubclass(value, _BolideOptimizer) and value is not _BolideOptimizer:
            return optimizer(value)
        return value
    return function(value) if callable(value) else value


_NAMES = Names(bolide, _wrap)


def __getattr__(name):
    if name.startswith("_"):
        raise AttributeError(f"module 'bolide.interop.torch' has no attribute '{name}'")
    return getattr(_NAMES, name)

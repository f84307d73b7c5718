"""bolide's functions in JAX programs on the CPU: under jit, vmap and grad.

    >>> import bolide.interop.jax as bj
    >>> jax.grad(lambda x: bj.nn.functional.gelu(x).sum())(x)

JAX compiles a call of each into its program (jax.pure_callback); when it runs, bolide computes on the memory of the
arguments, and the result is copied once, into JAX's memory. Any name of bolide's functions can be asked for, as in
bolide.interop.torch, and ``function`` takes your own. Gradients are bolide's, to any order, in reverse mode.

As far as JAX allows: a function must be pure (it gets read-only memory, and JAX may call it more or less often than
written) and the shapes of its results must follow from those of its arguments (it is called once on zeros to find
them). There is no forward mode (jvp, jacfwd), vmap calls it once per element, and dtypes of 64 bits become those of 32
unless jax_enable_x64 is on, as everywhere in JAX. On a GPU or TPU callbacks run on the host, which would copy both
ways: NotImplementedError. To hand an array over without JAX's graph, on any device: bolide.from_dlpack(x).
"""

import functools
import inspect

import jax
import numpy as np

import bolide
from bolide.interop._trees import Names, Place, call_like, map_tree, take

__all__ = ["function"]


def _to_bolide(array):
    """On the memory of an array, read-only."""
    return bolide.from_numpy(np.asarray(array)).detach()


def _to_numpy(tensor, dtype):
    return np.asarray(tensor.detach().cpu().contiguous().numpy()).astype(dtype, copy=False)


def _spec(tensor):
    dtype = jax.dtypes.canonicalize_dtype(str(tensor.dtype).removeprefix("bolide."))
    return jax.ShapeDtypeStruct(tuple(tensor.shape), dtype)


def _check_device():
    platform = jax.default_backend()
    if platform != "cpu":
        raise NotImplementedError(
            f"[bolide.interop.jax] expected JAX on the CPU, got {platform}: its callbacks run on the host. "
            "bolide.from_dlpack(array) shares the memory there."
        )


def _is_float(x):
    return jax.numpy.issubdtype(x.dtype, jax.numpy.inexact)


def _zeros(x):
    """A bolide tensor of the shape and dtype of what JAX traces."""
    return bolide.zeros(x.shape, dtype=getattr(bolide, str(x.dtype)))


def _callback(run, arguments):
    """run, a function of a list of tensors that gives a list, as a call in JAX's program."""
    _check_device()
    random = bolide.get_rng_state()
    with bolide.no_grad():
        specs = [_spec(y) for y in run([_zeros(x) for x in arguments])]
    if not bolide.equal(random, bolide.get_rng_state()):
        raise ValueError(
            "[bolide.interop.jax] expected a pure function, got one that draws random numbers: its gradient would "
            "draw others. Draw them outside, and hand them over."
        )

    def host(*arrays):
        with bolide.no_grad():
            results = run([_to_bolide(a) for a in arrays])
        return [_to_numpy(y, spec.dtype) for y, spec in zip(results, specs, strict=True)]

    return jax.pure_callback(host, specs, *arguments, vmap_method="sequential")


def _differentiable(run):
    """run as a JAX function of arrays, with a gradient that is such a function itself."""

    @jax.custom_vjp
    def call(*arguments):
        return _callback(run, arguments)

    def forward(*arguments):
        return call(*arguments), arguments

    def backward(arguments, cotangents):
        wanted = [i for i, x in enumerate(arguments) if _is_float(x)]
        reached = [i for i, g in enumerate(cotangents) if g.dtype != jax.dtypes.float0]
        found = _differentiable(functools.partial(_gradients, run, wanted, reached))(
            *arguments, *(cotangents[i] for i in reached)
        )
        grads = [np.zeros(x.shape, jax.dtypes.float0) for x in arguments]
        for i, g in zip(wanted, found, strict=True):
            grads[i] = g.astype(arguments[i].dtype)
        return tuple(grads)

    call.defvjp(forward, backward)
    return call


def _gradients(run, wanted, reached, tensors):
    """The gradients of the arguments in ``wanted``; tensors: the arguments and the results' gradients."""
    count = len(tensors) - len(reached)
    with bolide.enable_grad():
        leaves = [x if x.requires_grad else x.detach() for x in tensors[:count]]
        for i in wanted:
            leaves[i].requires_grad_()
        outputs = run(leaves)
        pairs = [
            (outputs[i], g.to(outputs[i].dtype))
            for i, g in zip(reached, tensors[count:], strict=True)
            if outputs[i].requires_grad
        ]
        found = [None] * len(wanted)
        if pairs:
            found = bolide.autograd.grad(
                [y for y, _ in pairs],
                [leaves[i] for i in wanted],
                [g for _, g in pairs],
                create_graph=True,
                allow_unused=True,
            )
    return [
        bolide.zeros_like(leaves[i]) if g is None else g for i, g in zip(wanted, found, strict=True)
    ]


def function(f):
    """A pure function of bolide tensors as one of JAX arrays, which jit, vmap and grad take.

    Arrays may stand anywhere in tuples, lists and dictionaries, in arguments and results; all else in the arguments is
    handed on as it is, and must not be traced.

    Raises:
        NotImplementedError: JAX runs on a device other than the CPU.
        TypeError: an array of a dtype that bolide does not have.

    Example:
        >>> swish = bj.function(lambda x: x * bolide.sigmoid(x))
        >>> jax.jit(jax.grad(lambda x: swish(x).sum()))(jax.numpy.ones(3))
    """

    def wrapped(*args, **keywords):
        arrays, tree = take(jax.Array, (args, keywords))
        for x in arrays:
            if not hasattr(bolide, str(x.dtype)):
                raise TypeError(
                    f"[{wrapped.__name__}] expected a dtype that bolide has, got {x.dtype}."
                )
        shape = None

        def run(tensors):
            nonlocal shape
            args, named = map_tree(Place, lambda place: tensors[place.number], tree)
            outputs, shape = take(bolide.Tensor, f(*args, **named))
            return outputs

        results = _differentiable(run)(*arrays)
        return map_tree(Place, lambda place: results[place.number], shape)

    return call_like(wrapped, f, "JAX arrays")


def _wrap(value):
    return function(value) if callable(value) and not inspect.isclass(value) else value


_NAMES = Names(bolide, _wrap)


def __getattr__(name):
    if name.startswith("_"):
        raise AttributeError(f"module 'bolide.interop.jax' has no attribute '{name}'")
    return getattr(_NAMES, name)

"""gradcheck and gradgradcheck: compare gradients, and gradients of gradients, with finite differences."""

from bolide import _C
from bolide.autograd import grad
from bolide.autograd.grad_mode import enable_grad, no_grad

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """A gradient that finite differences deny."""


def gradcheck(
    func, inputs, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True, nondet_tol=0.0
):
    """Does backward() of ``func`` agree with finite differences, for every input that requires grad?

    Args:
        func: a function of tensors that gives a tensor or a tuple of them.
        inputs: its arguments; those that are checked should be float64 or complex128, and away from kinks. The two
            parts of a complex number are checked as two real ones, of outputs too.
        eps: the step of the differences.
        atol, rtol: what may differ, absolutely and relative to the differences.
        raise_exception: raise, rather than return False.
        nondet_tol: what two backwards of the same may differ by.

    Raises:
        GradcheckError (a RuntimeError): a gradient that is wrong; the text has both values.
        ValueError: no input requires grad.

    Example:
        >>> x = bolide.randn(3, dtype=bolide.float64, requires_grad=True)
        >>> bolide.autograd.gradcheck(bolide.exp, (x,))
        True

    Reference: torch.autograd.gradcheck.
    """
    inputs = (inputs,) if isinstance(inputs, _C.Tensor) else tuple(inputs)
    checked = [x for x in inputs if isinstance(x, _C.Tensor) and x.requires_grad]
    if not checked:
        raise ValueError("[gradcheck] expected an input that requires grad, got none.")
    try:
        numeric = [_numeric_jacobian(func, inputs, x, eps) for x in checked]
        analytic = _analytic_jacobians(func, inputs, checked, nondet_tol)
        for at, (wanted, got) in enumerate(zip(numeric, analytic, strict=True)):
            _compare(at, wanted, got, atol, rtol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func,
    inputs,
    grad_outputs=None,
    *,
    eps=1e-6,
    atol=1e-5,
    rtol=1e-3,
    raise_exception=True,
    nondet_tol=0.0,
):
    """Do the gradients of the gradients of ``func`` agree with finite differences?

    They are taken by the inputs that require grad and by the gradients of the outputs.

    Args:
        func, inputs, eps, atol, rtol, raise_exception, nondet_tol: as in ``gradcheck``.
        grad_outputs: the gradients of the outputs; random ones unless given.

    Raises:
        GradcheckError (a RuntimeError): as ``gradcheck``.

    Example:
        >>> x = bolide.randn(3, dtype=bolide.float64, requires_grad=True)
        >>> bolide.autograd.gradgradcheck(bolide.exp, (x,))
        True

    Reference: torch.autograd.gradgradcheck.
    """
    inputs = (inputs,) if isinstance(inputs, _C.Tensor) else tuple(inputs)
    outputs = [y for y in _outputs(func, inputs) if y.requires_grad]
    if grad_outputs is None:
        given = [_C.rand_like(y.detach()).requires_grad_() for y in outputs]
    else:
        given = [grad_outputs] if isinstance(grad_outputs, _C.Tensor) else list(grad_outputs)
    if len(given) != len(outputs):
        raise ValueError(f"[gradgradcheck] expected {len(outputs)} grad_outputs, got {len(given)}.")

    def gradients(*arguments):
        values, weights = list(arguments[: len(inputs)]), arguments[len(inputs) :]
        # For a difference without grad mode the inputs are fresh: they say themselves that a gradient is wanted.
        with enable_grad():
            values = [
                x.detach().requires_grad_() if known.requires_grad and not x.requires_grad else x
                for x, known in zip(values, map(_known, inputs), strict=True)
            ]
            found = [y for y in _outputs(func, values) if y.requires_grad]
            return grad(
                found,
                [x for x in values if _known(x).requires_grad],
                list(weights),
                create_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )

    return gradcheck(
        gradients,
        (*inputs, *given),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
    )


class _Plain:
    requires_grad = False


def _known(x):
    """The tensor, or what stands for an argument that is none."""
    return x if isinstance(x, _C.Tensor) else _Plain


def _outputs(func, inputs):
    """The outputs that can have a gradient."""
    found = func(*inputs)
    found = (found,) if isinstance(found, _C.Tensor) else tuple(found)
    return [
        y for y in found if isinstance(y, _C.Tensor) and (y.is_floating_point() or y.is_complex())
    ]


def _parts(x):
    """The numbers of a tensor as real ones in a row; of a complex one that shares its memory, if it is contiguous."""
    return (_C.view_as_real(x) if x.is_complex() else x).reshape(-1)


def _flat(outputs):
    return [value for y in outputs for value in _parts(y.detach()).tolist()]


def _numeric_jacobian(func, inputs, x, eps):
    """Row i: how the numbers of all outputs change with number i of x."""
    rows = []
    for i in range(len(_parts(x.detach()))):
        values = []
        for step in (eps, -eps):
            with no_grad():
                moved = x.detach().clone().contiguous()
                _parts(moved)[i] += step
                values.append(_flat(_outputs(func, [moved if a is x else a for a in inputs])))
        rows.append([(high - low) / (2 * eps) for high, low in zip(*values, strict=True)])
    return rows


def _analytic_jacobians(func, inputs, checked, nondet_tol):
    """For each input the same rows, from backward()."""
    outputs = _outputs(func, inputs)
    columns: list[list] = [[] for _ in checked]
    for y in outputs:
        for place in range(len(_parts(y.detach()))):
            seed = _C.zeros(y.shape, dtype=y.dtype, device=y.device)
            _parts(seed)[place] = 1
            for column, g in zip(columns, _slopes(y, checked, seed, nondet_tol), strict=True):
                column.append(g)
    return [[list(row) for row in zip(*column, strict=True)] for column in columns]


def _slopes(y, checked, seed, nondet_tol):
    if not y.requires_grad:
        return [[0.0] * len(_parts(x.detach())) for x in checked]
    twice = []
    for _ in range(2):
        found = grad(y, checked, seed, retain_graph=True, allow_unused=True, materialize_grads=True)
        for x, g in zip(checked, found, strict=True):
            if g.shape != x.shape:
                raise GradcheckError(
                    f"[gradcheck] expected a gradient of shape {list(x.shape)}, got {list(g.shape)}."
                )
        twice.append([_flat([g]) for g in found])
    for first, second in zip(*twice, strict=True):
        for a, b in zip(first, second, strict=True):
            if not (abs(a - b) <= nondet_tol or (a != a and b != b)):
                raise GradcheckError(
                    f"[gradcheck] expected the same gradient from two backwards, got {a} and {b}."
                )
    return twice[0]


def _compare(at, wanted, got, atol, rtol):
    for i, (row, found) in enumerate(zip(wanted, got, strict=False)):
        for place, (numeric, analytic) in enumerate(zip(row, found, strict=True)):
            if not abs(analytic - numeric) <= atol + rtol * abs(numeric):
                raise GradcheckError(
                    f"[gradcheck] expected the gradient of output element {place} by element {i} of input {at} to be "
                    f"{numeric}, as finite differences say, got {analytic}."
                )

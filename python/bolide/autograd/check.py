"""gradcheck and gradgradcheck: compare gradients, and gradients of gradients, with finite differences."""

from bolide import _C
from bolide.autograd import grad
from bolide.autograd.grad_mode import enable_grad

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """A gradient that finite differences deny."""


def gradcheck(
    func,
    inputs,
    *,
    eps=1e-6,
    atol=1e-5,
    rtol=1e-3,
    raise_exception=True,
    nondet_tol=0.0,
    check_undefined_grad=True,
    check_grad_dtypes=False,
    check_batched_grad=False,
    check_batched_forward_grad=False,
    check_forward_ad=False,
    check_backward_ad=True,
    fast_mode=False,
    masked=None,
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
        check_undefined_grad: backward has to work where only one of several outputs has a gradient.
        check_grad_dtypes: gradients must have the dtypes of the inputs.
        check_batched_grad: gradients of a batch (is_grads_batched) must be those of its entries.
        check_forward_ad, check_batched_forward_grad: derivatives in forward mode; bolide has none.
        check_backward_ad: whether anything is checked.
        fast_mode: compare along one random direction instead of every element.
        masked: for sparse tensors; bolide has none.

    Raises:
        GradcheckError (a RuntimeError): a gradient that is wrong; the text has both values.
        ValueError: no input requires grad, or one that does has a dimension of stride 0.
        NotImplementedError: forward mode or masked.

    Example:
        >>> x = bolide.randn(3, dtype=bolide.float64, requires_grad=True)
        >>> bolide.autograd.gradcheck(bolide.exp, (x,))
        True

    Reference: torch.autograd.gradcheck.
    """
    refused = {
        "check_forward_ad": check_forward_ad,
        "check_batched_forward_grad": check_batched_forward_grad,
        "masked": masked,
    }
    for name, wanted in refused.items():
        if wanted:
            raise NotImplementedError(f"[gradcheck] expected {name}=False, got True.")
    if not check_backward_ad:
        return True
    inputs = (inputs,) if isinstance(inputs, _C.Tensor) else tuple(inputs)
    checked = [x for x in inputs if isinstance(x, _C.Tensor) and x.requires_grad]
    _check_inputs(inputs, checked)
    try:
        outputs = _outputs(func, inputs)
        if check_undefined_grad:
            _check_undefined(outputs, checked)
        if check_batched_grad:
            _check_batched(outputs, checked, atol, rtol)
        if fast_mode:
            _check_direction(func, inputs, checked, eps, atol, rtol, nondet_tol)
        else:
            numeric = [_numeric_jacobian(func, inputs, x, eps) for x in checked]
            analytic = _analytic_jacobians(outputs, checked, nondet_tol, check_grad_dtypes)
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
    gen_non_contig_grad_outputs=False,
    raise_exception=True,
    nondet_tol=0.0,
    check_undefined_grad=True,
    check_grad_dtypes=False,
    check_batched_grad=False,
    check_fwd_over_rev=False,
    check_rev_over_rev=True,
    fast_mode=False,
    masked=False,
):
    """Do the gradients of the gradients of ``func`` agree with finite differences?

    They are taken by the inputs that require grad and by the gradients of the outputs.

    Args:
        grad_outputs: the gradients of the outputs; random ones unless given.
        gen_non_contig_grad_outputs: make those random ones non-contiguous.
        check_fwd_over_rev: forward mode; bolide has none.
        check_rev_over_rev: whether anything is checked.
        the others: as in ``gradcheck``.

    Raises:
        GradcheckError (a RuntimeError): as ``gradcheck``.

    Example:
        >>> x = bolide.randn(3, dtype=bolide.float64, requires_grad=True)
        >>> bolide.autograd.gradgradcheck(bolide.exp, (x,))
        True

    Reference: torch.autograd.gradgradcheck.
    """
    if check_fwd_over_rev:
        raise NotImplementedError("[gradgradcheck] expected check_fwd_over_rev=False, got True.")
    if not check_rev_over_rev:
        return True
    inputs = (inputs,) if isinstance(inputs, _C.Tensor) else tuple(inputs)
    outputs = [y for y in _outputs(func, inputs) if y.requires_grad]
    if grad_outputs is None:
        given = [_random_gradient(y, gen_non_contig_grad_outputs) for y in outputs]
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
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        fast_mode=fast_mode,
        masked=masked,
    )


def _random_gradient(y, scattered):
    shape = (*y.shape, 2) if scattered else tuple(y.shape)
    g = _C.rand(shape, dtype=y.dtype, device=y.device)
    return (g[..., 0] if scattered else g).requires_grad_()


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
            moved = x.detach().clone().contiguous()
            _parts(moved)[i] += step
            moved.requires_grad_()  # the function may ask
            values.append(_flat(_outputs(func, [moved if a is x else a for a in inputs])))
        rows.append([(high - low) / (2 * eps) for high, low in zip(*values, strict=True)])
    return rows


def _analytic_jacobians(outputs, checked, nondet_tol, check_dtypes):
    """For each input the same rows, from backward()."""
    columns: list[list] = [[] for _ in checked]
    for at, y in enumerate(outputs):
        for place in range(len(_parts(y.detach()))):
            seeds = [_C.zeros_like(other.detach()).contiguous() for other in outputs]
            _parts(seeds[at])[place] = 1
            found = _slopes(outputs, checked, seeds, nondet_tol, check_dtypes)
            for column, g in zip(columns, found, strict=True):
                column.append(_flat([g]))
    return [[list(row) for row in zip(*column, strict=True)] for column in columns]


def _slopes(outputs, checked, seeds, nondet_tol, check_dtypes=False):
    """The gradients of ``checked``, after two backwards that have to agree."""
    reached = [(y, seed) for y, seed in zip(outputs, seeds, strict=True) if y.requires_grad]
    if not reached:
        return [_C.zeros_like(x.detach()) for x in checked]
    ys, gs = zip(*reached, strict=True)
    twice = [
        grad(ys, checked, gs, retain_graph=True, allow_unused=True, materialize_grads=True)
        for _ in range(2)
    ]
    for x, first, second in zip(checked, *twice, strict=True):
        if first.shape != x.shape or (check_dtypes and first.dtype != x.dtype):
            raise GradcheckError(
                f"[gradcheck] expected a gradient of shape {list(x.shape)} and {x.dtype}, got {list(first.shape)} "
                f"and {first.dtype}."
            )
        for a, b in zip(_flat([first]), _flat([second]), strict=True):
            if not (abs(a - b) <= nondet_tol or (a != a and b != b)):
                raise GradcheckError(
                    f"[gradcheck] expected the same gradient from two backwards, got {a} and {b}: backward is not "
                    "reentrant, or not deterministic."
                )
    return twice[0]


def _check_inputs(inputs, checked):
    if not checked:
        raise ValueError("[gradcheck] expected an input that requires grad, got none.")
    for at, x in enumerate(inputs):
        if not (isinstance(x, _C.Tensor) and x.requires_grad):
            continue
        if x.numel() and any(
            step == 0 and size > 1 for step, size in zip(x.stride(), x.shape, strict=True)
        ):
            raise ValueError(
                f"[gradcheck] expected inputs whose elements are all distinct, got input {at} with strides "
                f"{x.stride()}."
            )
        if x.dtype not in (_C.float64, _C.complex128):
            import warnings

            warnings.warn(
                f"[gradcheck] expected inputs of double precision, got {x.dtype} for input {at}: the differences will "
                "hardly be exact enough.",
                stacklevel=3,
            )


def _check_undefined(outputs, checked):
    """Of several outputs only one has a gradient: a custom Function may get None for the others."""
    wanted = [y for y in outputs if y.requires_grad]
    for at, y in enumerate(wanted if len(wanted) > 1 else ()):
        try:
            grad(y, checked, _C.ones_like(y.detach()), retain_graph=True, allow_unused=True)
        except Exception as error:
            raise GradcheckError(
                f"[gradcheck] expected backward to handle undefined output grads, got {error!r} with a gradient for "
                f"output {at} only."
            ) from error


def _check_batched(outputs, checked, atol, rtol):
    """The gradients of two entries at once are those of each."""
    for y in outputs:
        if not y.requires_grad:
            continue
        seeds = _C.stack(_directions([y, y]))
        options = {"retain_graph": True, "allow_unused": True}
        together = grad(y, checked, seeds, is_grads_batched=True, **options)
        for i in range(2):
            alone = grad(y, checked, seeds[i], **options)
            for at, (a, b) in enumerate(zip(together, alone, strict=True)):
                if b is not None:
                    _compare(at, [_flat([b])], [_flat([a[i]])], atol, rtol)


def _directions(tensors, seed=0):
    """Random, and the same in every check: what it finds is no matter of luck."""
    own = {t.device: _C.Generator(t.device).manual_seed(seed) for t in tensors}
    return [
        _C.rand(tuple(t.shape), dtype=t.dtype, device=t.device, generator=own[t.device])
        for t in tensors
    ]


def _check_direction(func, inputs, checked, eps, atol, rtol, nondet_tol):
    """Fast mode: one random direction among the inputs against one among the outputs."""
    outputs = _outputs(func, inputs)
    seeds = _directions(outputs)
    slopes = _slopes(outputs, checked, seeds, nondet_tol)
    for at, (x, g, direction) in enumerate(
        zip(checked, slopes, _directions(checked, seed=1), strict=True)
    ):
        ends = []
        for step in (eps, -eps):
            moved = (x.detach() + step * direction).requires_grad_()
            found = _outputs(func, [moved if a is x else a for a in inputs])
            ends.append([y.detach() for y in found])
        numeric = sum(
            ((high - low) * seed).sum().item() / (2 * eps)
            for high, low, seed in zip(*ends, seeds, strict=True)
        )
        _compare(at, [[numeric]], [[(g.detach() * direction).sum().item()]], atol, rtol)


def _compare(at, wanted, got, atol, rtol):
    for i, (row, found) in enumerate(zip(wanted, got, strict=False)):
        for place, (numeric, analytic) in enumerate(zip(row, found, strict=True)):
            if not abs(analytic - numeric) <= atol + rtol * abs(numeric):
                raise GradcheckError(
                    f"[gradcheck] expected the gradient of output element {place} by element {i} of input {at} to be "
                    f"{numeric}, as finite differences say, got {analytic}: Jacobian mismatch with respect to input "
                    f"{at}."
                )

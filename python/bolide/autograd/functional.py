"""Derivatives of functions: jacobian and hessian, and their products with vectors, as compositions of grad().

``func`` takes tensors and returns a tensor or a tuple of them; ``inputs`` is a tensor or a tuple. With ``create_graph``
results can be differentiated again; with ``strict`` an output that does not depend on an input is an error, otherwise
its derivative is zero.
"""

from bolide import _C
from bolide.autograd import grad
from bolide.autograd.grad_mode import enable_grad

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


# ---- arguments and results ----------------------------------------------------------------------------------------


def _as_tuple(values, what, op):
    alone = isinstance(values, _C.Tensor)
    values = (values,) if alone else tuple(values)
    for i, value in enumerate(values):
        if not isinstance(value, _C.Tensor):
            raise TypeError(
                f"[{op}] expected Tensors as {what}, got {type(value).__name__} as number {i}."
            )
    return alone, values


def _fresh(inputs, create_graph):
    """Tensors of the same values to differentiate by; with create_graph they keep their history."""
    return tuple(
        x.view_as(x) if create_graph and x.requires_grad else x.detach().requires_grad_()
        for x in inputs
    )


def _vectors(v, like, op):
    """``v`` as a tuple with the shapes of ``like``; ones for None where there is one element."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(
                f"[{op}] expected v for more than one element, got None: it is for scalars only."
            )
        return (_C.ones_like(like[0]),)
    _, v = _as_tuple(v, "v", op)
    if len(v) != len(like):
        raise RuntimeError(f"[{op}] expected {len(like)} tensors as v, got {len(v)}.")
    for i, (a, b) in enumerate(zip(v, like, strict=True)):
        if a.shape != b.shape:
            raise RuntimeError(
                f"[{op}] expected v[{i}] of shape {list(b.shape)}, got {list(a.shape)}."
            )
    return v


def _call(func, inputs, op, strict):
    alone, outputs = _as_tuple(func(*inputs), "outputs of func", op)
    if strict:
        for i, y in enumerate(outputs):
            if not y.requires_grad:
                raise RuntimeError(
                    f"[{op}] expected outputs that depend on the inputs (strict=True), got output {i}, which does not."
                )
    return alone, outputs


def _gradients(outputs, inputs, vectors, op, strict, create_graph):
    """grad() with zeros, or with strict an error, where nothing depends on an input."""
    reached = [(y, v) for y, v in zip(outputs, vectors, strict=True) if y.requires_grad]
    found = (None,) * len(inputs)
    if reached:
        ys, vs = zip(*reached, strict=True)
        found = grad(
            ys, inputs, vs, create_graph=create_graph, retain_graph=True, allow_unused=True
        )
    for i, g in enumerate(found):
        if strict and (g is None or (create_graph and not g.requires_grad)):
            what = "the outputs do not depend on it" if g is None else "the derivative is constant"
            raise RuntimeError(
                f"[{op}] expected a dependence on input {i} (strict=True), got none: {what}."
            )
    return tuple(_C.zeros_like(x) if g is None else g for x, g in zip(inputs, found, strict=True))


def _done(values, alone, create_graph):
    values = values if create_graph else tuple(x.detach() for x in values)
    return values[0] if alone else values


def _scalar(outputs, op):
    if len(outputs) != 1 or outputs[0].numel() != 1:
        raise RuntimeError(
            f"[{op}] expected one output of one element, got {[list(y.shape) for y in outputs]}."
        )


# ---- products -----------------------------------------------------------------------------------------------------


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """The outputs of ``func`` and the product of the vector ``v`` (like the outputs) with its Jacobian (like the inputs).

    Example:
        >>> outputs, product = vjp(lambda x: x.exp(), x, bolide.ones(3))

    Reference: torch.autograd.functional.vjp.
    """
    alone, inputs = _as_tuple(inputs, "inputs", "vjp")
    with enable_grad():
        inputs = _fresh(inputs, create_graph)
        one, outputs = _call(func, inputs, "vjp", strict)
        found = _gradients(
            outputs, inputs, _vectors(v, outputs, "vjp"), "vjp", strict, create_graph
        )
    return _done(outputs, one, create_graph), _done(found, alone, create_graph)


def _forward(outputs, inputs, v, op, strict, create_graph):
    """The Jacobian times ``v``: the gradient's gradient by the vector that the gradient is linear in."""
    dummies = tuple(_C.zeros_like(y).requires_grad_() for y in outputs)
    back = _gradients(outputs, inputs, dummies, op, strict, True)
    return _gradients(back, dummies, v, op, False, create_graph)


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """The outputs of ``func`` and the product of its Jacobian with the vector ``v`` (like the inputs), as two backwards.

    Reference: torch.autograd.functional.jvp.
    """
    _, inputs = _as_tuple(inputs, "inputs", "jvp")
    v = _vectors(v, inputs, "jvp")
    with enable_grad():
        inputs = _fresh(inputs, create_graph)
        one, outputs = _call(func, inputs, "jvp", strict)
        found = _forward(outputs, inputs, v, "jvp", strict, create_graph)
    return _done(outputs, one, create_graph), _done(found, one, create_graph)


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """The output of a scalar ``func`` and the product of ``v`` with its Hessian, both like the inputs.

    Reference: torch.autograd.functional.vhp.
    """
    alone, inputs = _as_tuple(inputs, "inputs", "vhp")
    v = _vectors(v, inputs, "vhp")
    with enable_grad():
        inputs = _fresh(inputs, create_graph)
        one, outputs = _call(func, inputs, "vhp", strict)
        _scalar(outputs, "vhp")
        slopes = _gradients(outputs, inputs, [_C.ones_like(outputs[0])], "vhp", strict, True)
        found = _gradients(slopes, inputs, v, "vhp", strict, create_graph)
    return _done(outputs, one, create_graph), _done(found, alone, create_graph)


def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """The output of a scalar ``func`` and the product of its Hessian with ``v``; ``vhp`` is quicker and the same.

    Reference: torch.autograd.functional.hvp.
    """
    alone, inputs = _as_tuple(inputs, "inputs", "hvp")
    v = _vectors(v, inputs, "hvp")
    with enable_grad():
        inputs = _fresh(inputs, create_graph)
        one, outputs = _call(func, inputs, "hvp", strict)
        _scalar(outputs, "hvp")
        slopes = _gradients(outputs, inputs, [_C.ones_like(outputs[0])], "hvp", strict, True)
        found = _forward(slopes, inputs, v, "hvp", strict, create_graph)
    return _done(outputs, one, create_graph), _done(found, alone, create_graph)


# ---- matrices -----------------------------------------------------------------------------------------------------


def _check_options(op, vectorize, strategy):
    if strategy not in ("reverse-mode", "forward-mode"):
        raise ValueError(f"[{op}] expected strategy 'reverse-mode', got {strategy!r}.")
    if strategy == "forward-mode":
        raise NotImplementedError(f"[{op}] expected strategy 'reverse-mode', got 'forward-mode'.")


def jacobian(
    func, inputs, create_graph=False, strict=False, vectorize=False, strategy="reverse-mode"
):
    """The derivatives of all outputs of ``func`` by all inputs.

    Args:
        vectorize: accepted; one backward is run for each element of the outputs.

    Returns:
        For one output and one input a tensor of shape ``output.shape + input.shape``; tuples of them, over the outputs
        and then the inputs, where there are several.

    Raises:
        RuntimeError: with strict, an output that does not depend on an input.
        NotImplementedError: strategy "forward-mode".

    Example:
        >>> jacobian(lambda x: x * x, bolide.tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 4.]])

    Reference: torch.autograd.functional.jacobian.
    """
    _check_options("jacobian", vectorize, strategy)
    alone, inputs = _as_tuple(inputs, "inputs", "jacobian")
    with enable_grad():
        inputs = _fresh(inputs, create_graph)
        one, outputs = _call(func, inputs, "jacobian", strict)
        rows = []
        for y in outputs:
            columns: list[list] = [[] for _ in inputs]
            flat = y.reshape(-1)
            for k in range(flat.numel()):
                found = _gradients(
                    [flat[k]], inputs, [_C.ones_like(flat[k])], "jacobian", strict, create_graph
                )
                for column, g in zip(columns, found, strict=True):
                    column.append(g)
            rows.append(
                tuple(
                    (_C.stack(column) if column else _C.zeros(0, dtype=y.dtype)).reshape(
                        (*y.shape, *x.shape)
                    )
                    for column, x in zip(columns, inputs, strict=True)
                )
            )
    results = tuple(_done(row, alone, create_graph) for row in rows)
    return results[0] if one else results


def hessian(
    func,
    inputs,
    create_graph=False,
    strict=False,
    vectorize=False,
    outer_jacobian_strategy="reverse-mode",
):
    """The second derivatives of a scalar ``func``: the Jacobian of its gradient.

    Returns:
        For one input a tensor of shape ``input.shape + input.shape``, else tuples of tuples.

    Raises:
        RuntimeError: ``func`` gives more than one element.

    Example:
        >>> hessian(lambda x: (x**3).sum(), bolide.tensor([1.0, 2.0]))
        tensor([[ 6.,  0.],
                [ 0., 12.]])

    Reference: torch.autograd.functional.hessian.
    """
    _check_options("hessian", vectorize, outer_jacobian_strategy)
    alone, _ = _as_tuple(inputs, "inputs", "hessian")

    def slopes(*values):
        _, outputs = _call(func, values, "hessian", strict)
        _scalar(outputs, "hessian")
        found = _gradients(outputs, values, [_C.ones_like(outputs[0])], "hessian", strict, True)
        return found[0] if alone else found

    return jacobian(slopes, inputs, create_graph=create_graph, strict=strict)

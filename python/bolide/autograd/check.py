"""gradcheck: compares gradients with finite differences."""

from bolide import _C
from bolide.autograd import grad
from bolide.autograd.grad_mode import no_grad


def gradcheck(func, inputs, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True):
    """Does backward() of ``func`` agree with finite differences, for every input that requires grad?

    Args:
        func: a function of tensors that gives a tensor or a tuple of them.
        inputs: its arguments; those that are checked should be float64.
        eps: the step of the differences.
        atol, rtol: what may differ.
        raise_exception: raise, rather than return False.

    Raises:
        RuntimeError: a gradient that is wrong; the text has both values.

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
    for number, output in enumerate(_outputs(func, inputs)):
        for place in range(output.numel()):
            analytic = grad(
                _outputs(func, inputs)[number].reshape(-1)[place], checked, allow_unused=True, materialize_grads=True
            )
            for at, (x, slope) in enumerate(zip(checked, analytic, strict=True)):
                wrong = _compare(func, inputs, x, slope, number, place, eps, atol, rtol)
                if wrong is None:
                    continue
                if not raise_exception:
                    return False
                raise RuntimeError(
                    f"[gradcheck] expected the gradient of output {number}[{place}] by input {at}[{wrong[0]}] to be "
                    f"{wrong[1]}, as finite differences say, got {wrong[2]}."
                )
    return True


def _outputs(func, inputs):
    found = func(*inputs)
    found = (found,) if isinstance(found, _C.Tensor) else tuple(found)
    return [y for y in found if isinstance(y, _C.Tensor) and y.requires_grad]


def _compare(func, inputs, x, slope, number, place, eps, atol, rtol):
    flat_slope = slope.detach().reshape(-1).tolist()
    for i, got in enumerate(flat_slope):
        wanted = (_value(func, inputs, x, i, eps, number, place) - _value(func, inputs, x, i, -eps, number, place)) / (
            2 * eps
        )
        if not abs(got - wanted) <= atol + rtol * abs(wanted):
            return i, wanted, got
    return None


def _value(func, inputs, x, i, step, number, place):
    """One element of an output with element i of x moved by a step."""
    with no_grad():
        moved = x.detach().clone()
        moved.view(-1)[i] += step
        arguments = [moved if argument is x else argument for argument in inputs]
        found = func(*arguments)
        found = [found] if isinstance(found, _C.Tensor) else [y for y in found if isinstance(y, _C.Tensor)]
        return found[number].reshape(-1)[place].item()

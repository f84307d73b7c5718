"""bolide._foreach_*: each is the op on every tensor; and the switches of bolide._settings."""

import bolide
import bolide._foreach as foreach
import pytest
from conftest import DEVICE


def tensors(*shapes, offset=0.5):
    return [bolide.arange(float(bolide.ones(s).numel()), device=DEVICE).reshape(s) * 0.07 + offset for s in shapes]  # fmt: skip


SHAPES = ((2, 3), (4,), ())


@pytest.mark.parametrize("op", foreach._UNARY)
def test_of_one_list(op):
    x = tensors(*SHAPES, offset=0.1)
    wanted = [getattr(bolide, op)(t).tolist() for t in x]
    assert [t.tolist() for t in getattr(bolide, f"_foreach_{op}")(x)] == wanted
    assert getattr(bolide, f"_foreach_{op}_")(x) is None
    assert [t.tolist() for t in x] == wanted


@pytest.mark.parametrize("op", [*foreach._BINARY, *foreach._PURE])
@pytest.mark.parametrize("kind", ["number", "list", "numbers"])
def test_of_two_lists(op, kind):
    x, y = tensors(*SHAPES), tensors(*SHAPES, offset=0.8)
    others = {"number": 1.5, "list": y, "numbers": [0.5, 1.0, 2.0]}[kind]
    each = others if isinstance(others, list) else [others] * 3
    function = getattr(bolide, op)
    wanted = []
    for t, other in zip(x, each, strict=True):
        number = op in foreach._PURE and not isinstance(other, bolide.Tensor)
        wanted.append(function(t, bolide.full_like(t, other) if number else other).tolist())
    assert [t.tolist() for t in getattr(bolide, f"_foreach_{op}")(x, others)] == wanted
    getattr(bolide, f"_foreach_{op}_")(x, others)
    assert [t.tolist() for t in x] == wanted


def test_scaled_by_alpha_and_value():
    x, y, z = tensors(*SHAPES), tensors(*SHAPES, offset=0.8), tensors(*SHAPES, offset=2.0)
    assert [t.tolist() for t in bolide._foreach_add(x, y, alpha=2)] == [
        bolide.add(a, b, alpha=2).tolist() for a, b in zip(x, y, strict=True)
    ]
    for op in ("addcmul", "addcdiv"):
        function = getattr(bolide, op)
        for value in (0.5, [1.0, 2.0, 3.0], bolide.tensor([1.0, 2.0, 3.0])):
            each = [value] * 3 if isinstance(value, float) else [float(v) for v in value]
            wanted = [function(*t, value=v).tolist() for *t, v in zip(x, y, z, each, strict=True)]
            found = getattr(bolide, f"_foreach_{op}")(x, y, z, value)
            assert [t.tolist() for t in found] == wanted
        changed = [t.clone() for t in x]
        getattr(bolide, f"_foreach_{op}_")(changed, y, z, value=2.0)
        assert changed[1].tolist() == function(x[1], y[1], z[1], value=2.0).tolist()
    halfway = bolide._foreach_lerp(x, y, 0.5)
    assert halfway[0].tolist() == bolide.lerp(x[0], y[0], 0.5).tolist()


def test_copies_norms_largest():
    x, y = tensors(*SHAPES), tensors(*SHAPES, offset=3.0)
    assert [t.tolist() for t in bolide._foreach_max(x)] == [t.max().tolist() for t in x]
    for order in (1, 2, float("inf")):
        found = bolide._foreach_norm(x, order)
        assert [t.tolist() for t in found] == [
            bolide.linalg.vector_norm(t, order).tolist() for t in x
        ]
    bolide._foreach_copy_(x, y)
    assert x[0].tolist() == y[0].tolist() and x[0].data_ptr() != y[0].data_ptr()
    bolide._foreach_zero_(x)
    assert all(not t.any() for t in x)


def test_wrong_lists():
    with pytest.raises(RuntimeError, match="empty"):
        bolide._foreach_add([], 1)
    with pytest.raises(RuntimeError, match="lists of 2 tensors, got one of 1"):
        bolide._foreach_add(tensors((2,), (3,)), tensors((2,)))
    with pytest.raises(AttributeError, match="_foreach_nothing"):
        _ = bolide._foreach_nothing
    assert set(foreach.NAMES) == {name for name in vars(foreach) if name.startswith("_foreach_")}


# ---- settings ------------------------------------------------------------------------------------


def test_switches_are_remembered():
    assert not bolide.are_deterministic_algorithms_enabled()
    try:
        bolide.use_deterministic_algorithms(True, warn_only=True)
        assert bolide.are_deterministic_algorithms_enabled()
        assert bolide.is_deterministic_algorithms_warn_only_enabled()
        assert bolide.get_deterministic_debug_mode() == 1
        bolide.set_deterministic_debug_mode("error")
        assert bolide.get_deterministic_debug_mode() == 2
        assert not bolide.is_deterministic_algorithms_warn_only_enabled()
        with pytest.raises(RuntimeError, match="expected"):
            bolide.set_deterministic_debug_mode("loud")
    finally:
        bolide.use_deterministic_algorithms(False)
    assert bolide.get_float32_matmul_precision() == "highest"
    try:
        bolide.set_float32_matmul_precision("high")
        assert bolide.get_float32_matmul_precision() == "high"
        with pytest.raises(RuntimeError, match="'low'"):
            bolide.set_float32_matmul_precision("low")
    finally:
        bolide.set_float32_matmul_precision("highest")
    assert bolide.is_autocast_enabled() is False


def test_the_default_device_is_the_cpu():
    assert bolide.get_default_device() == bolide.device("cpu")
    bolide.set_default_device("cpu")
    bolide.set_default_device(None)
    with pytest.raises(NotImplementedError, match="cuda"):
        bolide.set_default_device("cuda")


def test_empty_permuted():
    x = bolide.empty_permuted((2, 3, 5), (0, 2, 1), dtype=bolide.int64)
    assert x.shape == (2, 3, 5) and x.stride() == (15, 1, 3) and x.dtype == bolide.int64
    assert bolide.empty_permuted((), ()).shape == ()
    with pytest.raises(RuntimeError, match="an order of 2 dimensions"):
        bolide.empty_permuted((2, 3), (0, 0))


def test_from_file(tmp_path):
    path = tmp_path / "numbers"
    path.write_bytes(bolide.arange(4.0).numpy().tobytes())
    own = bolide.from_file(str(path), size=3)
    own += 1
    assert own.tolist() == [1.0, 2.0, 3.0]
    shared = bolide.from_file(str(path), shared=True, size=6)
    assert shared.tolist() == [0.0, 1.0, 2.0, 3.0, 0.0, 0.0]
    shared[5] = 7.0
    assert bolide.from_file(str(path), size=6).tolist()[5] == 7.0
    assert bolide.from_file(str(path)).numel() == 0
    with pytest.raises(RuntimeError, match="at least 400 bytes, got 24"):
        bolide.from_file(str(path), size=100)

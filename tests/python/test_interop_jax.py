"""bolide's functions in JAX programs."""

import bolide
import pytest

jax = pytest.importorskip("jax")
np = pytest.importorskip("numpy")

import bolide.interop.jax as bj  # noqa: E402

jnp = jax.numpy
CASES = {
    "tanh": (lambda x: bj.tanh(x), jnp.tanh),
    "gelu": (lambda x: bj.nn.functional.gelu(x), lambda x: jax.nn.gelu(x, approximate=False)),
    "softmax": (lambda x: bj.softmax(x, dim=-1), jax.nn.softmax),
    "matmul": (lambda x: bj.matmul(x, x.T), lambda x: x @ x.T),
}


@pytest.fixture(autouse=True, scope="module")
def with_64_bits():
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def inputs():
    return jnp.asarray(np.random.default_rng(0).standard_normal((3, 4)))


def close(a, b):
    return a.dtype == b.dtype and bool(jnp.allclose(a, b, rtol=1e-9, atol=1e-9))


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_jaxs(name):
    ours, theirs = CASES[name]
    x = inputs()
    assert close(ours(x), theirs(x)) and close(jax.jit(ours)(x), theirs(x))
    weight = jnp.arange(theirs(x).size, dtype=x.dtype).reshape(theirs(x).shape)
    gradients = [jax.grad(lambda x, f=f: (f(x) * weight).sum()) for f in (ours, theirs)]
    assert close(gradients[0](x), gradients[1](x))
    assert close(jax.jit(gradients[0])(x), gradients[1](x))
    second = [jax.grad(lambda x, g=g: (g(x) ** 2).sum()) for g in gradients]
    assert close(second[0](x), second[1](x))


def test_vmap_and_several_arguments():
    f = bj.function(lambda a, b: {"product": a * b, "largest": (a.argmax(), 3)})
    a, b = inputs(), inputs() + 1
    found = jax.vmap(lambda a, b: f(a, b)["product"])(a, b)
    assert close(found, a * b)
    assert f(a, b)["largest"][0] == a.argmax() and f(a, b)["largest"][1] == 3
    grads = jax.grad(lambda a, b: f(a, b)["product"].sum(), argnums=(0, 1))(a, b)
    assert close(grads[0], b) and close(grads[1], a)


def test_integers_have_no_gradient():
    index = jnp.asarray([2, 0])
    f = bj.function(lambda x, i: x[:, i])
    x = inputs()
    assert close(f(x, index), x[:, index])
    grad = jax.grad(lambda x: (f(x, index) * 2).sum())(x)
    assert grad.tolist() == [[2.0, 0.0, 2.0, 0.0]] * 3
    assert (jax.grad(lambda x: bj.zeros_like(x).sum())(x) == 0).all()


def test_dtypes_without_64_bits():
    x = jnp.ones(3, jnp.float32)
    with jax.enable_x64(False):
        assert (
            bj.argmax(x).dtype == jnp.int32
            and bj.function(lambda x: x.double())(x).dtype == x.dtype
        )
    assert bj.argmax(x).dtype == jnp.int64
    assert bj.exp(jnp.ones(2, jnp.bfloat16)).dtype == jnp.bfloat16


def test_what_jax_does_not_allow():
    x = jnp.ones(3)
    with pytest.raises(ValueError, match="random"):
        bj.nn.functional.dropout(x, 0.5)
    with pytest.raises(TypeError, match="uint16"):
        bj.exp(jnp.ones(2, jnp.uint16))
    with pytest.raises(Exception, match="read-only"):
        bj.function(lambda x: x.add_(1))(x).block_until_ready()
    with pytest.raises(TypeError, match=r"custom_vjp|jvp"):
        jax.jvp(bj.exp, (x,), (x,))
    assert x.tolist() == [1.0] * 3


def test_other_devices_are_refused(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    with pytest.raises(NotImplementedError, match="from_dlpack"):
        bj.exp(jnp.ones(3))


def test_names():
    assert bj.float32 is bolide.float32 and "tanh" in dir(bj.nn.functional)
    with pytest.raises(AttributeError):
        bj.no_such_op  # noqa: B018

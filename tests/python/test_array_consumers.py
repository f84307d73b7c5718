"""Array-agnostic code of other libraries on bolide's tensors, by __array_namespace__: SciPy, scikit-learn, einops.

Each case is a real call: the answer is a tensor (or tensors), and as the same call on NumPy arrays gives it. A library that
is not installed skips its cases.
"""

import os

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # SciPy reads it once, when it is first imported

import bolide
import numpy as np
import pytest

RANDOM = np.random.default_rng(3)
A = RANDOM.normal(size=(4, 6)) + 2
POINTS = np.concatenate([RANDOM.normal(size=(40, 5)), RANDOM.normal(size=(40, 5)) + 3])
LABELS = np.repeat([0, 1], 40)
TARGETS = POINTS @ np.arange(5.0) + RANDOM.normal(size=80)


def tensors(tree):
    """The same arguments, with a tensor for each array."""
    if isinstance(tree, np.ndarray):
        return bolide.asarray(tree)
    return type(tree)(map(tensors, tree)) if isinstance(tree, (list, tuple)) else tree


def check(answer, expected):
    if isinstance(expected, (tuple, list)):
        assert len(answer) == len(expected)
        for one, other in zip(answer, expected, strict=True):
            check(one, other)
        return
    assert isinstance(answer, bolide.Tensor) or type(answer) is type(expected), type(answer)
    if isinstance(answer, bolide.Tensor):
        assert answer.shape == np.shape(expected)
        answer, expected = answer.numpy(), np.asarray(expected)
        assert answer.dtype.kind == expected.dtype.kind
    np.testing.assert_allclose(answer, expected, rtol=1e-6, atol=1e-9)


# ---- SciPy ------------------------------------------------------------------------------------------------------

SCIPY = {
    "special.logsumexp": (A, 1),
    "special.softmax": (A,),
    "special.gammaln": (A**2,),
    "special.betainc": (A**2, A**2, A * 0 + 0.3),
    "stats.zscore": (A,),
    "stats.gmean": (A**2,),
    "stats.ttest_ind": (A, A**2),
    "stats.pearsonr": (A[0], A[1]),
    "stats.jarque_bera": (A,),
    "fft.rfft": (A,),
    "fft.fftn": (A,),
    "fft.dct": (A,),
    "signal.hilbert": (A,),
    "signal.fftconvolve": (A, A[:2, :3]),
    "integrate.cumulative_trapezoid": (A,),
    "ndimage.gaussian_filter": (A, 1.5),
    "cluster.vq.kmeans2": (POINTS, POINTS[[0, 70]]),
    "cluster.hierarchy.linkage": (POINTS[:9],),
    "optimize.rosen": (A,),
}


@pytest.mark.parametrize("name", SCIPY)
def test_scipy(name):
    scipy = pytest.importorskip("scipy")
    module, function = f"scipy.{name}".rsplit(".", 1)
    call = getattr(pytest.importorskip(module), function)
    assert scipy.__version__
    check(call(*tensors(SCIPY[name])), call(*SCIPY[name]))


def test_scipy_calls_our_functions():
    derivative = pytest.importorskip("scipy.differentiate").derivative
    x = bolide.linspace(0, 1, 5, dtype=bolide.float64)
    found = derivative(bolide.exp, x)
    assert isinstance(found.df, bolide.Tensor) and found.success.all()
    assert bolide.allclose(found.df, x.exp(), rtol=1e-8)


def test_scipy_without_a_namespace_copies():
    """What SciPy has compiled code for gives NumPy arrays, of the right values."""
    linalg = pytest.importorskip("scipy.linalg")
    a = bolide.tensor([[4.0, 1.0], [1.0, 3.0]], dtype=bolide.float64)
    b = bolide.tensor([1.0, 2.0], dtype=bolide.float64)
    solved = bolide.asarray(linalg.solve(a, b))
    assert bolide.allclose(a @ solved, b)


# ---- scikit-learn -----------------------------------------------------------------------------------------------

MODELS = {
    "preprocessing.StandardScaler": ({}, LABELS),
    "preprocessing.PolynomialFeatures": ({}, LABELS),
    "decomposition.PCA": ({"n_components": 2, "svd_solver": "full"}, LABELS),
    "linear_model.Ridge": ({"solver": "svd"}, TARGETS),
    "discriminant_analysis.LinearDiscriminantAnalysis": ({}, LABELS),
    "naive_bayes.GaussianNB": ({}, LABELS),
}
METRICS = {
    "r2_score": (TARGETS, TARGETS + 0.1),
    "mean_absolute_error": (TARGETS, TARGETS**2),
    "confusion_matrix": (LABELS, np.arange(80) % 2),
    "roc_auc_score": (LABELS, TARGETS),
    "pairwise.euclidean_distances": (POINTS, POINTS[:3] + 1),
    "pairwise.rbf_kernel": (POINTS, POINTS[:3]),
}


@pytest.fixture
def dispatching():
    sklearn = pytest.importorskip("sklearn")
    with sklearn.config_context(array_api_dispatch=True):
        yield


@pytest.mark.parametrize("name", MODELS)
def test_models_of_scikit_learn(name, dispatching):
    module, kind = f"sklearn.{name}".rsplit(".", 1)
    kind = getattr(pytest.importorskip(module), kind)
    options, y = MODELS[name]

    def answer(x, y):
        model = kind(**options).fit(x, y)
        return model.predict(x) if hasattr(model, "predict") else model.transform(x)

    check(answer(bolide.asarray(POINTS), bolide.asarray(y)), answer(POINTS, y))


@pytest.mark.parametrize("name", METRICS)
def test_metrics_of_scikit_learn(name, dispatching):
    module, function = f"sklearn.metrics.{name}".rsplit(".", 1)
    call = getattr(pytest.importorskip(module), function)
    check(call(*tensors(METRICS[name])), call(*METRICS[name]))


def test_a_model_of_scikit_learn_without_a_namespace():
    linear = pytest.importorskip("sklearn.linear_model")
    x = bolide.asarray(POINTS)
    y = x @ bolide.tensor([2.0, -1.0, 0.5, 0.0, 1.0], dtype=bolide.float64) + 3
    model = linear.LinearRegression().fit(x, y)
    assert abs(model.coef_ - [2.0, -1.0, 0.5, 0.0, 1.0]).max() < 1e-8
    assert bolide.allclose(bolide.asarray(model.predict(x)), y)


# ---- einops -----------------------------------------------------------------------------------------------------


def test_einops():
    """einops.array_api: the functions of einops itself know the frameworks that it has a backend for, by name."""
    einops = pytest.importorskip("einops.array_api")
    array = RANDOM.normal(size=(2, 6, 4))
    x = bolide.asarray(array)
    for call in (
        lambda e, t: e.rearrange(t, "b (h k) w -> w (b k) h", k=2),
        lambda e, t: e.reduce(t, "b (h k) w -> b h", "max", k=3),
        lambda e, t: e.reduce(t, "b h w -> b 1 w", "mean"),
        lambda e, t: e.repeat(t, "b h w -> b h c w", c=3),
        lambda e, t: e.pack([t, t[:, :, 0]], "b h *")[0],
        lambda e, t: e.unpack(t, [(3,), ()], "b h *"),
    ):
        check(call(einops, x), call(einops, array))
    view = einops.rearrange(x, "b h w -> w b h")
    assert view.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
    assert einops.asnumpy(x).ctypes.data == x.data_ptr()


def test_einops_is_differentiated():
    einops = pytest.importorskip("einops.array_api")
    x = bolide.ones(2, 6, requires_grad=True)
    (einops.reduce(x, "a (b c) -> a b", "sum", c=3) * bolide.tensor([1.0, 2.0])).sum().backward()
    assert x.grad.tolist() == [[1.0] * 3 + [2.0] * 3] * 2

"""Every op of op_rows.py: values, dtypes, shapes, derivatives, in-place forms, refusals; and that no op lacks a row.

Runs on the device that BOLIDE_TEST_DEVICE names, and on the CPU once more in a child process for each set of
instructions that the machine has (BOLIDE_CPU_ISA is read once per process).
"""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import bolide
import harness
import harness_checks
import harness_gradients
import numpy as np
import op_rows
import pytest
import support_table
from conftest import DEVICE
from harness import COMPLEX, COUNTS, EVERY, FLOATS, INTEGERS, SETS, Library

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = Library(bolide, DEVICE)
ROWS = op_rows.ALL

# Rows that this device does not run, each with its reason. An entry whose row runs fails.
EXCEPTIONS = support_table.MISSING.get(DEVICE, {})
DISAGREEMENTS = {}


def summary_lines():
    return [f"exception on {DEVICE}: {name} ({reason})" for name, reason in EXCEPTIONS.items()]


def each(rows, wanted=lambda row: True):
    return pytest.mark.parametrize(
        "row", [r for r in rows if wanted(r)], ids=lambda row: row.name.replace(" ", "_")
    )


def run(check, row, **options):
    if row.name not in EXCEPTIONS:
        check(row, LIBRARY, **options)
        return
    with pytest.raises(NotImplementedError):
        check(row, LIBRARY, counts=harness.Counts(), **options)


@each(ROWS)
def test_values(row):
    run(harness_checks.check_values, row)


@each(ROWS, lambda row: row.extremes)
def test_extremes(row):
    run(harness_checks.check_extremes, row, disagreements=DISAGREEMENTS)
    if row.ignore is not None and DEVICE == "cpu":
        assert DISAGREEMENTS[row.name], (
            "nothing that `ignore` names differs: the entry no longer applies"
        )


@each(ROWS, lambda row: any(row.gradient))
def test_gradients(row):
    run(harness_gradients.check_gradients, row)


@each(ROWS, lambda row: any(row.gradient) and row.second)
def test_second_order(row):
    run(harness_gradients.check_second_order, row)


# ---- dtypes outside the set ----------------------------------------------------------------------


@each(ROWS, lambda row: row.outside == "floats")
def test_integers_become_floats(row):
    run(harness_checks.check_floating_result, row)


@each(ROWS, lambda row: row.outside != "skip" and row.name not in EXCEPTIONS)
def test_other_dtypes_are_refused(row):
    case = row.cases[0]
    for dtype in EVERY:
        if dtype in SETS[row.dtypes] or (row.outside == "floats" and dtype in (*INTEGERS, "bool")):
            continue
        _, tensors = harness.tensors_of(
            LIBRARY, harness.prepared(row, case, dtype, 0), dtype, "contiguous"
        )
        with pytest.raises(bolide.DTypeError, match=dtype) as raised:
            LIBRARY.run(row, *tensors, *case.args, **case.named)
        assert re.match(r"\[\w+\] expected .+, got .+", str(raised.value)), raised.value
        COUNTS.add("refusals")


# ---- forms ---------------------------------------------------------------------------------------


def in_place(row):
    """The row of the in-place form, on a copy."""

    def call(library, x, *others, **named):
        y = x.clone()
        found = getattr(y, row.name + "_")(*others, **named)
        assert found is y
        return y

    cases = tuple(c for c in row.cases if keeps_shape(c))
    return dataclasses.replace(
        row, name=row.name + "_", call=call, cases=cases, extremes=False, dtypes=in_place_set(row),
        result=in_place_result(row),
    )  # fmt: skip


def in_place_result(row):
    return "same" if row.result == "boolean" else row.result


def in_place_set(row):
    """A complex tensor cannot take a real result."""
    return row.dtypes.removesuffix("|Complex") if row.result == "real" else row.dtypes


def keeps_shape(case):
    first, *others = case.inputs
    if not isinstance(first, tuple):
        return False
    shapes = [s for s in others if isinstance(s, tuple)]
    return np.broadcast_shapes(first, *shapes) == first


@each(ROWS, lambda row: row.inplace and row.name not in EXCEPTIONS)
def test_in_place_form(row):
    form = in_place(row)
    harness_checks.check_values(form, LIBRARY)
    if any(row.gradient):
        harness_gradients.check_gradients(form, LIBRARY)
        harness_gradients.check_second_order(form, LIBRARY)


@each(ROWS, lambda row: row.inplace and row.name not in EXCEPTIONS)
def test_in_place_form_writes_what_is_its_own(row):
    """Into strided memory, and nothing between."""
    case, stored = row.cases[0], dataclasses.replace(row, result=in_place_result(row))
    for dtype in SETS[in_place_set(row)]:
        arrays = harness.prepared(row, case, dtype, "in place")
        wide = np.stack([arrays[0], harness.other_than(arrays[0])], -1).reshape(
            *arrays[0].shape[:-1], -1
        )
        base = LIBRARY.from_array(wide, dtype)
        x = base[..., ::2]
        others = [LIBRARY.tensor(a, dtype) for a in arrays[1:]]
        assert getattr(x, row.name + "_")(*others) is x
        harness.check_result(stored, case, x, arrays, dtype, f"{row.name}_ {dtype}", LIBRARY)
        assert np.array_equal(
            LIBRARY.array_of(base)[..., 1::2],
            LIBRARY.array_of(LIBRARY.from_array(wide, dtype))[..., 1::2],
        )
        COUNTS.add("values")


@each(ROWS, lambda row: row.inplace and row.result == "floating" and row.name not in EXCEPTIONS)
def test_in_place_form_does_not_change_the_dtype(row):
    x = LIBRARY.from_array(np.array([1, 2, 3]), "int64")
    others = [2] * (len(row.cases[0].inputs) - 1)
    with pytest.raises(bolide.DTypeError, match="int64"):
        getattr(x, row.name + "_")(*others)
    assert x.tolist() == [1, 2, 3] and x._version == 0


@each(
    ROWS,
    lambda row: row.inplace and len(row.cases[0].inputs) == 2 and row.name not in EXCEPTIONS,
)
def test_in_place_form_of_overlapping_memory(row):
    """x[1:] op= x[:-1] is as if the right side had been copied first."""
    dtype = SETS[row.dtypes][-1]
    array = harness.prepared(row, row.cases[2], dtype, "overlap")[0]
    array = abs(array) + 1 if array.dtype.kind in "if" else array
    x = LIBRARY.from_array(array, dtype)
    copy = x.clone()
    getattr(x[1:], row.name + "_")(x[:-1])
    wanted = LIBRARY.run(row, copy[1:], copy[:-1].clone())
    assert np.array_equal(LIBRARY.array_of(x[1:]), LIBRARY.array_of(wanted), equal_nan=True)
    assert np.array_equal(LIBRARY.array_of(x[:1]), LIBRARY.array_of(copy[:1]))


@each(
    op_rows.UNARY + op_rows.BINARY + op_rows.TERNARY + op_rows.SPECIAL,
    lambda row: row.name not in ("gelu", "where", "polygamma"),
)
def test_out_and_method(row):
    """name(..., out=y) writes into y and gives it; x.name(...) gives the same."""
    case, dtype = row.cases[0], SETS[row.dtypes][-1]
    arrays = harness.prepared(row, case, dtype, "out")
    _, tensors = harness.tensors_of(LIBRARY, arrays, dtype, "contiguous")
    kind = harness.result_dtype(row, dtype)
    out = bolide.empty(6, 5, dtype=LIBRARY.dtype(kind), device=DEVICE)[::2]
    assert getattr(bolide, row.name)(*tensors, out=out) is out
    harness.check_result(row, case, out, arrays, dtype, f"{row.name} out=", LIBRARY)
    found = getattr(tensors[0], row.name)(*tensors[1:])
    harness.check_result(row, case, found, arrays, dtype, f"Tensor.{row.name}", LIBRARY)
    for alias in row.aliases:
        if hasattr(bolide, alias):
            found = getattr(bolide, alias)(*tensors)
            harness.check_result(row, case, found, arrays, dtype, alias, LIBRARY)


def test_a_comparison_into_numbers():
    x = bolide.tensor([1.0, 2.0, 3.0], device=DEVICE)
    for dtype in (bolide.float32, bolide.int64, bolide.complex64):
        out = bolide.zeros(6, dtype=dtype, device=DEVICE)
        assert bolide.gt(x, 1.5, out=out[::2])._version == 1
        assert out.tolist() == [0, 0, 1, 0, 1, 0]


# ---- the public gradcheck ------------------------------------------------------------------------


def small(row, dtype):
    """The smallest case with a gradient, as tensors and which of them are differentiated."""
    at, case = smallest_case(row)
    arrays = harness.prepared(row, case, dtype, at, smooth=True)
    _, tensors = harness.tensors_of(LIBRARY, arrays, dtype, "contiguous")
    places = harness_gradients.gradient_places(row, case)
    return case, [t.requires_grad_() if k in places else t for k, t in enumerate(tensors)]


def smallest_case(row):
    return min(harness_gradients.gradient_cases(row), key=lambda found: case_size(found[1]))


def case_size(case):
    count = sum(int(np.prod(spec)) for spec in case.inputs if isinstance(spec, tuple))
    return count if count > 1 else 1000  # something has to be there


@each(ROWS, lambda row: any(row.gradient) and row.name not in EXCEPTIONS)
def test_gradcheck_and_gradgradcheck(row):
    for dtype in harness_gradients.wide_dtypes(row, smallest_case(row)[1]):
        case, inputs = small(row, dtype)

        def function(*tensors, case=case):
            found = LIBRARY.run(row, *tensors, *case.args, **case.named)
            return found if isinstance(found, bolide.Tensor) else tuple(found)

        assert bolide.autograd.gradcheck(function, inputs, atol=1e-6)
        assert bolide.autograd.gradgradcheck(function, inputs, atol=1e-5)
        COUNTS.add("gradchecks")


# ---- conversions ---------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Casting complex values")
@pytest.mark.parametrize("source", EVERY)
def test_conversion(source):
    """Between all dtypes, of numbers that the target can hold; numbers become bool by != 0; NaN and infinities stay."""
    values = {"bool": [False, True, True], "uint8": [0, 1, 200]}.get(source, [0, 1, -3, 100])
    for target in EVERY:
        low = 0 if target in ("uint8", "bool") else -128
        kept = np.array(
            [
                v
                for v in values
                if target == "bool" or low <= v <= (255 if target == "uint8" else 127)
            ]
        )
        x = LIBRARY.from_array(kept, source)
        for layout in (x, x.repeat(3, 1).t(), x.repeat(67)[::2]):
            found = layout.to(LIBRARY.dtype(target))
            assert harness.name_of(found) == target
            wanted = LIBRARY.array_of(layout).astype(bool if target == "bool" else np.complex128)
            assert np.array_equal(LIBRARY.array_of(found).astype(wanted.dtype), wanted), (
                source,
                target,
            )
            COUNTS.add("values")
        if source in FLOATS and target in FLOATS + COMPLEX:
            special = np.array([np.nan, np.inf, -np.inf, -0.0])
            found = LIBRARY.array_of(
                LIBRARY.from_array(special, source).to(LIBRARY.dtype(target))
            ).real
            assert np.array_equal(found, special, equal_nan=True) and np.signbit(found[3])


@pytest.mark.parametrize("target", ["float16", "bfloat16", "float32"])
def test_rounding_to_a_narrower_float(target):
    """To nearest, ties to even, with subnormal numbers and overflow."""
    random = np.random.default_rng(0)
    eps, least, most = harness.EPSILON[target], harness.SMALLEST[target], harness.LARGEST[target]
    ties = 1 + eps * np.arange(16) / 4
    tiny = least * np.arange(20) / 4
    near = most * (1 + eps * np.arange(-8, 9) / 8)
    x = np.concatenate(
        [ties, tiny, near, random.uniform(-3, 3, 300), random.normal(0, 1, 300) * least * 50]
    )
    x = np.concatenate([x, -x])
    got = LIBRARY.array_of(LIBRARY.from_array(x, "float64").to(LIBRARY.dtype(target)))
    wanted = harness.round_to(x, target)
    wrong = ~((got == wanted) & (np.signbit(got) == np.signbit(wanted)))
    assert not wrong.any(), (x[wrong][:4], got[wrong][:4], wanted[wrong][:4])


# ---- instructions --------------------------------------------------------------------------------


def isas_of_machine():
    cpu_info = Path("/proc/cpuinfo").read_text()
    flags = set(
        re.findall(
            r"\w+",
            next((line for line in cpu_info.splitlines() if line.startswith("flags")), ""),
        )
    )
    wanted = {
        "baseline": set(),
        "avx2": {"avx2", "fma", "f16c"},
        "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"},
    }
    return [name for name, needed in wanted.items() if needed <= flags]


@pytest.mark.skipif(DEVICE != "cpu", reason="kernels of another device")
@pytest.mark.skipif(
    "BOLIDE_CPU_ISA" in os.environ, reason="this process tests one set of instructions"
)
@pytest.mark.parametrize("isa", ["baseline", "avx2", "avx512"])
def test_every_set_of_instructions(isa):
    if bolide._C._cpu_isa() == "generic":
        pytest.skip("this build has but one")
    if isa not in isas_of_machine():
        pytest.skip(f"this machine has no {isa}")
    if isa == bolide._C._cpu_isa():
        return  # the other tests of this file have run with it
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        __file__,
        "-k",
        "test_values or test_extremes or test_gradients",
    ]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "BOLIDE_CPU_ISA": isa},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    counted = re.search(r"(\d+) combinations", done.stdout)
    assert counted and int(counted[1]) > 20000 // harness_checks.EVERY_NTH, done.stdout[-1000:]
    COUNTS.combinations[f"with {isa}"] += int(counted[1])


# ---- nothing without a row -----------------------------------------------------------------------


def table_lines(path, macros):
    """(macro, fields) of every line of a table."""
    text = (ROOT / path).read_text()
    for found in re.finditer(rf"^({macros})\(([^()\"]*)", text, re.MULTILINE):
        yield found[1], [part.strip() for part in found[2].split(",")]


def known_names():
    names = set()
    for row in ROWS:
        for name in (row.name.split(" ")[0], *row.aliases):
            names |= {name, name + "_"} if row.inplace else {name}
    return names


def test_every_line_of_the_tables_has_a_row_that_says_the_same():
    """`make test` fails while an op of kernels/*.def is untested."""
    lines = [
        (f[3], f[0], f[1])
        for _, f in table_lines("kernels/elementwise.def", "UNARY(?:_1|_2)?|BINARY|TERNARY")
    ]
    lines += [(f[3], f[0], f[1]) for _, f in table_lines("kernels/reduce.def", "REDUCE")]
    assert len(lines) >= 75
    by_name = {name: row for row in ROWS for name in (row.name, *row.aliases)}
    assert "linalg.vector_norm" in {row.name for row in ROWS}
    lines = [line for line in lines if line[0] != "two_norm"]  # that op's part
    missing = [name for name, *_ in lines if name not in by_name]
    assert not missing, f"no row in op_rows.py for {missing}"
    for name, dtypes, result in lines:
        row = by_name[name]
        # A sum of bool counts, in int64; "floating" means for reductions that integers are refused.
        assert row.dtypes == ("Any|Complex" if result == "sum" else dtypes), name
        assert row.result == (
            "same" if result == "floating" and row in op_rows.REDUCTIONS else result
        ), name
    in_place = {
        f[3]
        for _, f in table_lines("kernels/elementwise.def", "UNARY(?:_1|_2)?|BINARY|TERNARY")
        if f[2] == "inplace" and by_name[f[3]].name == f[3]  # else it has another face in Python
    }
    assert in_place == {
        row.name
        for row in op_rows.UNARY + op_rows.BINARY + op_rows.TERNARY + op_rows.SPECIAL
        if row.inplace
    }


def test_every_line_of_the_seldom_used_has_a_row():
    lines = [f[1] for _, f in table_lines("kernels/rare.def", "RARE_[12]")]
    assert len(lines) >= 30
    names = {row.name.removeprefix("special.") for row in op_rows.op_rows_rare.ALL}
    assert names == set(lines)
    assert all(hasattr(bolide.special, name) or hasattr(bolide, name) for name in lines)


# What is public and no row: why, and which file tests it.
ELSEWHERE = {
    # creation, conversion to and from Python: test_creation.py
    **dict.fromkeys(
        "tensor as_tensor empty zeros ones full empty_strided empty_like zeros_like ones_like full_like new_empty new_zeros "
        "new_empty_strided logspace scalar_tensor asarray fill "
        "new_ones new_full new_tensor arange linspace eye from_numpy frombuffer from_dlpack to_device numpy item tolist".split(),
        "makes a tensor, or something else of one",
    ),
    # what a tensor says about itself
    **dict.fromkeys(
        "size stride numel nelement dim ndimension element_size storage_offset data_ptr get_device is_contiguous "
        "is_floating_point is_complex is_signed is_tensor is_pinned pin_memory allclose equal is_inference is_same_size "
        "is_nonzero type".split(),
        "gives a Python value",
    ),
    # random numbers
    **dict.fromkeys(
        "rand randn rand_like randn_like randint randperm normal bernoulli uniform_ normal_ bernoulli_ dropout manual_seed "
        "initial_seed get_rng_state set_rng_state seed randint_like poisson multinomial exponential_ geometric_ cauchy_ "
        "log_normal_ random_".split(),
        "random: by statistics, in test_random.py",
    ),
    # autograd
    **dict.fromkeys(
        "backward requires_grad_ retain_grad detach detach_ register_hook register_post_accumulate_grad_hook "
        "is_grad_enabled is_inference_mode_enabled".split(),
        "part of autograd",
    ),
    **dict.fromkeys(
        "to cpu cuda type_as float double half bfloat16 long int short char byte bool cfloat cdouble".split(),
        "test_conversion above",
    ),
    **dict.fromkeys(
        "get_num_threads set_num_threads get_default_dtype set_default_dtype result_type promote_types "
        "can_cast".split(),
        "a setting or a question",
    ),
    **dict.fromkeys(
        "is_conj is_neg resolve_conj resolve_neg".split(),
        "conjugates and signs are never lazy: test_complex.py",
    ),
    "masked_fill_": "masked_fill and copy_",
    **dict.fromkeys("mvlgamma_ renorm_".split(), "the pure form and copy_: test_special.py"),
    **dict.fromkeys("clamp_min_ clamp_max_ cumsum_ cumprod_".split(), "the pure form and copy_"),
    **dict.fromkeys("var_mean std_mean".split(), "var and std, with mean: test_behaviour.py"),
    **dict.fromkeys(
        "is_set_to resize_ resize_as_ tril_indices triu_indices index_add_ index_copy_ "
        "index_fill_ index_reduce_ scatter_ scatter_add_ scatter_reduce_ put_ masked_scatter_".split(),
        "test_views.py, test_indexing.py",
    ),
    **dict.fromkeys(
        "untyped_storage storage storage_type set_ new apply_ map_ map2_ as_subclass".split(),
        "test_storage.py",
    ),
    "range": "arange with the end: test_creation.py",
    **dict.fromkeys("swapaxes_ swapdims_ row_stack".split(), "another name"),
    "polygamma_": "polygamma and copy_",
    **dict.fromkeys("unsafe_chunk unsafe_split unsafe_split_with_sizes".split(), "another name"),
    **dict.fromkeys("stft istft".split(), "test_signal.py"),
    "float_power_": "float_power and copy_: test_bugs_samples.py",
    "concat": "alias of cat",
    "record_stream": "about memory and streams, no op",
    "to_dlpack": "test_dlpack.py",
    **dict.fromkeys("share_memory_ is_shared".split(), "test_multiprocessing.py"),
    "concatenate": "alias of cat",
    "swapaxes": "alias of transpose",
    "swapdims": "alias of transpose",
    "moveaxis": "alias of movedim",
}


def public_names():
    module = {
        n
        for n in dir(bolide._C)
        if not n.startswith("_") and type(getattr(bolide._C, n)).__name__.startswith("builtin")
    }
    methods = {
        n
        for n in dir(bolide.Tensor)
        if not n.startswith("_") and callable(getattr(bolide.Tensor, n))
    }
    return module | methods


def test_every_public_op_has_a_row_or_a_reason():
    names = public_names()
    known = known_names()
    missing = sorted(names - known - set(ELSEWHERE))
    assert not missing, f"neither a row in op_rows.py nor a reason here: {missing}"
    stale = sorted(name for name in ELSEWHERE if name not in names or name in known)
    assert not stale, f"these reasons no longer apply: {stale}"

// creation.cpp - functions that make tensors: tensor(), zeros(), arange() and their kin.
#include "bindings/creation.h"

#include <cmath>

#include "bindings/ops_table.h"
#include "runtime/autograd.h"

namespace bolide::python {
namespace {

using OptionalDType = std::optional<DType>;
using OptionalDevice = std::optional<Device>;
using OptionalFormat = std::optional<MemoryFormat>;

Tensor with_grad(Tensor t, bool requires_grad) {
  if (requires_grad) set_requires_grad(t, true);
  return t;
}
Options options_of(OptionalDType dtype, OptionalDevice device) {
  return {dtype.value_or(default_dtype()), device.value_or(Device{})};
}

Tensor make_tensor(PyObject* data, OptionalDType dtype, OptionalDevice device, bool requires_grad, bool) {
  const Device own = is_tensor(data) ? unwrap(data).device() : Device{};
  return with_grad(tensor_from(data, dtype, device.value_or(own)), requires_grad);
}
Tensor as_tensor(PyObject* data, OptionalDType dtype, OptionalDevice device) {
  if (is_tensor(data)) return to(unwrap(data), dtype, device);
  if (is_numpy_array(data)) return to(share_array(data), dtype, device);
  if (const Tensor shared = share_foreign(data)) return to(shared, dtype, device);
  return tensor_from(data, dtype, device.value_or(Device{}));
}

// ---- of sizes ------------------------------------------------------------------------------------------------
[[gnu::noinline]] Tensor empty_in(const Dims& size, MemoryFormat format, Options o) {
  check(format != MemoryFormat::preserve, ErrorKind::Runtime, "empty", "a memory_format of its own",
        [] { return std::string("preserve_format"); });
  return empty_strided(size, strides_in("empty", size, format), o);
}
// inline: where an op of a few numbers is measured, this is a part of it.
inline Tensor make_empty(const Dims& size, OptionalDType dtype, OptionalDevice device, bool requires_grad, PyObject*,
                         bool, OptionalFormat format) {
  const Options o = options_of(dtype, device);
  return with_grad(format ? empty_in(size, *format, o) : empty(size, o), requires_grad);
}
Tensor make_zeros(const Dims& size, OptionalDType dtype, OptionalDevice device, bool requires_grad, PyObject*, bool) {
  return with_grad(zeros(size, options_of(dtype, device)), requires_grad);
}
Tensor make_ones(const Dims& size, OptionalDType dtype, OptionalDevice device, bool requires_grad, PyObject*, bool) {
  return with_grad(ones(size, options_of(dtype, device)), requires_grad);
}
Tensor make_full(const Dims& size, const Scalar& value, OptionalDType dtype, OptionalDevice device, bool requires_grad,
                 PyObject*, bool) {
  return with_grad(full(size, value, {dtype.value_or(value.default_dtype()), device.value_or(Device{})}),
                   requires_grad);
}
Tensor make_strided(const Dims& size, const Dims& stride, OptionalDType dtype, OptionalDevice device,
                    bool requires_grad, PyObject*, bool) {
  return with_grad(empty_strided(size, stride, options_of(dtype, device)), requires_grad);
}

// ---- like another tensor -------------------------------------------------------------------------------------
Options options_like(const Tensor& t, OptionalDType dtype, OptionalDevice device) {
  return {dtype.value_or(t.dtype()), device.value_or(t.device())};
}
Tensor like(const Tensor& t, OptionalDType dtype, OptionalDevice device, bool requires_grad, OptionalFormat format) {
  const Options o = options_like(t, dtype, device);
  if (format && *format != MemoryFormat::preserve)
    return with_grad(empty_strided(t.sizes(), strides_in("empty_like", t.sizes(), *format), o), requires_grad);
  return with_grad(o.device == t.device() ? empty_like(t, o.dtype) : empty(t.sizes(), o), requires_grad);
}
template <int value>
Tensor filled_like(const Tensor& t, OptionalDType dtype, OptionalDevice device, bool requires_grad,
                   OptionalFormat format) {
  const Tensor out = like(t, dtype, device, false, format);
  fill_(out, Scalar(value));
  return with_grad(out, requires_grad);
}
Tensor full_like_value(const Tensor& t, const Scalar& value, OptionalDType dtype, OptionalDevice device,
                       bool requires_grad, OptionalFormat format) {
  const Tensor out = like(t, dtype, device, false, format);
  fill_(out, value);
  return with_grad(out, requires_grad);
}
Tensor new_empty(const Tensor& t, const Dims& size, OptionalDType dtype, OptionalDevice device, bool requires_grad) {
  return with_grad(empty(size, options_like(t, dtype, device)), requires_grad);
}
template <int value>
Tensor new_filled(const Tensor& t, const Dims& size, OptionalDType dtype, OptionalDevice device, bool requires_grad) {
  return with_grad(full(size, Scalar(value), options_like(t, dtype, device)), requires_grad);
}
Tensor new_full(const Tensor& t, const Dims& size, const Scalar& value, OptionalDType dtype, OptionalDevice device,
                bool requires_grad) {
  return with_grad(full(size, value, options_like(t, dtype, device)), requires_grad);
}
Tensor new_strided(const Tensor& t, const Dims& size, const Dims& stride, OptionalDType dtype, OptionalDevice device,
                   bool requires_grad, PyObject*, bool) {
  return with_grad(empty_strided(size, stride, options_like(t, dtype, device)), requires_grad);
}
Tensor new_tensor(const Tensor& t, PyObject* data, OptionalDType dtype, OptionalDevice device, bool requires_grad) {
  const Options o = options_like(t, dtype, device);
  return with_grad(tensor_from(data, o.dtype, o.device), requires_grad);
}

// PyTorch's older form of new_empty() and new_tensor(): ints are sizes, a sequence is data.
Tensor new_of_data(const Tensor& t, PyObject* data, OptionalDevice device) {
  const Options o = options_like(t, {}, device);
  if (data == Py_None) return empty(Dims{0}, o);
  if (is_tensor(data)) {
    check(unwrap(data).dtype() == o.dtype, ErrorKind::Type, "new", str("a tensor of ", name_of(o.dtype)),
          [&] { return describe(unwrap(data)); });
    return alias(unwrap(data));
  }
  if (PyObject_HasAttrString(data, "untyped")) {  // a storage
    const auto made = pybind11::reinterpret_steal<pybind11::object>(wrap(empty(Dims{0}, o)));
    const auto shown =
        pybind11::reinterpret_steal<pybind11::object>(checked(PyObject_CallMethod(made.ptr(), "set_", "O", data)));
    return unwrap(shown.ptr());
  }
  if (PyLong_CheckExact(data) || Py_TYPE(data) == size_type) return empty(Convert<Dims>::get(data), o);
  if (is_scalar(data) || PyUnicode_Check(data)) throw Mismatch{data, "sizes or a sequence of numbers"};
  return tensor_from(data, o.dtype, o.device);
}
Tensor new_of_sizes(const Tensor& t, const Dims& size, OptionalDevice device) {
  return empty(size, options_like(t, {}, device));
}

// ---- sequences -----------------------------------------------------------------------------------------------
Tensor range(const Scalar& start, const Scalar& end, const Scalar& step, OptionalDType dtype, OptionalDevice device,
             bool requires_grad) {
  return with_grad(arange(start, end, step, dtype, device.value_or(Device{})), requires_grad);
}
Tensor range_to(const Scalar& end, OptionalDType dtype, OptionalDevice device, bool requires_grad) {
  return range(Scalar(0), end, Scalar(1), dtype, device, requires_grad);
}
// Both ends included. Of integers the ends and the step are cut, the number of elements is that of the fractions.
Tensor closed_range(const Scalar& start, const Scalar& end, const Scalar& step, OptionalDType dtype,
                    OptionalDevice device, bool requires_grad) {
  for (const Scalar* s : {&start, &end, &step})
    check(s->kind != Scalar::Complex, ErrorKind::Runtime, "range", "real numbers",
          [] { return std::string("complex"); });
  if (PyErr_WarnEx(PyExc_UserWarning, "range() is deprecated: arange(), which leaves the end out, takes its place", 1) <
      0)
    throw Raised{};
  const double from = start.real, to_end = end.real, by = step.real;
  check(std::isfinite(from) && std::isfinite(to_end) && !std::isnan(by), ErrorKind::Shape, "range", "finite numbers",
        [&] { return str(from, " to ", to_end, " by ", by); });
  check(by != 0, ErrorKind::Shape, "range", "a step that is not 0", [] { return std::string("0"); });
  check((to_end - from) * by >= 0, ErrorKind::Shape, "range", "an end that the step leads to",
        [&] { return str(from, " to ", to_end, " by ", by); });
  const double count = std::floor((to_end - from) / by) + 1;
  check(count < 0x1p62, ErrorKind::Shape, "range", "a number of elements that fits", [&] { return str(count); });
  const Options o = options_of(dtype, device);
  check(o.dtype != DType::Bool && !is_complex(o.dtype), ErrorKind::NotImplemented, "range", "a dtype of real numbers",
        [&] { return std::string(name_of(o.dtype)); });
  const bool whole = is_integer(o.dtype);
  const Tensor places = arange(int64_t(0), int64_t(count), int64_t(1), whole ? DType::I64 : DType::F64, o.device);
  const Tensor values = whole ? add(mul(places, int64_t(by)), int64_t(from)) : add(mul(places, by), from);
  return with_grad(to(values, o.dtype), requires_grad);
}

// The dtype that linspace() and logspace() give: complex where an end is.
DType dtype_between(const char* op, const Scalar& start, const Scalar& end, OptionalDType dtype) {
  const bool complex = start.kind == Scalar::Complex || end.kind == Scalar::Complex;
  const DType own = complex ? Scalar(0.0, 0.0).default_dtype() : default_dtype();
  check(!complex || !dtype || is_complex(*dtype), ErrorKind::Runtime, op, "a complex dtype for complex ends",
        [&] { return std::string(name_of(*dtype)); });
  return dtype.value_or(own);
}
// In the widest dtype of its kind, so that whole powers are exact.
Tensor points(const Scalar& start, const Scalar& end, int64_t steps, bool complex, Device device) {
  const Options o = {DType::F64, device};
  const Tensor real = linspace(start.real, end.real, steps, o);
  if (!complex) return real;
  return view_as_complex(stack(TensorList{real, linspace(start.imaginary, end.imaginary, steps, o)}, -1));
}
Tensor line(const Scalar& start, const Scalar& end, int64_t steps, OptionalDType dtype, OptionalDevice device,
            bool requires_grad) {
  const Options o = {dtype_between("linspace", start, end, dtype), device.value_or(Device{})};
  return with_grad(is_complex(o.dtype) ? to(points(start, end, steps, true, o.device), o.dtype)
                                       : linspace(start.real, end.real, steps, o),
                   requires_grad);
}
// base to the powers that linspace() gives.
Tensor powers(const Scalar& start, const Scalar& end, int64_t steps, double base, OptionalDType dtype,
              OptionalDevice device, bool requires_grad) {
  check(steps >= 0, ErrorKind::Shape, "logspace", "steps of zero or more", [&] { return str(steps); });
  const Options o = {dtype_between("logspace", start, end, dtype), device.value_or(Device{})};
  const bool cut = is_integer(o.dtype) && steps > 1, complex = is_complex(o.dtype);
  const Scalar first = cut ? Scalar(std::trunc(start.real)) : start, last = cut ? Scalar(std::trunc(end.real)) : end;
  const Scalar root = complex ? Scalar(base, 0.0) : Scalar(base);
  return with_grad(to(pow(root, points(first, last, steps, complex, o.device)), o.dtype), requires_grad);
}
Tensor number(const Scalar& s, OptionalDType dtype, OptionalDevice device, bool requires_grad) {
  return with_grad(full(Dims{}, s, options_of(dtype, device)), requires_grad);
}
Tensor identity(int64_t n, std::optional<int64_t> m, OptionalDType dtype, OptionalDevice device, bool requires_grad) {
  return with_grad(eye(n, m.value_or(n), options_of(dtype, device)), requires_grad);
}

}  // namespace

std::vector<Op> creation_rows() {
  return {
      op<&make_tensor>("tensor", "data, *, dtype=None, device=None, requires_grad=False, pin_memory=False",
                       "A new tensor with the values of nested lists, numbers, an array, a buffer or a tensor.\n\n"
                       "Without dtype: bool, int64, float32 or complex64, by the numbers. Raises: ValueError for lists "
                       "of different lengths; OverflowError for a number that does not fit the dtype.\n"
                       "Example: >>> bolide.tensor([[1.0, 2.0], [3.0, 4.0]])\nReference: torch.tensor.",
                       kFunction),
      op<&as_tensor>("as_tensor", "data, dtype=None, device=None",
                     "A tensor of the data, without a copy where a tensor, an array or what another library shares "
                     "(DLPack, __cuda_array_interface__, __array__) allows it.\n\nReference: "
                     "torch.as_tensor.",
                     kFunction),
      op<&make_empty>("empty",
                      "size..., *, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False, "
                      "memory_format=None",
                      "An uninitialized tensor.\n\nRaises: ShapeError for negative sizes; OutOfMemoryError.\n"
                      "Example: >>> bolide.empty(2, 3).shape\nReference: torch.empty.",
                      kFunction),
      op<&make_zeros>("zeros",
                      "size..., *, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False",
                      "A tensor of zeros.\n\nReference: torch.zeros.", kFunction),
      op<&make_ones>("ones", "size..., *, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False",
                     "A tensor of ones.\n\nReference: torch.ones.", kFunction),
      op<&make_full>("full",
                     "size, fill_value, *, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False",
                     "A tensor of one value, with the dtype that tensor(value) has unless given.\n\nReference: "
                     "torch.full.",
                     kFunction),
      op<&make_strided>("empty_strided",
                        "size, stride, *, dtype=None, device=None, requires_grad=False, layout=None, "
                        "pin_memory=False",
                        "An uninitialized tensor with these strides.\n\nReference: torch.empty_strided.", kFunction),
      op<&like>("empty_like", "input, *, dtype=None, device=None, requires_grad=False, memory_format=None",
                "An uninitialized tensor of the same shape.\n\nReference: torch.empty_like.", kFunction),
      op<&filled_like<0>>("zeros_like", "input, *, dtype=None, device=None, requires_grad=False, memory_format=None",
                          "Zeros of the same shape.\n\nReference: torch.zeros_like.", kFunction),
      op<&filled_like<1>>("ones_like", "input, *, dtype=None, device=None, requires_grad=False, memory_format=None",
                          "Ones of the same shape.\n\nReference: torch.ones_like.", kFunction),
      op<&full_like_value>("full_like",
                           "input, fill_value, *, dtype=None, device=None, requires_grad=False, memory_format=None",
                           "One value in the same shape.\n\nReference: torch.full_like.", kFunction),
      op<&new_empty>("new_empty", "input, size..., *, dtype=None, device=None, requires_grad=False",
                     "An uninitialized tensor with this one's dtype and device.", kMethod),
      op<&new_strided>("new_empty_strided",
                       "input, size, stride, *, dtype=None, device=None, requires_grad=False, layout=None, "
                       "pin_memory=False",
                       "An uninitialized tensor of these strides with this one's dtype and device.", kMethod),
      op<&new_filled<0>>("new_zeros", "input, size..., *, dtype=None, device=None, requires_grad=False",
                         "Zeros with this one's dtype and device.", kMethod),
      op<&new_filled<1>>("new_ones", "input, size..., *, dtype=None, device=None, requires_grad=False",
                         "Ones with this one's dtype and device.", kMethod),
      op<&new_full>("new_full", "input, size, fill_value, *, dtype=None, device=None, requires_grad=False",
                    "One value with this one's dtype and device.", kMethod),
      op<&new_tensor>("new_tensor", "input, data, *, dtype=None, device=None, requires_grad=False",
                      "tensor(data) with this one's dtype and device.", kMethod),
      op<&new_of_data, &new_of_sizes>(
          "new", "input, data=None, *, device=None | input, size..., *, device=None",
          "An uninitialized tensor of these sizes (ints, or a Size) or one with the values of a sequence, with this "
          "one's "
          "dtype and device; of a tensor one on its memory.\n\nOlder than new_empty() and new_tensor(), which say more "
          "clearly what is meant.\nReference: torch.Tensor.new.",
          kMethod),
      op<&range_to, &range>(
          "arange",
          "end, *, dtype=None, device=None, requires_grad=False | "
          "start, end, step=1, *, dtype=None, device=None, requires_grad=False",
          "Numbers from start (0) up to, not including, end.\n\nInt64 unless one is a float. Raises: ValueError for a "
          "step of zero or in the wrong direction.\nExample: >>> bolide.arange(1, 10, 2)\nReference: torch.arange.",
          kFunction),
      op<&closed_range>(
          "range", "start, end, step=1, *, dtype=None, device=None, requires_grad=False",
          "Numbers from start to end, both included, of the default dtype unless given. Deprecated: arange() "
          "is like Python's range().\n\nReference: torch.range.",
          kFunction),
      op<&line>("linspace", "start, end, steps, *, dtype=None, device=None, requires_grad=False",
                "`steps` numbers from start to end, both included.\n\nReference: torch.linspace.", kFunction),
      op<&powers>("logspace", "start, end, steps, base=10.0, *, dtype=None, device=None, requires_grad=False",
                  "`steps` numbers from base ** start to base ** end, both included, at equal ratios.\n\n"
                  "Example: >>> bolide.logspace(0, 2, 3)\nReference: torch.logspace.",
                  kFunction),
      op<&number>("scalar_tensor", "s, *, dtype=None, device=None, requires_grad=False",
                  "A 0-d tensor of the default dtype unless given.\n\nReference: torch.scalar_tensor.", kFunction),
      op<&identity>("eye", "n, m=None, *, dtype=None, device=None, requires_grad=False",
                    "A matrix with ones on its diagonal.\n\nReference: torch.eye.", kFunction),
  };
}

}  // namespace bolide::python

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

// ---- sequences -----------------------------------------------------------------------------------------------
Tensor range(const Scalar& start, const Scalar& end, const Scalar& step, OptionalDType dtype, OptionalDevice device,
             bool requires_grad) {
  return with_grad(arange(start, end, step, dtype, device.value_or(Device{})), requires_grad);
}
Tensor range_to(const Scalar& end, OptionalDType dtype, OptionalDevice device, bool requires_grad) {
  return range(Scalar(0), end, Scalar(1), dtype, device, requires_grad);
}
Tensor line(double start, double end, int64_t steps, OptionalDType dtype, OptionalDevice device, bool requires_grad) {
  return with_grad(linspace(start, end, steps, options_of(dtype, device)), requires_grad);
}
// base to the powers that linspace() gives; in float64, so that whole powers are exact.
Tensor powers(double start, double end, int64_t steps, double base, OptionalDType dtype, OptionalDevice device,
              bool requires_grad) {
  check(steps >= 0, ErrorKind::Shape, "logspace", "steps of zero or more", [&] { return str(steps); });
  if (dtype && is_integer(*dtype) && steps > 1) start = std::trunc(start), end = std::trunc(end);
  const Tensor exponents = linspace(start, end, steps, {DType::F64, device.value_or(Device{})});
  return with_grad(to(pow(base, exponents), dtype.value_or(default_dtype())), requires_grad);
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
      op<&range_to, &range>(
          "arange",
          "end, *, dtype=None, device=None, requires_grad=False | "
          "start, end, step=1, *, dtype=None, device=None, requires_grad=False",
          "Numbers from start (0) up to, not including, end.\n\nInt64 unless one is a float. Raises: ValueError for a "
          "step of zero or in the wrong direction.\nExample: >>> bolide.arange(1, 10, 2)\nReference: torch.arange.",
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

// ops_copy.cpp - copies, conversions, filling, joining, and what a tensor says about itself.
#include "bindings/ops_table.h"
#include "runtime/autograd.h"

namespace bolide::python {

void record_on(const Tensor& t, PyObject* stream);  // services.cpp

namespace {

using OptionalInt = std::optional<int64_t>;
using OptionalDType = std::optional<DType>;
using OptionalDevice = std::optional<Device>;
using OptionalFormat = std::optional<MemoryFormat>;

// As PyTorch warns; a bool loses nothing.
void warn_of_lost_parts(DType from, DType to) {
  if (!is_complex(from) || is_complex(to) || to == DType::Bool) [[likely]]
    return;
  if (PyErr_WarnEx(PyExc_UserWarning, "Casting complex values to real discards the imaginary part", 1) < 0)
    throw Raised{};
}

// ---- to ------------------------------------------------------------------------------------------------------
Tensor converted(const Tensor& x, OptionalDType dtype, OptionalDevice device, bool copy, OptionalFormat format) {
  warn_of_lost_parts(x.dtype(), dtype.value_or(x.dtype()));
  return to(x, dtype, device, copy, format.value_or(MemoryFormat::preserve));
}
Tensor to_dtype(const Tensor& x, DType dtype, bool, bool copy, OptionalFormat format) {
  return converted(x, dtype, {}, copy, format);
}
Tensor to_other(const Tensor& x, const Tensor& other, bool, bool copy, OptionalFormat format) {
  return converted(x, other.dtype(), other.device(), copy, format);
}
Tensor to_device(const Tensor& x, OptionalDevice device, OptionalDType dtype, bool, bool copy, OptionalFormat format) {
  return converted(x, dtype, device, copy, format);
}
template <DType kDType>
Tensor as_dtype(const Tensor& x, OptionalFormat format) {
  return converted(x, kDType, {}, false, format);
}
Tensor to_cpu(const Tensor& x, OptionalFormat format) { return converted(x, {}, Device{}, false, format); }
Tensor to_cuda(const Tensor& x, OptionalDevice device, bool, OptionalFormat format) {
  return converted(x, {}, device ? *device : parse_device("cuda"), false, format);
}
// PyTorch's older names of dtypes: bolide.FloatTensor and so on.
constexpr const char* kTypeNames[] = {"BoolTensor",  "ByteTensor",   "CharTensor",         "ShortTensor",
                                      "IntTensor",   "LongTensor",   "HalfTensor",         "BFloat16Tensor",
                                      "FloatTensor", "DoubleTensor", "ComplexFloatTensor", "ComplexDoubleTensor"};
static_assert(std::size(kTypeNames) == kDTypeCount && int(DType::F32) == 8 && int(DType::C64) == 10);
PyObject* type_of_tensor(const Tensor& x, PyObject* wanted, bool) {
  if (wanted == Py_None) {
    const std::string device = x.device().is_cpu() ? "" : "cuda.";
    return PyUnicode_FromString(("bolide." + device + kTypeNames[int(x.dtype())]).c_str());
  }
  // FloatTensor and its kin are Python classes with a dtype.
  if (PyType_Check(wanted) && PyObject_HasAttrString(wanted, "dtype")) {
    const auto own = pybind11::reinterpret_steal<pybind11::object>(PyObject_GetAttrString(wanted, "dtype"));
    if (const auto dtype = own ? dtype_of(own.ptr()) : std::nullopt) return wrap(to(x, *dtype, Device{}));
  }
  if (!PyUnicode_Check(wanted)) return wrap(to(x, Convert<DType>::get(wanted)));
  const std::string_view text = Convert<std::string_view>::get(wanted);
  for (int t = 0; t < kDTypeCount; t++)
    if (text.substr(text.find('.') + 1) == kTypeNames[t]) return wrap(to(x, DType(t), Device{}));
  raise(ErrorKind::Value, "type", "the name of a type, as 'bolide.FloatTensor'", str("'", text, "'"));
}
Tensor type_as(const Tensor& x, const Tensor& other) {
  warn_of_lost_parts(x.dtype(), other.dtype());
  return to(x, other.dtype(), other.device());
}

// ---- copies, fills -------------------------------------------------------------------------------------------
Tensor clone_tensor(const Tensor& x, OptionalFormat format) {
  return clone(x, format.value_or(MemoryFormat::preserve));
}
Tensor make_contiguous(const Tensor& x, OptionalFormat format) {
  return contiguous(x, format.value_or(MemoryFormat::contiguous));
}
Tensor detach_tensor(const Tensor& x) { return detach(x); }
void copy_into(const Tensor& self, const Arg& source, bool) {
  const Tensor from =
      source.tensor ? *source.tensor : full({}, source.scalar, {source.scalar.default_dtype(), self.device()});
  warn_of_lost_parts(from.dtype(), self.dtype());
  copy_(self, from);
}
void fill_value(const Tensor& self, const Arg& value) {
  if (!value.tensor) return fill_(self, value.scalar);
  check(value.tensor->rank() == 0, ErrorKind::Shape, "fill_", "a number or a 0-d tensor",
        [&] { return value.tensor->sizes().text(); });
  copy_(self, *value.tensor);
}
void zero_(const Tensor& self) { fill_(self, Scalar(0)); }
Tensor concatenate(const TensorList& tensors, int64_t dim) { return cat(tensors, dim); }
Tensor stack_list(const TensorList& tensors, int64_t dim) { return stack(tensors, dim); }

// ---- what a tensor says about itself -------------------------------------------------------------------------
Scalar one_element(const Tensor& x) { return item(x); }
PyObject* size_of(const Tensor& x, OptionalInt dim) {
  return dim ? PyLong_FromLongLong(x.size(wrap_dim("size", *dim, x.rank()))) : sizes_to_python(x.sizes());
}
PyObject* stride_of(const Tensor& x, OptionalInt dim) {
  return dim ? PyLong_FromLongLong(x.stride(wrap_dim("stride", *dim, x.rank()))) : ints_to_python(x.strides());
}
PyObject* checked_size(const Tensor& x, OptionalInt dim) {
  if (dim && !x.rank()) raise(ErrorKind::Index, "size", "a tensor with dimensions", "a 0-d tensor");
  return size_of(x, dim);
}
PyObject* checked_stride(const Tensor& x, OptionalInt dim) {
  if (dim && !x.rank()) raise(ErrorKind::Index, "stride", "a tensor with dimensions", "a 0-d tensor");
  return stride_of(x, dim);
}
int64_t numel(const Tensor& x) { return x.numel(); }
int64_t dimensions(const Tensor& x) { return x.rank(); }
int64_t element_size(const Tensor& x) { return x.item_size(); }
int64_t storage_offset(const Tensor& x) { return x->offset; }
int64_t data_ptr(const Tensor& x) { return int64_t(reinterpret_cast<uintptr_t>(x.data())); }
int64_t device_index(const Tensor& x) { return x.device().is_cpu() ? -1 : x.device().index; }
bool has_format(const Tensor& x, OptionalFormat format) {
  return is_contiguous_in(x, format.value_or(MemoryFormat::contiguous));
}
bool has_float(const Tensor& x) { return is_float(x.dtype()); }
bool has_complex(const Tensor& x) { return is_complex(x.dtype()); }
bool has_sign(const Tensor& x) { return x.dtype() != DType::Bool && x.dtype() != DType::U8; }
bool is_tensor_object(PyObject* o) { return is_tensor(o); }
bool never(const Tensor&) { return false; }
bool same_size(const Tensor& a, const Tensor& b) { return a.sizes() == b.sizes(); }
bool is_true(const Tensor& x) {
  if (x.numel() != 1)
    raise(ErrorKind::Runtime, "is_nonzero", "a tensor of one element", str("shape ", x.sizes().text()));
  const Scalar s = item(x);
  return s.real != 0 || s.imaginary != 0;
}
PyObject* as_complex(const Tensor& x) {
  check(x.numel() == 1, ErrorKind::Shape, "complex", "a tensor of one element", [&] { return x.sizes().text(); });
  const Scalar s = item(x);
  return PyComplex_FromDoubles(s.real, s.imaginary);
}
Tensor reversed(const Tensor& x) { return x.rank() ? flip(x, Dims{0}) : x; }
Tensor filled(const Tensor& x, const Arg& value) {
  const Tensor out = wants_grad({&x}) ? clone(x) : empty_like(x, x.dtype());
  fill_value(out, value);
  return out;
}
bool is_view(const Tensor& x) { return bool(x->base); }
bool is_set_to(const Tensor& x, const Tensor& other) {
  return x->storage.get() == other->storage.get() && x->offset == other->offset && x.sizes() == other.sizes() &&
         x.strides() == other.strides();
}
Tensor sum_to_size(const Tensor& x, const Dims& size) {
  if (size.empty()) return sum(x);  // of one element too: integers become int64, as PyTorch has it
  bool fits = size.rank() <= x.rank();
  for (int i = 1; fits && i <= size.rank(); i++) {
    const int64_t wanted = size[size.rank() - i];
    fits = wanted == 1 || wanted == x.size(x.rank() - i);
  }
  if (!fits) raise(ErrorKind::Shape, "sum_to_size", str("sizes that expand to ", x.sizes().text()), size.text());
  return sum_to(x, size);
}
Tensor positive(const Tensor& x) {
  check(x.dtype() != DType::Bool, ErrorKind::DType, "positive", "numbers", [] { return std::string("bool"); });
  return x;
}
Tensor itself(const Tensor& x) { return x; }

// Nested lists of Python numbers, from a contiguous copy on the CPU.
PyObject* list_of(const char*& at, const Tensor& like, int dim);
PyObject* number_at(const char* at, DType dtype) {
  Scalar s;
  switch (dtype) {
    case DType::Bool: return PyBool_FromLong(*at != 0);
    case DType::U8: return PyLong_FromLong(*reinterpret_cast<const uint8_t*>(at));
    case DType::I8: return PyLong_FromLong(*reinterpret_cast<const int8_t*>(at));
    case DType::I16: return PyLong_FromLong(*reinterpret_cast<const int16_t*>(at));
    case DType::I32: return PyLong_FromLong(*reinterpret_cast<const int32_t*>(at));
    case DType::I64: return PyLong_FromLongLong(*reinterpret_cast<const int64_t*>(at));
    case DType::F32: return PyFloat_FromDouble(*reinterpret_cast<const float*>(at));
    case DType::F64: return PyFloat_FromDouble(*reinterpret_cast<const double*>(at));
    case DType::C64: {
      const float* v = reinterpret_cast<const float*>(at);
      return PyComplex_FromDoubles(v[0], v[1]);
    }
    case DType::C128: {
      const double* v = reinterpret_cast<const double*>(at);
      return PyComplex_FromDoubles(v[0], v[1]);
    }
    default: return nullptr;  // half types were converted
  }
}
PyObject* list_of(const char*& at, const Tensor& like, int dim) {
  if (dim == like.rank()) {
    PyObject* number = checked(number_at(at, like.dtype()));
    at += like.item_size();
    return number;
  }
  auto list = pybind11::reinterpret_steal<pybind11::object>(checked(PyList_New(like.size(dim))));
  for (int64_t i = 0; i < like.size(dim); i++) PyList_SET_ITEM(list.ptr(), i, list_of(at, like, dim + 1));
  return list.release().ptr();
}
PyObject* to_list(const Tensor& x) {
  GradMode mode(false);
  const bool half = x.dtype() == DType::F16 || x.dtype() == DType::BF16;
  const Tensor plain = contiguous(to(half ? to(x, DType::F32) : x, {}, Device{}));
  const char* at = plain.data();
  return list_of(at, plain, 0);
}

}  // namespace

std::vector<Op> copy_rows() {
  std::vector<Op> rows = {
      op<&to_dtype, &to_other, &to_device>(
          "to",
          "input, dtype, non_blocking=False, copy=False, *, memory_format=None | "
          "input, other, non_blocking=False, copy=False, *, memory_format=None | "
          "input, device=None, dtype=None, non_blocking=False, copy=False, *, memory_format=None",
          "On another device or of another dtype (or those of a tensor); itself where nothing changes.\n\n"
          "Example: >>> bolide.ones(2).to(bolide.float64)\nReference: torch.Tensor.to.",
          kMethod),
      op<&to_cpu>("cpu", "input, memory_format=None", "On the CPU; itself where it is there.", kMethod),
      op<&to_cuda>("cuda", "input, device=None, non_blocking=False, memory_format=None", "On a CUDA device.", kMethod),
      op<&type_of_tensor>("type", "input, dtype=None, non_blocking=False",
                          "Of another dtype; without one, the name of its type, as 'bolide.FloatTensor'.\n\n"
                          "Reference: torch.Tensor.type.",
                          kMethod),
      op<&type_as>("type_as", "input, other", "With the dtype and on the device of other.", kMethod),
      op<&clone_tensor>("clone", "input, *, memory_format=None",
                        "A copy, part of the graph.\n\nReference: torch.clone."),
      op<&make_contiguous>("contiguous", "input, memory_format=None",
                           "Itself if contiguous in the format, else a copy that is.", kMethod),
      op<&detach_tensor>("detach", "input", "On the same storage, without history.\n\nReference: torch.Tensor.detach."),
      op<&copy_into>("copy_", "input, other, non_blocking=False",
                     "Takes the values of other, which broadcasts and is converted.\n\nReference: "
                     "torch.Tensor.copy_.",
                     kMethod),
      op<&filled>("fill", "input, value", "A tensor of this shape and dtype of one value.\n\nReference: torch.fill.",
                  kFunction),
      op<&same_size>("is_same_size", "input, other", "Have both the same shape?"),
      op<&is_true>("is_nonzero", "input",
                   "Is its one element not zero?\n\nRaises: BolideError if there are none or several.\n"
                   "Reference: torch.is_nonzero."),
      op<&as_complex>("__complex__", "input", "For complex(): the one element.", kMethod),
      op<&reversed>("__reversed__", "input", "For reversed(): flipped along the first dimension.", kMethod),
      op<&fill_value>("fill_", "input, value", "Sets every element to one value.", kMethod),
      op<&zero_>("zero_", "input", "Sets every element to zero.", kMethod),
      op<&concatenate>("cat", "tensors, dim=0",
                       "Tensors one after the other along dim.\n\nRaises: ShapeError if other sizes differ.\n"
                       "Example: >>> bolide.cat([bolide.ones(2), bolide.zeros(3)])\nReference: torch.cat.",
                       kFunction),
      op<&stack_list>("stack", "tensors, dim=0",
                      "Tensors of one shape along a new dimension.\n\nRaises: ShapeError if the shapes differ.\n"
                      "Example: >>> bolide.stack([bolide.ones(2), bolide.zeros(2)])\nReference: torch.stack.",
                      kFunction),
      op<&one_element>("item", "input",
                       "The one element as a Python number; waits for the device.\n\nRaises: BolideError if there are "
                       "more or none.\nReference: torch.Tensor.item.",
                       kMethod),
      op<&to_list>("tolist", "input", "Nested lists of Python numbers.", kMethod),
      op<&checked_size>("size", "input, dim=None", "The sizes, or that of one dimension.", kMethod),
      op<&checked_stride>("stride", "input, dim=None", "The strides in elements, or that of one dimension.", kMethod),
      op<&numel>("numel", "input", "The number of elements."),
      op<&dimensions>("dim", "input", "The number of dimensions.", kMethod),
      op<&element_size>("element_size", "input", "Bytes of an element.", kMethod),
      op<&storage_offset>("storage_offset", "input", "Elements before the first one in the storage.", kMethod),
      op<&data_ptr>("data_ptr", "input", "The address of the first element.", kMethod),
      op<&device_index>("get_device", "input", "The number of its CUDA device, -1 for the CPU.", kMethod),
      op<&has_format>("is_contiguous", "input, memory_format=None",
                      "In row-major order (or that of the format), without gaps?", kMethod),
      op<&has_float>("is_floating_point", "input", "Is the dtype a real floating-point one?"),
      op<&has_complex>("is_complex", "input", "Is the dtype a complex one?"),
      op<&has_sign>("is_signed", "input", "Can the dtype hold negative numbers?"),
      op<&is_view>("_is_view", "input", "Does it show the memory of another tensor, as autograd sees it?", kMethod),
      op<&is_set_to>("is_set_to", "input, tensor", "Same storage, offset, sizes and strides?", kMethod),
      op<&sum_to_size>("sum_to_size", "input, size...", "Summed over what was broadcast from these sizes.", kMethod),
      op<&positive>("positive", "input", "Itself; raises for bool.\n\nReference: torch.positive."),
      op<&is_tensor_object>("is_tensor", "obj", "Is it a Tensor?", kFunction),
      op<&record_on>("record_stream", "input, stream",
                     "Says that work on this stream uses the tensor: its memory is not reused before that is done.",
                     kMethod),
      op<&never>("is_pinned", "input", "Is the memory page-locked?", kMethod),
      op<&itself>("pin_memory", "input", "Itself: bolide copies to a device from any memory.", kMethod),
  };
  auto method = [&](Op row) { rows.push_back(std::move(row)); };
#define BOLIDE_AS(name, type) \
  method(op<&as_dtype<DType::type>>(#name, "input, memory_format=None", "Converted to this dtype; itself where it has it.", kMethod))
  BOLIDE_AS(float, F32);
  BOLIDE_AS(double, F64);
  BOLIDE_AS(half, F16);
  BOLIDE_AS(bfloat16, BF16);
  BOLIDE_AS(long, I64);
  BOLIDE_AS(int, I32);
  BOLIDE_AS(short, I16);
  BOLIDE_AS(char, I8);
  BOLIDE_AS(byte, U8);
  BOLIDE_AS(bool, Bool);
  BOLIDE_AS(cfloat, C64);
  BOLIDE_AS(cdouble, C128);
#undef BOLIDE_AS
  auto add_alias = [&](const char* of, const char* name) {
    for (size_t i = 0; i < rows.size(); i++)
      if (rows[i].name == of) return rows.push_back(alias_of(rows[i], name));
  };
  add_alias("cat", "concat");
  add_alias("cat", "concatenate");
  add_alias("numel", "nelement");
  add_alias("dim", "ndimension");
  return rows;
}

}  // namespace bolide::python

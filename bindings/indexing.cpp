// indexing.cpp - x[...] and x[...] = value: from Python's keys to the runtime's.
#include <cmath>

#include "bindings/creation.h"
#include "bindings/elementwise.h"
#include "bindings/operators.h"
#include "bindings/ops_table.h"
#include "bindings/overrides.h"

namespace bolide::python {
namespace {

// The keys of one subscript. A few stand on the stack; more are rare.
class Keys {
 public:
  explicit Keys(PyObject* key) {
    const bool several = PyTuple_Check(key) || (PyList_Check(key) && means_tuple(key));
    if (several) add_all(PySequence_Fast_ITEMS(key), PySequence_Fast_GET_SIZE(key));
    else add(key);
  }
  std::span<const Key> span() const { return more_.empty() ? std::span<const Key>(few_, count_) : more_; }

 private:
  static constexpr size_t kFew = 4;
  // A list with a slice, None or Ellipsis in it is a tuple of keys, as in PyTorch; any other is a tensor of indices.
  static bool means_tuple(PyObject* list) {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
      PyObject* o = PyList_GET_ITEM(list, i);
      if (PySlice_Check(o) || o == Py_Ellipsis || o == Py_None) return true;
    }
    return false;
  }
  void add_all(PyObject* const* items, Py_ssize_t n) {
    for (Py_ssize_t i = 0; i < n; i++) add(items[i]);
  }
  Key& next() {
    if (more_.empty() && count_ < kFew) return few_[count_++];
    if (more_.empty()) more_.assign(few_, few_ + count_);
    if (more_.size() >= 2 * size_t(kMaxRank)) [[unlikely]]
      raise(ErrorKind::Index, "index", str("at most ", 2 * kMaxRank, " keys"), "more");
    return more_.emplace_back();
  }
  void add(PyObject* o) {
    if (PyLong_CheckExact(o)) add_int(o);
    else if (PySlice_Check(o)) add_slice(o);
    else if (o == Py_None) next().kind = Key::None;
    else if (o == Py_Ellipsis) next().kind = Key::Ellipsis;
    else if (o == Py_True || o == Py_False) add_index(full({}, Scalar(o == Py_True), {DType::Bool, {}}));
    else if (is_tensor(o)) add_index(unwrap(o));
    else if (is_numpy_array(o)) add_index(tensor_from(o, {}, {}));
    else if (is_numpy_bool(o)) add_index(full({}, Scalar(PyObject_IsTrue(o) == 1), {DType::Bool, {}}));
    else if (PyIndex_Check(o)) add_int(o);
    else if (PyList_Check(o) || PyTuple_Check(o) || PyRange_Check(o)) add_list(o);
    else if (PyUnicode_Check(o)) throw Mismatch{o, "no string as index"};
    else
      raise(ErrorKind::Index, "index", "an int, slice, None, Ellipsis, bool, list, array or Tensor as index",
            type_name(o));
  }
  static bool is_numpy_bool(PyObject* o) {
    const auto s = is_scalar(o) ? scalar_of(o) : std::nullopt;
    return s && s->kind == Scalar::Bool;
  }
  void add_int(PyObject* o) {
    const Py_ssize_t v = PyNumber_AsSsize_t(o, PyExc_IndexError);
    if (v == -1 && PyErr_Occurred()) raise_too_large("index", o, ErrorKind::Index);
    next().start = v;
  }
  void add_slice(PyObject* o) {
    Py_ssize_t start, stop, step;
    if (PySlice_Unpack(o, &start, &stop, &step) < 0) throw Raised{};
    Key& key = next();
    key.kind = Key::Slice, key.start = start, key.step = step;
    key.stop = std::max<int64_t>(stop, Key::kDefault + 1);  // the least number means "absent" there
  }
  void add_index(const Tensor& t) {
    Key& key = next();
    const bool number = !t.rank() && (t.dtype() == DType::I8 || t.dtype() == DType::I16);  // one place, as an int is
    key.kind = Key::Index, key.index = number ? to(t, DType::I64) : t;
  }
  void add_list(PyObject* o) {
    const bool empty = PySequence_Size(o) == 0;
    add_index(tensor_from(o, empty ? std::optional(DType::I64) : std::nullopt, {}));
  }

  Key few_[kFew];
  size_t count_ = 0;
  std::vector<Key> more_;
};

PyObject* subscript(PyObject* self, PyObject* key) {
  if (PyObject* answer = nullptr; overriding && ask_class(answer, "__getitem__", {self, key})) [[unlikely]]
    return answer;
  return guarded("index", [&] {
    const Tensor& x = unwrap(self);
    if (PyLong_CheckExact(key) && x.rank()) {
      const Py_ssize_t at = PyNumber_AsSsize_t(key, PyExc_IndexError);
      if (at == -1 && PyErr_Occurred()) raise_too_large("index", key, ErrorKind::Index);
      return wrap(bolide::select(x, 0, at));
    }
    const Keys keys(key);
    return wrap(index(x, keys.span()));
  });
}

int assign(PyObject* self, PyObject* key, PyObject* value) {
  if (PyObject* answer = nullptr; overriding && value && ask_class(answer, "__setitem__", {self, key, value}))
      [[unlikely]] {
    Py_XDECREF(answer);
    return answer ? 0 : -1;
  }
  return guarded_int("index", [&] {
    if (!value) raise(ErrorKind::Type, "index", "a value", "a deletion, which tensors do not support");
    const Keys keys(key);
    const Tensor& x = unwrap(self);
    Arg arg = Scalar();
    Tensor made;
    if (read_arg(value, arg, made)) {
      // A half that is too large becomes infinite here; in fill_() it is an error, as in PyTorch.
      const bool half = x.dtype() == DType::F16 || x.dtype() == DType::BF16;
      if (!arg.tensor && !half) arg = Arg(fitting("index_put_", arg.scalar, x.dtype()));
      if (!arg.tensor && half && std::abs(arg.scalar.real) > 65504 && !arg.scalar.imaginary)
        arg = Arg(item(to(full({}, Scalar(arg.scalar.real), {DType::F64, {}}), x.dtype())));
      if (key == Py_False) return 0;  // no element
      if (arg.tensor) index_put_(x, keys.span(), *arg.tensor);
      else index_put_(x, keys.span(), arg.scalar);
    } else if (is_list(value)) {
      index_put_(x, keys.span(), tensor_from(value, x.dtype(), {}));
    } else {
      throw Mismatch{value, "a Tensor, a number, an array or a list as value"};
    }
    return 0;
  });
}

PyObject* nonzero_rows(const Tensor& x, bool as_tuple) {
  if (as_tuple) return tuple_of(nonzero_by_dim(x));
  return wrap(nonzero(x));
}
Tensor rows_of_indices(const Tensor& x) { return nonzero(x); }
Tensor selected(const Tensor& x, int64_t dim, const Tensor& places) { return index_select(x, dim, places); }
Tensor gathered(const Tensor& x, int64_t dim, const Tensor& places, bool) { return gather(x, dim, places); }

// ---- a family: in place, and with a copy ----------------------------------------------------------------------
template <auto inplace, class... A>
Tensor on_copy(const Tensor& x, A... arguments) {
  const Tensor y = clone(x);
  inplace(y, arguments...);
  return y;
}

void put_at_keys(const Tensor& x, PyObject* indices, const Tensor& values, bool accumulate) {
  if (!is_list(indices)) throw Mismatch{indices, "a tuple of Tensors or None"};
  std::vector<Key> keys;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(indices); i++) {
    PyObject* o = PySequence_Fast_GET_ITEM(indices, i);
    Key& key = keys.emplace_back();
    key.kind = o == Py_None ? Key::Slice : Key::Index;
    if (o == Py_None) key.start = key.stop = key.step = Key::kDefault;
    else key.index = Convert<Tensor>::get(o);
  }
  if (values.dtype() != x.dtype())
    raise(ErrorKind::DType, "index_put_", str("values of dtype ", name_of(x.dtype())), name_of(values.dtype()));
  index_put_(x, keys, values, accumulate);
}
void add_rows_(const Tensor& x, int64_t dim, const Tensor& places, const Tensor& source, const Scalar& alpha) {
  index_add_(x, dim, places, source, alpha);
}
void copy_rows_(const Tensor& x, int64_t dim, const Tensor& places, const Tensor& source) {
  index_copy_(x, dim, places, source);
}
void fill_rows_(const Tensor& x, int64_t dim, const Tensor& places, const Arg& value) {
  index_fill_(x, dim, places, value);
}
Tensor reduce_rows(const Tensor& x, int64_t dim, const Tensor& places, const Tensor& source, std::string_view reduce,
                   bool include_self) {
  return index_reduce(x, dim, places, source, reduce, include_self);
}
void reduce_rows_(const Tensor& x, int64_t dim, const Tensor& places, const Tensor& source, std::string_view reduce,
                  bool include_self) {
  index_reduce_(x, dim, places, source, reduce, include_self);
}
using Reduce = std::optional<std::string_view>;
void scatter_source(const Tensor& x, int64_t dim, const Tensor& places, const Tensor& source, Reduce reduce) {
  scatter_(x, dim, places, source, reduce.value_or(""));
}
void scatter_value(const Tensor& x, int64_t dim, const Tensor& places, const Scalar& value, Reduce reduce) {
  scatter_(x, dim, places, value, reduce.value_or(""));
}
void scatter_sum_(const Tensor& x, int64_t dim, const Tensor& places, const Tensor& source) {
  scatter_add_(x, dim, places, source);
}
Tensor reduce_elements(const Tensor& x, int64_t dim, const Tensor& places, const Tensor& source,
                       std::string_view reduce, bool include_self) {
  return scatter_reduce(x, dim, places, source, reduce, include_self);
}
void reduce_elements_(const Tensor& x, int64_t dim, const Tensor& places, const Tensor& source, std::string_view reduce,
                      bool include_self) {
  scatter_reduce_(x, dim, places, source, reduce, include_self);
}
void put_flat(const Tensor& x, const Tensor& places, const Tensor& source, bool accumulate) {
  put_(x, places, source, accumulate);
}
void fill_from(const Tensor& x, const Tensor& mask, const Tensor& source) { masked_scatter_(x, mask, source); }
Tensor filled_from(const Tensor& x, const Tensor& mask, const Tensor& source) {
  const Dims sizes = broadcast_sizes("masked_scatter", x.sizes(), mask.sizes());
  const Tensor y = contiguous(clone(expand(x, sizes)));
  masked_scatter_(y, mask, source);
  return y;
}

}  // namespace

std::vector<PyType_Slot> indexing_slots() {
  return {{Py_mp_subscript, reinterpret_cast<void*>(subscript)},
          {Py_mp_ass_subscript, reinterpret_cast<void*>(assign)}};
}

std::vector<Op> indexing_rows() {
  using T = const Tensor&;
  std::vector<Op> rows = {
      op<&nonzero_rows>("nonzero", "input, *, as_tuple=False",
                        "Where elements are not zero: one row of indices each, or one tensor per dimension.\n\n"
                        "Waits for the device. Reference: torch.nonzero."),
      op<&rows_of_indices>("argwhere", "input", "nonzero().\n\nReference: torch.argwhere."),
      op<&masked_select>("masked_select", "input, mask",
                         "The elements where the mask is true, as one dimension.\n\nReference: torch.masked_select."),
      op<&selected>("index_select", "input, dim, index",
                    "The places of index along dim.\n\nRaises: IndexError outside.\nReference: torch.index_select."),
      op<&gathered>("gather", "input, dim, index, *, sparse_grad=False",
                    "out[i][j] = input[index[i][j]][j] for dim 0, and so on.\n\nReference: torch.gather."),
      op<&take>("take", "input, index",
                "Elements by their numbers in row-major order, in the shape of index.\n\nReference: torch.take."),
      op<&take_along_dim>("take_along_dim", "input, indices, dim=None",
                          "gather() with input and indices broadcast; of the flattened tensor without dim.\n\n"
                          "Reference: torch.take_along_dim."),
  };
  // One op: its form with a copy and the one in place.
  const auto both = [&]<auto copied, auto inplace>(const char* name, const char* arguments, const char* doc) {
    rows.push_back(op<copied>(name, arguments, doc));
    const std::string doc_inplace = std::string("In-place form of ") + name + "(); later ones win where places repeat.";
    rows.push_back(op<inplace>((std::string(name) + "_").c_str(), arguments, doc_inplace.c_str(), kMethod));
  };
  both.operator()<&on_copy<put_at_keys, PyObject*, T, bool>, &put_at_keys>(
      "index_put", "input, indices, values, accumulate=False",
      "A copy with input[indices] = values, or += with accumulate. indices: a tuple of tensors, None for a whole "
      "dimension.\n\nReference: torch.index_put.");
  both.operator()<&on_copy<add_rows_, int64_t, T, T, const Scalar&>, &add_rows_>(
      "index_add", "input, dim, index, source, *, alpha=1",
      "A copy with alpha * source added at the places of index along dim.\n\nDeterministic where places repeat. "
      "Raises: IndexError outside.\nReference: torch.index_add.");
  both.operator()<&on_copy<copy_rows_, int64_t, T, T>, &copy_rows_>(
      "index_copy", "input, dim, index, source",
      "A copy with source at the places of index along dim.\n\nRaises: IndexError outside.\nReference: "
      "torch.index_copy.");
  both.operator()<&on_copy<fill_rows_, int64_t, T, const Arg&>, &fill_rows_>(
      "index_fill", "input, dim, index, value",
      "A copy with one value at the places of index along dim.\n\nReference: torch.index_fill.");
  both.operator()<&reduce_rows, &reduce_rows_>(
      "index_reduce", "input, dim, index, source, reduce, *, include_self=True",
      "A copy with source combined into the places of index along dim: by 'prod', 'mean', 'amax' or 'amin'.\n\n"
      "Reference: torch.Tensor.index_reduce_.");
  rows.push_back(
      op<&on_copy<scatter_source, int64_t, T, T, Reduce>, &on_copy<scatter_value, int64_t, T, const Scalar&, Reduce>>(
          "scatter", "input, dim, index, src, *, reduce=None | input, dim, index, value, *, reduce=None",
          "A copy with out[index[i][j]][j] = src[i][j] for dim 0, and so on; reduce: 'add' or 'multiply' to what is "
          "there.\n\nRaises: IndexError outside.\nReference: torch.scatter."));
  rows.push_back(op<&scatter_source, &scatter_value>(
      "scatter_", "input, dim, index, src, *, reduce=None | input, dim, index, value, *, reduce=None",
      "In-place form of scatter(); later ones win where places repeat.", kMethod));
  both.operator()<&on_copy<scatter_sum_, int64_t, T, T>, &scatter_sum_>(
      "scatter_add", "input, dim, index, src",
      "scatter() that adds, in the same order on every run.\n\nReference: torch.scatter_add.");
  both.operator()<&reduce_elements, &reduce_elements_>(
      "scatter_reduce", "input, dim, index, src, reduce, *, include_self=True",
      "scatter() that combines by 'sum', 'prod', 'mean', 'amax' or 'amin', with input's own elements or "
      "without.\n\nReference: torch.scatter_reduce.");
  both.operator()<&on_copy<put_flat, T, T, bool>, &put_flat>(
      "put", "input, index, source, accumulate=False",
      "A copy with source at elements by their numbers in row-major order.\n\nReference: torch.put.");
  both.operator()<&filled_from, &fill_from>(
      "masked_scatter", "input, mask, source",
      "A copy whose elements where the mask is true are taken from source in order.\n\nReference: "
      "torch.masked_scatter.");
  return rows;
}

}  // namespace bolide::python

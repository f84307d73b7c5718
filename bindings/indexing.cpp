// indexing.cpp - x[...] and x[...] = value: from Python's keys to the runtime's.
#include "bindings/creation.h"
#include "bindings/elementwise.h"
#include "bindings/operators.h"
#include "bindings/ops_table.h"

namespace bolide::python {
namespace {

// The keys of one subscript. A few stand on the stack; more are rare.
class Keys {
 public:
  explicit Keys(PyObject* key) {
    if (PyTuple_Check(key)) add_all(PySequence_Fast_ITEMS(key), PyTuple_GET_SIZE(key));
    else add(key);
  }
  std::span<const Key> span() const { return more_.empty() ? std::span<const Key>(few_, count_) : more_; }

 private:
  static constexpr size_t kFew = 4;
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
    else throw Mismatch{o, "an int, slice, None, Ellipsis, bool, list, array or Tensor as index"};
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
    key.kind = Key::Index, key.index = t;
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
  return guarded_int("index", [&] {
    if (!value) raise(ErrorKind::Type, "index", "a value", "a deletion, which tensors do not support");
    const Keys keys(key);
    const Tensor& x = unwrap(self);
    Arg arg = Scalar();
    Tensor made;
    if (read_arg(value, arg, made)) {
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
  if (as_tuple) return tuple_of(unbind(nonzero(x), 1));
  return wrap(nonzero(x));
}
Tensor selected(const Tensor& x, int64_t dim, const Tensor& places) { return index_select(x, dim, places); }
Tensor gathered(const Tensor& x, int64_t dim, const Tensor& places, bool) { return gather(x, dim, places); }

}  // namespace

std::vector<PyType_Slot> indexing_slots() {
  return {{Py_mp_subscript, reinterpret_cast<void*>(subscript)},
          {Py_mp_ass_subscript, reinterpret_cast<void*>(assign)}};
}

std::vector<Op> indexing_rows() {
  return {
      op<&nonzero_rows>("nonzero", "input, *, as_tuple=False",
                        "Where elements are not zero: one row of indices each, or one tensor per dimension.\n\n"
                        "Waits for the device. Reference: torch.nonzero."),
      op<&masked_select>("masked_select", "input, mask",
                         "The elements where the mask is true, as one dimension.\n\nReference: torch.masked_select."),
      op<&selected>("index_select", "input, dim, index",
                    "The places of index along dim.\n\nRaises: IndexError outside.\nReference: torch.index_select."),
      op<&gathered>("gather", "input, dim, index, *, sparse_grad=False",
                    "out[i][j] = input[index[i][j]][j] for dim 0, and so on.\n\nReference: torch.gather."),
  };
}

}  // namespace bolide::python

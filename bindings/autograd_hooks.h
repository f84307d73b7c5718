// autograd_hooks.h - Python functions that see gradients on their way.
//
// A hook is owned by the graph (or by the tensor's accumulator), and the object of the tensor knows it too: so the
// garbage collector can follow tensor -> hook -> whatever the function refers to, often the tensor again.
#pragma once
#include <memory>

#include "bindings/tensor_type.h"
#include "runtime/autograd.h"

namespace bolide::python {

struct Hook {
  PyObject* function;    // null once it was removed
  Node* node = nullptr;  // where it stands; null: in the tensor's list of hooks after accumulation
  uint64_t id = 0;

  explicit Hook(PyObject* f) : function(Py_NewRef(f)) {}
  Hook(const Hook&) = delete;
  ~Hook() { drop_reference(function); }
  // Is there no other way to it than through this tensor's object?
  bool is_owned_by(const Tensor& t) const;
  void drop();
  // function(g): the tensor that it returns, unset for None. Takes the GIL.
  Tensor call(const Tensor& g) const;
};

// While it lives, hooks of this thread are running, and none may be taken out of its list.
class HooksRunning {
 public:
  HooksRunning() { depth_++; }
  ~HooksRunning() { depth_--; }
  static bool any() { return depth_ > 0; }

 private:
  static inline thread_local int depth_ = 0;
};

PyObject* register_hook(PyObject* self, PyObject* function);
PyObject* register_post_hook(PyObject* self, PyObject* function);

}  // namespace bolide::python

// properties.cpp - attributes of Tensor: shape, dtype, device, grad, data, T and the like.
#include "bindings/properties.h"

#include "bindings/convert.h"
#include "bindings/node_type.h"
#include "runtime/autograd.h"
#include "runtime/ops.h"

namespace bolide::python {

namespace {

PyObject* shape(PyObject* self, void*) { return sizes_to_python(unwrap(self).sizes()); }
PyObject* dtype(PyObject* self, void*) { return dtype_to_python(unwrap(self).dtype()); }
PyObject* device(PyObject* self, void*) {
  return guarded("device", [&] { return device_to_python(unwrap(self).device()); });
}
PyObject* ndim(PyObject* self, void*) { return PyLong_FromLong(unwrap(self).rank()); }
PyObject* nbytes(PyObject* self, void*) { return PyLong_FromLongLong(unwrap(self).numel() * unwrap(self).item_size()); }
PyObject* itemsize(PyObject* self, void*) { return PyLong_FromLongLong(unwrap(self).item_size()); }
PyObject* is_cuda(PyObject* self, void*) { return PyBool_FromLong(!unwrap(self).device().is_cpu()); }
PyObject* is_cpu(PyObject* self, void*) { return PyBool_FromLong(unwrap(self).device().is_cpu()); }
PyObject* no(PyObject*, void*) { Py_RETURN_FALSE; }
PyObject* layout(PyObject*, void*) { return Py_NewRef(strided_layout()); }
PyObject* version(PyObject* self, void*) {
  return guarded("_version", [&] {
    check(!unwrap(self)->inference, ErrorKind::Runtime, "_version", "a tensor made outside inference mode",
          [] { return std::string("an inference tensor: Inference tensors do not track version counter"); });
    return PyLong_FromUnsignedLong(unwrap(self).version());
  });
}
PyObject* base(PyObject* self, void*) { return wrap(Tensor(unwrap(self)->base)); }
PyObject* inference(PyObject* self, void*) { return PyBool_FromLong(unwrap(self)->inference); }

PyObject* transposed(PyObject* self, void*) {
  return guarded("T", [&] {
    const Tensor& x = unwrap(self);
    if (x.rank() == 2) return wrap(transpose(x, 0, 1));
    Dims order(x.rank());
    for (int i = 0; i < x.rank(); i++) order[i] = x.rank() - 1 - i;
    return wrap(permute(x, order));
  });
}
PyObject* matrix_transposed(PyObject* self, void*) {
  return guarded("mT", [&] {
    const Tensor& x = unwrap(self);
    check(x.rank() != 1, ErrorKind::Shape, "mT", "at least two dimensions", [&] { return x.sizes().text(); });
    return x.rank() ? wrap(transpose(x, -2, -1)) : Py_NewRef(self);
  });
}

PyObject* real_part(PyObject* self, void*) {
  return guarded("real", [&] { return wrap(real(unwrap(self))); });
}
PyObject* imaginary_part(PyObject* self, void*) {
  return guarded("imag", [&] { return wrap(imag(unwrap(self))); });
}
int put(const Tensor& part, PyObject* value) {
  if (!value) throw Mismatch{value, "Tensor or number"};
  if (is_scalar(value)) fill_(part, Convert<Scalar>::get(value));
  else copy_(part, Convert<Tensor>::get(value));
  return 0;
}
int set_real_part(PyObject* self, PyObject* value, void*) {
  return guarded_int("real", [&] { return put(real(unwrap(self)), value); });
}
int set_imaginary_part(PyObject* self, PyObject* value, void*) {
  return guarded_int("imag", [&] { return put(imag(unwrap(self)), value); });
}
// Conjugate transposes; of real numbers that is the transpose.
PyObject* adjoint_matrix(PyObject* self, void*) {
  return guarded("H", [&] {
    const Tensor& x = unwrap(self);
    check(x.rank() == 2 || x.rank() == 0, ErrorKind::Shape, "H", "a matrix (mH takes batches)",
          [&] { return x.sizes().text(); });
    return wrap(conj(transpose(x, 0, -1)));
  });
}
PyObject* adjoint_matrices(PyObject* self, void*) {
  return guarded("mH", [&] {
    const Tensor& x = unwrap(self);
    check(x.rank() != 1, ErrorKind::Shape, "mH", "at least two dimensions", [&] { return x.sizes().text(); });
    return wrap(conj(x.rank() ? transpose(x, -2, -1) : x));
  });
}

// ---- autograd ------------------------------------------------------------------------------------------------
PyObject* requires_grad(PyObject* self, void*) { return PyBool_FromLong(unwrap(self).requires_grad()); }
int set_requires(PyObject* self, PyObject* value, void*) {
  return guarded_int("requires_grad", [&] {
    if (!value) raise(ErrorKind::Type, "requires_grad", "a bool", "a deletion");
    check(is_leaf(unwrap(self)), ErrorKind::Runtime, "requires_grad", "a leaf",
          [] { return std::string("a tensor with a grad_fn"); });
    set_requires_grad(unwrap(self), Convert<bool>::get(value));
    return 0;
  });
}
PyObject* gradient(PyObject* self, void*) {
  return guarded("grad", [&] {
    const Tensor& t = unwrap(self);
    Tensor g = grad(t);
    if (!g && t->autograd && !t->autograd->retains_grad && !is_leaf(t) &&
        PyErr_WarnEx(PyExc_UserWarning,
                     "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute "
                     "won't be populated during autograd.backward(). If you want it, use .retain_grad() on the "
                     "non-leaf Tensor.",
                     1) < 0)
      throw Raised{};
    return wrap(std::move(g));
  });
}
int set_gradient(PyObject* self, PyObject* value, void*) {
  return guarded_int("grad", [&] {
    const bool none = !value || value == Py_None;
    if (!none && !is_tensor(value)) throw Mismatch{value, "a Tensor or None"};
    if (!none && value == self) raise(ErrorKind::Runtime, "grad", "another tensor", "the tensor itself");
    set_grad(unwrap(self), none ? Tensor() : Convert<Tensor>::get(value));
    return 0;
  });
}
PyObject* history(PyObject* self, void*) {
  return guarded("grad_fn", [&] {
    const Ref<Node> node = grad_fn(unwrap(self));
    if (node) track(self);  // hooks on the node may refer to the tensor
    return node_to_python(node);
  });
}
PyObject* leaf(PyObject* self, void*) {
  return guarded("is_leaf", [&] { return PyBool_FromLong(is_leaf(unwrap(self))); });
}
PyObject* retains(PyObject* self, void*) {
  const AutogradMeta* meta = unwrap(self)->autograd;
  return PyBool_FromLong(meta && meta->retains_grad);
}
PyObject* output_number(PyObject* self, void*) {
  const AutogradMeta* meta = unwrap(self)->autograd;
  return PyLong_FromUnsignedLong(meta ? meta->output : 0);
}

// ---- data ----------------------------------------------------------------------------------------------------
PyObject* data(PyObject* self, void*) {
  return guarded("data", [&] {  // unlike detach(): in-place ops on it do not count for the tensor
    Tensor t = alias(unwrap(self));
    t->own_version = Ref<VersionCounter>::steal(new VersionCounter);
    return wrap(std::move(t));
  });
}
// The tensor takes over storage, shape and dtype; its history, hooks and grad stay.
int assign_data(PyObject* self, PyObject* value, void*) {
  return guarded_int("data", [&] {
    if (!value) raise(ErrorKind::Type, "data", "a Tensor", "a deletion");
    const Tensor from = Convert<Tensor>::get(value);
    const Tensor& to = unwrap(self);
    check(!to.requires_grad() || is_differentiable(from.dtype()), ErrorKind::DType, "data",
          "a floating-point or complex dtype for a tensor that requires grad", [&] { return describe(from); });
    set_data(to, from);
    return 0;
  });
}

}  // namespace

const std::vector<Property>& tensor_properties() {
  static const std::vector<Property> all = {
      {"shape", shape, nullptr, "Size", "The sizes."},
      {"dtype", dtype, nullptr, "dtype", "The type of the elements."},
      {"device", device, nullptr, "device", "Where the tensor is."},
      {"ndim", ndim, nullptr, "int", "The number of dimensions."},
      {"nbytes", nbytes, nullptr, "int", "Bytes of all elements."},
      {"itemsize", itemsize, nullptr, "int", "Bytes of an element."},
      {"is_cuda", is_cuda, nullptr, "bool", "Is it on a CUDA device?"},
      {"is_cpu", is_cpu, nullptr, "bool", "Is it on the CPU?"},
      {"is_sparse", no, nullptr, "bool", "Never: every tensor is strided."},
      {"is_mkldnn", no, nullptr, "bool", "Never."},
      {"is_quantized", no, nullptr, "bool", "Never."},
      {"is_meta", no, nullptr, "bool", "Never: every tensor has memory."},
      {"layout", layout, nullptr, "Any", "bolide.strided."},
      {"T", transposed, nullptr, "Tensor", "With the order of dimensions reversed: a view."},
      {"mT", matrix_transposed, nullptr, "Tensor", "With the last two dimensions swapped: a view."},
      {"H", adjoint_matrix, nullptr, "Tensor", "Of a matrix, the conjugate transpose: a view for real numbers."},
      {"mH", adjoint_matrices, nullptr, "Tensor", "Of matrices, the conjugate transposes: a view for real numbers."},
      {"real", real_part, set_real_part, "Tensor", "The real parts: a view; of a real tensor itself."},
      {"imag", imaginary_part, set_imaginary_part, "Tensor", "The imaginary parts of complex numbers: a view."},
      {"requires_grad", requires_grad, set_requires, "bool", "Does backward() compute a gradient for it?"},
      {"grad", gradient, set_gradient, "Tensor | None", "The gradient that backward() has collected, or None."},
      {"grad_fn", history, nullptr, "Any", "The node of the graph that it came from, or None."},
      {"is_leaf", leaf, nullptr, "bool", "Has it no history?"},
      {"retains_grad", retains, nullptr, "bool", "Does it keep .grad though it is no leaf?"},
      {"output_nr", output_number, nullptr, "int", "Which output of grad_fn it is."},
      {"data", data, assign_data, "Tensor", "On the same storage, without history."},
      {"__cuda_array_interface__", cuda_array_interface, nullptr, "dict[str, Any]",
       "Its memory as Numba and CuPy see it, version 3; AttributeError where it is not on CUDA."},
      {"_version", version, nullptr, "int", "How often the storage was changed in place."},
      {"_base", base, nullptr, "Tensor | None", "Of a view, the tensor that it shows."},
      {"_is_inference", inference, nullptr, "bool", "Was it made in inference mode?"},
  };
  return all;
}

}  // namespace bolide::python

// services.cpp - devices, memory, streams, threads and fused optimizer steps, bound with pybind11.
#include <pybind11/stl.h>

#include <map>

#include "bindings/convert.h"
#include "bindings/module.h"
#include "bindings/properties.h"
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu/openblas.h"
#include "kernels/threads.h"
#include "runtime/backend.h"
#include "runtime/late_release.h"
#include "runtime/ops.h"

namespace py = pybind11;

namespace bolide::python {
namespace {

Device cuda_device(const py::object& device) {  // None: the current one
  const Device d = device.is_none() ? parse_device("cuda") : Convert<Device>::get(device.ptr());
  check(!d.is_cpu(), ErrorKind::Value, "cuda", "a CUDA device", [] { return std::string("cpu"); });
  check_device(d);
  return d;
}
struct Named {
  const char* name;
};

Backend& backend_at(Device d) { return *backend_of(d.type).backend; }

// ---- streams and events --------------------------------------------------------------------------------------
struct Stream {
  Device device;
  StreamHandle handle;
};
// Streams of objects that have gone are used again and never destroyed: work may still be queued there, a thread may have
// one as its current stream, and memory that was used there is asked about when it is freed.
std::vector<StreamHandle>& idle_streams(Device device) {
  static auto* all = new std::map<int, std::vector<StreamHandle>>;  // guarded by the GIL
  return (*all)[device.index];
}
std::shared_ptr<Stream> make_stream(const py::object& device) {
  const Device d = cuda_device(device);
  std::vector<StreamHandle>& idle = idle_streams(d);
  if (idle.empty()) idle.push_back(backend_at(d).make_stream(d.index));
  const StreamHandle handle = idle.back();
  idle.pop_back();
  auto release = [](Stream* s) {
    idle_streams(s->device).push_back(s->handle);
    delete s;
  };
  return {new Stream{d, handle}, release};
}
struct Event {
  Device device;
  EventHandle handle = nullptr;
  ~Event() { reset(); }
  void reset() {
    if (handle) backend_at(device).destroy_event(std::exchange(handle, nullptr));
  }
};
StreamHandle handle_of(const std::shared_ptr<Stream>& stream, Device device) {
  return stream ? stream->handle : current_stream(device);
}

void add_streams(py::module_& m) {
  py::class_<Stream, std::shared_ptr<Stream>>(m, "_Stream", "A queue of work on a CUDA device.")
      .def(py::init(&make_stream), py::arg("device") = py::none())
      .def_property_readonly(
          "device", [](const Stream& s) { return py::reinterpret_steal<py::object>(device_to_python(s.device)); })
      .def_property_readonly("cuda_stream",
                             [](const Stream& s) { return reinterpret_cast<uintptr_t>(s.handle.handle); })
      .def(
          "synchronize", [](const Stream& s) { wait_for(s.device, s.handle); },
          "Waits until all work of the stream is done.")
      .def(
          "wait_stream",
          [](const Stream& s, const Stream& other) {
            Backend& b = backend_at(s.device);
            const EventHandle event = b.record_event(other.handle);
            b.wait_event(s.handle, event);
            b.destroy_event(event);
          },
          py::arg("stream"), "Later work of this stream waits for what the other one has now.")
      .def(
          "__eq__",
          [](const Stream& a, const Stream& b) { return a.handle.handle == b.handle.handle && a.device == b.device; },
          py::is_operator())
      .def("__hash__", [](const Stream& s) { return reinterpret_cast<uintptr_t>(s.handle.handle); });
  py::class_<Event>(m, "_Event", "A place in the work of a stream.")
      .def(py::init([] { return std::make_unique<Event>(); }))
      .def(
          "record",
          [](Event& e, const std::shared_ptr<Stream>& stream) {
            const Device d = stream ? stream->device : cuda_device(py::none());
            e.reset();
            e.device = d;
            e.handle = backend_at(d).record_event(handle_of(stream, d));
          },
          py::arg("stream") = py::none(), "Marks the end of what the stream has now.")
      .def(
          "wait",
          [](Event& e, const std::shared_ptr<Stream>& stream) {
            if (e.handle) backend_at(e.device).wait_event(handle_of(stream, e.device), e.handle);
          },
          py::arg("stream") = py::none(), "Later work of the stream waits for the mark.")
      .def(
          "query", [](const Event& e) { return !e.handle || backend_at(e.device).is_done(e.handle); },
          "Has the work before the mark been done?")
      .def(
          "synchronize",
          [](const Event& e) {
            if (e.handle) wait_for(e.device, e.handle);
          },
          "Waits for the mark.");
  m.def(
      "_current_stream",
      [](const py::object& device) {
        const Device d = cuda_device(device);
        return std::make_shared<Stream>(Stream{d, current_stream(d)});
      },
      py::arg("device") = py::none());
  m.def(
      "_default_stream",
      [](const py::object& device) {
        const Device d = cuda_device(device);
        return std::make_shared<Stream>(Stream{d, backend_at(d).default_stream(d.index)});
      },
      py::arg("device") = py::none());
  m.def("_set_stream", [](const Stream& s) { set_current_stream(s.device, s.handle); }, py::arg("stream"));
}

// ---- devices and memory --------------------------------------------------------------------------------------
Device any_device(const py::object& device) {
  return device.is_none() ? parse_device("cuda") : Convert<Device>::get(device.ptr());
}
py::dict stats_of(const py::object& device) {
  const MemoryStats s = memory_stats(any_device(device));
  py::dict out;
  out["allocated"] = s.allocated, out["peak"] = s.peak, out["reserved"] = s.reserved;
  out["largest_free"] = s.largest_free, out["live_blocks"] = s.live_blocks, out["allocations"] = s.allocations;
  return out;
}
void add_devices(py::module_& m) {
  m.def("_cuda_is_available", [] { return is_available(DeviceType::CUDA); });
  m.def("_cuda_device_count",
        [] { return is_available(DeviceType::CUDA) ? backend_of(DeviceType::CUDA).backend->device_count() : 0; });
  m.def(
      "_cuda_device_name",
      [](const py::object& d) { return backend_at(cuda_device(d)).device_name(cuda_device(d).index); },
      py::arg("device") = py::none());
  m.def(
      "_cuda_memory_info",
      [](const py::object& d) {
        size_t free_bytes = 0, total = 0;
        const Device device = cuda_device(d);
        backend_at(device).memory_info(device.index, &free_bytes, &total);
        return py::make_tuple(free_bytes, total);
      },
      py::arg("device") = py::none());
  m.def(
      "_cuda_synchronize",
      [](const py::object& d) {
        const Device device = cuda_device(d);
        const StreamHandle now = current_stream(device), standard = backend_at(device).default_stream(device.index);
        wait_for(device, now);
        if (standard.handle != now.handle) wait_for(device, standard);
      },
      py::arg("device") = py::none());
  m.def("_cuda_current_device", [] { return int(cuda_device(py::none()).index); });
  m.def("_cuda_set_device", [](const py::object& d) { set_current_device(cuda_device(d)); }, py::arg("device"));
  m.def("_memory_stats", &stats_of, py::arg("device") = py::none(), "Figures of the memory pool.");
  m.def(
      "_reset_peak_memory", [](const py::object& d) { reset_peak_memory(any_device(d)); },
      py::arg("device") = py::none());
  m.def("_empty_cache", [](const py::object& d) { empty_cache(any_device(d)); }, py::arg("device") = py::none());
  m.def(
      "_set_memory_limit", [](const py::object& d, int64_t bytes) { set_memory_limit(any_device(d), bytes); },
      py::arg("device"), py::arg("bytes"));
}

// ---- optimizers ----------------------------------------------------------------------------------------------
using Tensors = std::vector<Tensor>;
void add_optimizers(py::module_& m) {
  m.def(
      "_sgd_step",
      [](const Tensors& params, const Tensors& grads, const Tensors& buffers, double lr, double momentum,
         double dampening, double weight_decay, bool nesterov, bool maximize, bool first_step) {
        sgd_step(params, grads, buffers, {lr, momentum, dampening, weight_decay, nesterov, maximize, first_step});
      },
      py::arg("params"), py::arg("grads"), py::arg("momentum_buffers"), py::arg("lr"), py::arg("momentum"),
      py::arg("dampening"), py::arg("weight_decay"), py::arg("nesterov"), py::arg("maximize"), py::arg("first_step"),
      "One step of SGD for a whole list of parameters, in place.");
  m.def(
      "_adam_step",
      [](const Tensors& params, const Tensors& grads, const Tensors& averages, const Tensors& squares,
         const Tensors& largest, int64_t step, double lr, double beta1, double beta2, double eps, double weight_decay,
         bool decoupled, bool amsgrad, bool maximize) {
        check(amsgrad == !largest.empty() || params.empty(), ErrorKind::Value, "_adam_step",
              "max_exp_avg_sqs exactly with amsgrad", [&] { return str(largest.size(), " of them"); });
        adam_step(params, grads, averages, squares, largest,
                  {step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize});
      },
      py::arg("params"), py::arg("grads"), py::arg("exp_avgs"), py::arg("exp_avg_sqs"), py::arg("max_exp_avg_sqs"),
      py::arg("step"), py::arg("lr"), py::arg("beta1"), py::arg("beta2"), py::arg("eps"), py::arg("weight_decay"),
      py::arg("decoupled"), py::arg("amsgrad"), py::arg("maximize"),
      "One step of Adam or AdamW for a whole list of parameters, in place.");
}

}  // namespace

void record_on(const Tensor& t, PyObject* stream) {
  if (!py::isinstance<Stream>(stream)) throw Mismatch{stream, "bolide.cuda.Stream"};
  const Stream& s = *py::cast<Stream*>(py::handle(stream));
  if (s.device != t.device())
    raise(ErrorKind::Value, "record_stream", str("a stream of ", name_of(t.device())), name_of(s.device));
  record_stream(*t->storage, s.handle);
}

PyObject* strided_layout() {
  static PyObject* const strided = py::cast(Named{"strided"}).release().ptr();
  return strided;
}

constexpr const char* kFormats[] = {"preserve_format", "contiguous_format", "channels_last", "channels_last_3d"};
std::optional<MemoryFormat> memory_format_of(PyObject* o) {
  if (!py::isinstance<Named>(o)) return std::nullopt;
  const std::string_view name = py::cast<const Named&>(py::handle(o)).name;
  for (size_t i = 0; i < std::size(kFormats); i++)
    if (name == kFormats[i]) return MemoryFormat(i);
  return std::nullopt;
}

// Where packages lie, for the library that LAPACK comes from: it is looked for when it is needed.
static void tell_folders() {
  std::string folders;
  PyObject* path = PySys_GetObject("path");
  for (Py_ssize_t i = 0; path && PyList_Check(path) && i < PyList_GET_SIZE(path); i++)
    if (PyUnicode_Check(PyList_GET_ITEM(path, i)))
      if (const char* text = PyUnicode_AsUTF8(PyList_GET_ITEM(path, i))) folders += std::string(text) + "\n";
  PyErr_Clear();
  set_openblas_folders(folders.c_str());
}

void add_services(py::module_& m) {
  tell_folders();
  set_warning_hook([](const char* text) {
    if (PyErr_WarnEx(PyExc_UserWarning, text, 1) < 0) throw Raised{};  // warnings may be errors
  });
  py::class_<Named>(m, "memory_format", "An order of dimensions in memory, or a kind of storage (bolide.strided).")
      .def("__repr__", [](const Named& n) { return std::string("bolide.") + n.name; });
  m.attr("layout") = m.attr("memory_format");
  m.attr("strided") = py::handle(strided_layout());
  for (const char* name : kFormats) m.attr(name) = py::cast(Named{name});
  add_streams(m);
  add_devices(m);
  add_optimizers(m);
  m.def("get_num_threads", &thread_count, "How many threads kernels on the CPU use.");
  m.def(
      "set_num_threads",
      [](int64_t n) {
        check(n >= 1 && n <= 4096, ErrorKind::Value, "set_num_threads", "a number in [1, 4096]",
              [&] { return str(n); });
        set_thread_count(int(n));
      },
      py::arg("num"), "Sets it; results do not change with it.");
  m.def("_cpu_isa", &cpu_isa, "Which instructions the kernels on the CPU use.");
  m.def(
      "get_default_dtype", [] { return py::reinterpret_steal<py::object>(dtype_to_python(default_dtype())); },
      "The dtype of new tensors of floats.");
  m.def(
      "set_default_dtype",
      [](const py::object& d) {
        const DType t = Convert<DType>::get(d.ptr());
        check(is_float(t), ErrorKind::Type, "set_default_dtype", "a floating-point dtype",
              [&] { return std::string(name_of(t)); });
        set_default_dtype(t);
      },
      py::arg("d"), "Sets it.");
  m.def(
      "result_type",
      [](const py::object& a, const py::object& b) {
        auto read = [](PyObject* o) { return is_tensor(o) ? Arg(unwrap(o)) : Arg(Convert<Scalar>::get(o)); };
        const Arg both[] = {read(a.ptr()), read(b.ptr())};
        return py::reinterpret_steal<py::object>(dtype_to_python(promoted(both)));
      },
      py::arg("tensor1"), py::arg("tensor2"), "The dtype that an op of both gives.");
  m.def(
      "can_cast",
      [](const py::object& from, const py::object& to) {
        return can_cast(Convert<DType>::get(from.ptr()), Convert<DType>::get(to.ptr()));
      },
      py::arg("from_"), py::arg("to"),
      "May an in-place op bring numbers of one dtype into another? Not from a higher category of complex, float, "
      "integer, bool to a lower one.\n\nReference: torch.can_cast.");
  m.def(
      "promote_types",
      [](const py::object& a, const py::object& b) {
        return py::reinterpret_steal<py::object>(
            dtype_to_python(promote(Convert<DType>::get(a.ptr()), Convert<DType>::get(b.ptr()))));
      },
      py::arg("type1"), py::arg("type2"), "The smallest dtype that holds both.");
}

}  // namespace bolide::python

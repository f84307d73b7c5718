// random.cpp - random tensors, and Generator: a stream of random numbers of one's own.
//
// The runtime has one generator. A Generator keeps a state beside it, which takes its place during a call.
#include <pybind11/pybind11.h>

#include <cstring>

#include "bindings/module.h"
#include "bindings/ops_table.h"
#include "runtime/autograd.h"

namespace py = pybind11;

namespace bolide::python {
namespace {

using OptionalDType = std::optional<DType>;
using OptionalDevice = std::optional<Device>;

struct Generator {
  RandomState state{0, 0};
  bool is_default = false;
};
RandomState state_of(const Generator& g) { return g.is_default ? random_state() : g.state; }
void set_state(Generator& g, RandomState state) {
  if (g.is_default) set_random_state(state);
  else g.state = state;
}

// While it lives, the runtime draws from this generator; None: from its own.
class DrawFrom {
 public:
  explicit DrawFrom(PyObject* generator) {
    if (generator == Py_None) return;
    if (!py::isinstance<Generator>(generator)) throw Mismatch{generator, "Generator or None"};
    own_ = py::cast<Generator*>(py::handle(generator));
    if (own_->is_default) own_ = nullptr;
    if (!own_) return;
    before_ = random_state();
    set_random_state(own_->state);
  }
  ~DrawFrom() {
    if (!own_) return;
    own_->state = random_state();
    set_random_state(before_);
  }
  DrawFrom(const DrawFrom&) = delete;

 private:
  Generator* own_ = nullptr;
  RandomState before_{};
};

Tensor with_grad(Tensor t, bool requires_grad) {
  if (requires_grad) set_requires_grad(t, true);
  return t;
}
Options options_of(OptionalDType dtype, OptionalDevice device) {
  return {dtype.value_or(default_dtype()), device.value_or(Device{})};
}
Options options_like(const Tensor& t, OptionalDType dtype, OptionalDevice device) {
  return {dtype.value_or(t.dtype()), device.value_or(t.device())};
}

Tensor uniform(const Dims& size, PyObject* generator, OptionalDType dtype, OptionalDevice device, bool requires_grad) {
  DrawFrom draw(generator);
  return with_grad(rand(size, options_of(dtype, device)), requires_grad);
}
Tensor gaussian(const Dims& size, PyObject* generator, OptionalDType dtype, OptionalDevice device, bool requires_grad) {
  DrawFrom draw(generator);
  return with_grad(randn(size, options_of(dtype, device)), requires_grad);
}
Tensor uniform_like(const Tensor& t, OptionalDType dtype, OptionalDevice device, bool requires_grad) {
  return with_grad(rand(t.sizes(), options_like(t, dtype, device)), requires_grad);
}
Tensor gaussian_like(const Tensor& t, OptionalDType dtype, OptionalDevice device, bool requires_grad) {
  return with_grad(randn(t.sizes(), options_like(t, dtype, device)), requires_grad);
}
Tensor integers(int64_t low, int64_t high, const Dims& size, PyObject* generator, OptionalDType dtype,
                OptionalDevice device, bool requires_grad) {
  DrawFrom draw(generator);
  return with_grad(randint(low, high, size, {dtype.value_or(DType::I64), device.value_or(Device{})}), requires_grad);
}
Tensor integers_below(int64_t high, const Dims& size, PyObject* generator, OptionalDType dtype, OptionalDevice device,
                      bool requires_grad) {
  return integers(0, high, size, generator, dtype, device, requires_grad);
}
Tensor permutation(int64_t n, PyObject* generator, OptionalDType dtype, OptionalDevice device) {
  DrawFrom draw(generator);
  return randperm(n, {dtype.value_or(DType::I64), device.value_or(Device{})});
}
Tensor normal_of(double mean, double std, const Dims& size, PyObject* generator, OptionalDType dtype,
                 OptionalDevice device) {
  DrawFrom draw(generator);
  const Tensor out = empty(size, options_of(dtype, device));
  normal_(out, mean, std);
  return out;
}
void fill_uniform(const Tensor& self, double from, double to, PyObject* generator) {
  DrawFrom draw(generator);
  uniform_(self, from, to);
}
void fill_normal(const Tensor& self, double mean, double std, PyObject* generator) {
  DrawFrom draw(generator);
  normal_(self, mean, std);
}
Tensor bernoulli(const Tensor& probability, PyObject* generator) {
  DrawFrom draw(generator);
  GradMode mode(false);
  const Options options{is_float(probability.dtype()) ? probability.dtype() : DType::F32, probability.device()};
  return to(lt(rand(probability.sizes(), options), probability), probability.dtype());
}
void fill_bernoulli(const Tensor& self, double p, PyObject* generator) {
  DrawFrom draw(generator);
  check(p >= 0 && p <= 1, ErrorKind::Value, "bernoulli_", "a probability in [0, 1]", [&] { return str(p); });
  copy_(self, lt(rand(self.sizes(), {DType::F32, self.device()}), p));
}

// ---- states --------------------------------------------------------------------------------------------------
uint64_t seed_of(const py::int_& seed) {  // also negative numbers, as PyTorch takes them
  const long long v = PyLong_AsLongLong(seed.ptr());
  if (v != -1 || !PyErr_Occurred()) return uint64_t(v);
  PyErr_Clear();
  const unsigned long long u = PyLong_AsUnsignedLongLong(seed.ptr());
  if (u == ~0ull && PyErr_Occurred()) throw py::error_already_set();
  return u;
}
Tensor pack(RandomState state) {  // as bytes
  const Tensor t = empty(Dims{int64_t(sizeof state)}, {DType::U8, {}});
  std::memcpy(t.data(), &state, sizeof state);
  return t;
}
RandomState unpack(const Tensor& t) {
  check(t.dtype() == DType::U8 && t.numel() == int64_t(sizeof(RandomState)) && t.device().is_cpu(), ErrorKind::Type,
        "set_rng_state", "what get_rng_state() gave", [&] { return describe(t); });
  RandomState state;
  std::memcpy(&state, contiguous(t).data(), sizeof state);
  return state;
}

}  // namespace

void add_random(py::module_& m) {
  py::class_<Generator>(m, "Generator",
                        "Generator(device='cpu')\n\nA stream of random numbers of its own.\n\n"
                        "Reference: torch.Generator.")
      .def(py::init([](const py::object&) { return Generator{}; }), py::arg("device") = py::none())
      .def(
          "manual_seed",
          [](py::object self, const py::int_& seed) {
            set_state(self.cast<Generator&>(), {seed_of(seed), 0});
            return self;
          },
          py::arg("seed"), "Starts again from this number.")
      .def(
          "initial_seed", [](const Generator& g) { return state_of(g).seed; }, "The seed.")
      .def(
          "get_state", [](const Generator& g) { return pack(state_of(g)); }, "The state, as bytes.")
      .def(
          "set_state", [](Generator& g, const Tensor& t) { set_state(g, unpack(t)); }, py::arg("new_state"),
          "Takes up a state again.")
      .def_property_readonly("device",
                             [](const Generator&) { return py::reinterpret_steal<py::object>(device_to_python({})); });
  Generator standard;
  standard.is_default = true;
  const py::object generator = py::cast(standard);
  m.attr("default_generator") = generator;
  m.def(
      "manual_seed",
      [generator](const py::int_& seed) {
        manual_seed(seed_of(seed));
        return generator;
      },
      py::arg("seed"),
      "Starts the random numbers again from this number, on every device.\n\nReference: torch.manual_seed.");
  m.def("initial_seed", [] { return initial_seed(); }, "The seed of the random numbers.");
  m.def("get_rng_state", [] { return pack(random_state()); }, "The state of the random numbers, as bytes.");
  m.def(
      "set_rng_state", [](const Tensor& t) { set_random_state(unpack(t)); }, py::arg("new_state"),
      "Takes up a state again.");
}

std::vector<Op> random_rows() {
  return {
      op<&uniform>("rand", "size..., *, generator=None, dtype=None, device=None, requires_grad=False",
                   "Uniform numbers from [0, 1); the same on every device for the same seed.\n\nReference: torch.rand.",
                   kFunction),
      op<&gaussian>("randn", "size..., *, generator=None, dtype=None, device=None, requires_grad=False",
                    "Numbers of the standard normal distribution.\n\nReference: torch.randn.", kFunction),
      op<&uniform_like>("rand_like", "input, *, dtype=None, device=None, requires_grad=False",
                        "rand() of the same shape.\n\nReference: torch.rand_like.", kFunction),
      op<&gaussian_like>("randn_like", "input, *, dtype=None, device=None, requires_grad=False",
                         "randn() of the same shape.\n\nReference: torch.randn_like.", kFunction),
      op<&integers_below, &integers>(
          "randint",
          "high, size, *, generator=None, dtype=None, device=None, requires_grad=False | "
          "low, high, size, *, generator=None, dtype=None, device=None, requires_grad=False",
          "Integers from [low, high), each as likely; low is 0 unless given.\n\nReference: torch.randint.", kFunction),
      op<&permutation>("randperm", "n, *, generator=None, dtype=None, device=None",
                       "The numbers below n in random order.\n\nReference: torch.randperm.", kFunction),
      op<&normal_of>("normal", "mean, std, size, *, generator=None, dtype=None, device=None",
                     "Numbers of a normal distribution.\n\nReference: torch.normal.", kFunction),
      op<&bernoulli>("bernoulli", "input, *, generator=None",
                     "1 with the probability that stands in input, else 0.\n\nReference: torch.bernoulli."),
      op<&fill_uniform>("uniform_", "input, from=0, to=1, *, generator=None",
                        "Fills with uniform numbers from [from, to).", kMethod),
      op<&fill_normal>("normal_", "input, mean=0, std=1, *, generator=None",
                       "Fills with numbers of a normal distribution.", kMethod),
      op<&fill_bernoulli>("bernoulli_", "input, p=0.5, *, generator=None", "Fills with 1 with probability p, else 0.",
                          kMethod),
  };
}

}  // namespace bolide::python

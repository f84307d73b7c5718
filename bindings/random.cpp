// random.cpp - random tensors, and Generator: a stream of random numbers of one's own.
//
// The runtime has one generator. A Generator keeps a state beside it, which takes its place during a call.
#include <pybind11/pybind11.h>

#include <cstring>
#include <random>

#include "bindings/module.h"
#include "bindings/ops_table.h"
#include "runtime/autograd.h"

namespace py = pybind11;

namespace bolide::python {
namespace {

using OptionalDType = std::optional<DType>;
using OptionalDevice = std::optional<Device>;

struct Generator {
  RandomState state{kFirstSeed, 0};
  bool is_default = false;
  Device device = {};

  static constexpr uint64_t kFirstSeed = 67280421310721;  // of torch.Generator, too
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
// Of the strides of t too, filled by f.
template <class F>
Tensor filled_like(const Tensor& t, PyObject* generator, OptionalDType dtype, OptionalDevice device, bool requires_grad,
                   const F& f) {
  DrawFrom draw(generator);
  const Options o = options_like(t, dtype, device);
  const Tensor out = o.device == t.device() ? empty_like(t, o.dtype) : empty(t.sizes(), o);
  f(out);
  out->storage->version = 0;
  return with_grad(out, requires_grad);
}
Tensor uniform_like(const Tensor& t, PyObject* generator, OptionalDType dtype, OptionalDevice device,
                    bool requires_grad, PyObject*) {
  return filled_like(t, generator, dtype, device, requires_grad, [](const Tensor& out) { uniform_(out, 0, 1); });
}
Tensor gaussian_like(const Tensor& t, PyObject* generator, OptionalDType dtype, OptionalDevice device,
                     bool requires_grad, PyObject*) {
  return filled_like(t, generator, dtype, device, requires_grad, [](const Tensor& out) { normal_(out, 0, 1); });
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
Tensor integers_like(const Tensor& t, int64_t low, int64_t high, PyObject* generator, OptionalDType dtype,
                     OptionalDevice device, bool requires_grad, PyObject*) {
  return filled_like(t, generator, dtype, device, requires_grad, [&](const Tensor& out) { random_(out, low, high); });
}
Tensor integers_below_like(const Tensor& t, int64_t high, PyObject* generator, OptionalDType dtype,
                           OptionalDevice device, bool requires_grad, PyObject* format) {
  return integers_like(t, 0, high, generator, dtype, device, requires_grad, format);
}
Tensor permutation(int64_t n, PyObject* generator, OptionalDType dtype, OptionalDevice device) {
  DrawFrom draw(generator);
  return randperm(n, {dtype.value_or(DType::I64), device.value_or(Device{})});
}
Tensor normal_of(double mean, double std, const Dims& size, PyObject* generator, OptionalDType dtype,
                 OptionalDevice device, bool requires_grad, PyObject*, bool) {
  DrawFrom draw(generator);
  const Tensor out = empty(size, options_of(dtype, device));
  normal_(out, mean, std);
  out->storage->version = 0;
  return with_grad(out, requires_grad);
}
// Each element with a mean, a deviation or both of its own.
Tensor normal_of_each(const Arg& mean, const Arg& std, PyObject* generator) {
  DrawFrom draw(generator);
  GradMode mode(false);
  if (!mean.tensor && !std.tensor) raise(ErrorKind::Type, "normal", "a tensor, or a size", "two numbers");
  const bool negative =
      std.tensor ? std.tensor->device().is_cpu() && item(any(lt(*std.tensor, 0))).integer : std.scalar.real < 0;
  check(!negative, ErrorKind::Shape, "normal", "standard deviations of zero or more",
        [] { return std::string("a negative one"); });
  const Tensor like = add(mean, std);
  check(is_float(like.dtype()), ErrorKind::DType, "normal", "a floating-point dtype",
        [&] { return std::string(name_of(like.dtype())); });
  return add(mul(randn(like.sizes(), {like.dtype(), like.device()}), std), mean);
}
Tensor bernoulli_of(const Tensor& probability, PyObject* generator) {
  DrawFrom draw(generator);
  return bernoulli(probability);
}
Tensor bernoulli_with(const Tensor& input, double p, PyObject* generator) {
  DrawFrom draw(generator);
  const Tensor out = empty_like(input, input.dtype());
  bernoulli_(out, p);
  return out;
}
Tensor poisson_of(const Tensor& rate, PyObject* generator) {
  DrawFrom draw(generator);
  return poisson(rate);
}
Tensor multinomial_of(const Tensor& weights, int64_t samples, bool replacement, PyObject* generator) {
  DrawFrom draw(generator);
  return multinomial(weights, samples, replacement);
}

// ---- in-place ------------------------------------------------------------------------------------------------
template <void (*f)(const Tensor&, double)>
void fill_by_one(const Tensor& self, double a, PyObject* generator) {
  DrawFrom draw(generator);
  f(self, a);
}
template <void (*f)(const Tensor&, double, double)>
void fill_by_two(const Tensor& self, double a, double b, PyObject* generator) {
  DrawFrom draw(generator);
  f(self, a, b);
}
void fill_bernoulli(const Tensor& self, const Arg& p, PyObject* generator) {
  DrawFrom draw(generator);
  bernoulli_(self, p);
}
void fill_random(const Tensor& self, PyObject* generator) {
  DrawFrom draw(generator);
  random_(self, {}, {});
}
void fill_random_below(const Tensor& self, int64_t to, PyObject* generator) {
  DrawFrom draw(generator);
  random_(self, {}, to);
}
void fill_random_within(const Tensor& self, int64_t from, std::optional<int64_t> to, PyObject* generator) {
  DrawFrom draw(generator);
  random_(self, from, to);
}

// ---- states --------------------------------------------------------------------------------------------------
uint64_t seed_of(const py::int_& seed) {  // also negative numbers, as PyTorch takes them
  const long long v = PyLong_AsLongLong(seed.ptr());
  if (v != -1 || !PyErr_Occurred()) return uint64_t(v);
  PyErr_Clear();
  const unsigned long long u = PyLong_AsUnsignedLongLong(seed.ptr());
  if (u != ~0ull || !PyErr_Occurred()) return u;
  PyErr_Clear();
  raise(ErrorKind::Overflow, "manual_seed", "a seed in [-2^63, 2^64)", std::string(py::str(seed)));
}
uint64_t fresh_seed() {
  std::random_device bits;
  return uint64_t(bits()) << 32 | bits();
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

void add_generator(py::module_& m) {
  py::class_<Generator>(m, "Generator",
                        "Generator(device='cpu')\n\nA stream of random numbers of its own, for `generator=`: the same "
                        "seed gives the same numbers on every device.\n\nReference: torch.Generator.")
      .def(py::init([](const py::object& device) {
             Generator g;
             if (!device.is_none()) g.device = Convert<Device>::get(device.ptr());
             return g;
           }),
           py::arg("device") = py::none())
      .def(
          "manual_seed",
          [](py::object self, const py::int_& seed) {
            set_state(self.cast<Generator&>(), {seed_of(seed), 0});
            return self;
          },
          py::arg("seed"), "Starts again from this number.")
      .def(
          "seed",
          [](Generator& g) {
            const uint64_t seed = fresh_seed();
            set_state(g, {seed, 0});
            return seed;
          },
          "Starts again from a number that nobody can foretell, and gives it.")
      .def(
          "initial_seed", [](const Generator& g) { return state_of(g).seed; }, "The seed.")
      .def(
          "get_state", [](const Generator& g) { return pack(state_of(g)); }, "The state, as bytes.")
      .def(
          "set_state", [](Generator& g, const Tensor& t) { set_state(g, unpack(t)); }, py::arg("new_state"),
          "Takes up a state again.")
      .def(
          "clone_state", [](const Generator& g) { return Generator{state_of(g), false, g.device}; },
          "A generator of its own that goes on as this one would.")
      .def_property_readonly(
          "device", [](const Generator& g) { return py::reinterpret_steal<py::object>(device_to_python(g.device)); });
}

void add_random(py::module_& m) {
  add_generator(m);
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
  m.def(
      "seed", [generator] { return generator.attr("seed")(); },
      "Starts the random numbers again from a number that nobody can foretell, and gives it.\n\nReference: "
      "torch.seed.");
  m.def("initial_seed", [] { return initial_seed(); }, "The seed of the random numbers.");
  m.def("get_rng_state", [] { return pack(random_state()); }, "The state of the random numbers, as bytes.");
  m.def(
      "set_rng_state", [](const Tensor& t) { set_random_state(unpack(t)); }, py::arg("new_state"),
      "Takes up a state again.");
}

std::vector<Op> random_rows() {
  const char* like = "input, *, generator=None, dtype=None, device=None, requires_grad=False, memory_format=None";
  return {
      op<&uniform>("rand", "size..., *, generator=None, dtype=None, device=None, requires_grad=False",
                   "Uniform numbers from [0, 1); the same on every device for the same seed.\n\nReference: torch.rand.",
                   kFunction),
      op<&gaussian>("randn", "size..., *, generator=None, dtype=None, device=None, requires_grad=False",
                    "Numbers of the standard normal distribution.\n\nReference: torch.randn.", kFunction),
      op<&uniform_like>("rand_like", like, "rand() of the same shape.\n\nReference: torch.rand_like.", kFunction),
      op<&gaussian_like>("randn_like", like, "randn() of the same shape.\n\nReference: torch.randn_like.", kFunction),
      op<&integers_below, &integers>(
          "randint",
          "high, size, *, generator=None, dtype=None, device=None, requires_grad=False | "
          "low, high, size, *, generator=None, dtype=None, device=None, requires_grad=False",
          "Integers from [low, high), each as likely; low is 0 unless given.\n\nReference: torch.randint.", kFunction),
      op<&integers_below_like, &integers_like>(
          "randint_like",
          "input, high, *, generator=None, dtype=None, device=None, requires_grad=False, memory_format=None | "
          "input, low, high, *, generator=None, dtype=None, device=None, requires_grad=False, memory_format=None",
          "randint() of the same shape and dtype.\n\nReference: torch.randint_like.", kFunction),
      op<&permutation>("randperm", "n, *, generator=None, dtype=None, device=None",
                       "The numbers below n in random order.\n\nReference: torch.randperm.", kFunction),
      op<&normal_of, &normal_of_each>(
          "normal",
          "mean, std, size, *, generator=None, dtype=None, device=None, requires_grad=False, layout=None, "
          "pin_memory=False | "
          "mean=0.0, std=1.0, *, generator=None",
          "Numbers of normal distributions: all of one, or each with the mean and deviation of a tensor.\n\n"
          "Raises: ShapeError for a negative deviation.\nReference: torch.normal.",
          kFunction),
      op<&bernoulli_of, &bernoulli_with>(
          "bernoulli", "input, *, generator=None | input, p, *, generator=None",
          "1 with the probability that stands in input (or p), else 0; exact for 0 and 1.\n\nReference: "
          "torch.bernoulli."),
      op<&poisson_of>("poisson", "input, generator=None",
                      "Numbers of Poisson distributions with these rates.\n\nReference: torch.poisson.", kFunction),
      op<&multinomial_of>(
          "multinomial", "input, num_samples, replacement=False, *, generator=None",
          "Places in each row, drawn with probabilities in proportion to its weights: int64. A weight of zero is "
          "never drawn.\n\nDrawn on the host. Raises: ShapeError for weights that are negative or not finite, or too "
          "few above zero without replacement.\nReference: torch.multinomial."),
      op<&fill_by_two<&uniform_>>("uniform_", "input, from=0, to=1, *, generator=None",
                                  "Fills with uniform numbers from [from, to).", kMethod),
      op<&fill_by_two<&normal_>>("normal_", "input, mean=0, std=1, *, generator=None",
                                 "Fills with numbers of a normal distribution.", kMethod),
      op<&fill_by_one<&exponential_>>("exponential_", "input, lambd=1, *, generator=None",
                                      "Fills with numbers of density lambd * exp(-lambd * x).", kMethod),
      op<&fill_by_one<&geometric_>>("geometric_", "input, p, *, generator=None",
                                    "Fills with how many trials the first success of probability p takes.", kMethod),
      op<&fill_by_two<&cauchy_>>("cauchy_", "input, median=0, sigma=1, *, generator=None",
                                 "Fills with numbers of a Cauchy distribution.", kMethod),
      op<&fill_by_two<&log_normal_>>("log_normal_", "input, mean=1, std=2, *, generator=None",
                                     "Fills with exp() of numbers of a normal distribution.", kMethod),
      op<&fill_random, &fill_random_below, &fill_random_within>(
          "random_", "input, *, generator=None | input, to, *, generator=None | input, from, to, *, generator=None",
          "Fills with integers from [from, to); without bounds with all that the dtype holds, from 0 on.", kMethod),
      op<&fill_bernoulli>("bernoulli_", "input, p=0.5, *, generator=None",
                          "Fills with 1 with probability p (a number or a tensor), else 0.", kMethod),
  };
}

}  // namespace bolide::python

// printing.cpp - repr() of tensors, in PyTorch's form: aligned columns, four digits, a summary of large ones.
#include <pybind11/stl.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "bindings/convert.h"
#include "bindings/module.h"
#include "bindings/operators.h"
#include "runtime/autograd.h"

namespace py = pybind11;

namespace bolide::python {

namespace {

struct PrintOptions {
  int64_t precision = 4, threshold = 1000, edgeitems = 3, linewidth = 80;
  std::optional<bool> sci_mode;
} options;

std::string printed(const char* format, int precision, double v) {
  char small[64];
  const int n = std::snprintf(small, sizeof small, format, precision, v);
  if (size_t(n) < sizeof small) return small;
  std::string large(size_t(n) + 1, '\0');
  std::snprintf(large.data(), large.size(), format, precision, v);
  large.pop_back();
  return large;
}
std::string non_finite(double v) { return std::isnan(v) ? "nan" : v < 0 ? "-inf" : "inf"; }

// How the real numbers of one tensor are written: all in one width and notation.
class RealFormat {
 public:
  explicit RealFormat(const std::vector<double>& values) {
    double least = INFINITY, most = 0;
    bool any = false;
    for (double v : values) {
      if (!std::isfinite(v) || v == 0) continue;
      any = true;
      least = std::min(least, std::fabs(v)), most = std::max(most, std::fabs(v));
      integers_ = integers_ && v == std::ceil(v);
    }
    scientific_ = options.sci_mode.value_or(any && (most / least > 1000 || most > 1e8 || least < 1e-4));
    for (double v : values)
      if (std::isfinite(v) && v != 0) width_ = std::max(width_, text(v).size());
  }
  std::string operator()(double v) const {
    const std::string s = text(v);
    return std::string(width_ - std::min(width_, s.size()), ' ') + s;
  }
  std::string text(double v) const {
    if (!std::isfinite(v)) return non_finite(v);
    if (scientific_) return printed("%.*e", int(options.precision), v);
    if (integers_) return printed("%.*f", 0, v) + ".";
    return printed("%.*f", int(options.precision), v);
  }
  size_t width() const { return width_; }

 private:
  bool integers_ = true, scientific_ = false;
  size_t width_ = 1;
};

// The texts of all elements that are shown, in order, and the width that lines are planned with.
struct Texts {
  std::vector<std::string> items;
  size_t width = 1;
};
std::vector<double> reals_of(const Tensor& t, int step, int at) {
  std::vector<double> out(static_cast<size_t>(t.numel()));
  for (size_t i = 0; i < out.size(); i++) out[i] = t.data<double>()[int64_t(i) * step + at];
  return out;
}
Texts texts_of(const Tensor& t) {  // contiguous, on the CPU, without history
  Texts out;
  const int64_t n = t.numel();
  if (is_float(t.dtype())) {
    const std::vector<double> values = reals_of(to(t, DType::F64), 1, 0);
    const RealFormat format(values);
    for (double v : values) out.items.push_back(format(v));
    out.width = format.width();
    return out;
  }
  if (is_complex(t.dtype())) {
    const Tensor wide = to(t, DType::C128);
    const std::vector<double> re = reals_of(wide, 2, 0), im = reals_of(wide, 2, 1);
    const RealFormat real(re), imaginary(im);
    for (size_t i = 0; i < re.size(); i++) {
      const std::string second = imaginary.text(im[i]);
      out.items.push_back(real(re[i]) + (second[0] == '-' ? "" : "+") + second + "j");
    }
    out.width = real.width() + imaginary.width() + 1;
    return out;
  }
  if (t.dtype() == DType::Bool) {
    for (int64_t i = 0; i < n; i++) out.items.push_back(t.data<bool>()[i] ? "True" : "False");
  } else {
    const Tensor wide = to(t, DType::I64);
    for (int64_t i = 0; i < n; i++) out.items.push_back(std::to_string(wide.data<int64_t>()[i]));
  }
  for (const std::string& s : out.items) out.width = std::max(out.width, s.size());
  for (std::string& s : out.items) s.insert(0, out.width - s.size(), ' ');
  return out;
}

// ---- layout --------------------------------------------------------------------------------------------------
class Layout {
 public:
  Layout(const Tensor& t, size_t indent) : sizes_(t.sizes()), indent_(indent) {
    summarize_ = t.numel() > options.threshold;
    Tensor shown = detach(t);
    for (int d = 0; d < t.rank(); d++)
      if (cut(d)) shown = edges(shown, d);
    shown_ = shown.sizes();
    texts_ = texts_of(contiguous(to(shown, {}, Device{})));
  }
  std::string text() {
    if (sizes_.empty()) return trimmed(texts_.items[0]);
    return block(0, indent_);
  }

 private:
  static std::string trimmed(const std::string& s) { return s.substr(s.find_first_not_of(' ')); }
  bool cut(int dim) const { return summarize_ && sizes_[dim] > 2 * options.edgeitems; }
  static Tensor edges(const Tensor& t, int dim) {
    const int64_t n = options.edgeitems;
    const Tensor parts[] = {narrow(t, dim, 0, n), narrow(t, dim, t.size(dim) - n, n)};
    return cat(parts, dim);
  }
  std::string block(int dim, size_t indent) {
    if (dim == sizes_.rank() - 1) return row(dim, indent);
    std::string out = "[";
    const std::string between = "," + std::string(size_t(sizes_.rank() - dim - 1), '\n') + std::string(indent + 1, ' ');
    for (int64_t i = 0; i < shown_[dim]; i++) {
      if (i) out += between;
      if (cut(dim) && i == options.edgeitems) out += "..." + between;
      out += block(dim + 1, indent + 1);
    }
    if (cut(dim) && !options.edgeitems) out += "...";
    return out + "]";
  }
  std::string row(int dim, size_t indent) {
    std::vector<std::string> items;
    for (int64_t i = 0; i < shown_[dim]; i++) {
      if (cut(dim) && i == options.edgeitems) items.push_back(" ...");
      items.push_back(texts_.items[next_++]);
    }
    if (cut(dim) && !options.edgeitems) items.push_back("...");
    const int64_t room = (options.linewidth - int64_t(indent)) / int64_t(texts_.width + 2);
    const size_t per_line = size_t(std::max<int64_t>(room, 1));
    std::string out = "[";
    for (size_t i = 0; i < items.size(); i++) {
      if (i) out += i % per_line ? ", " : ",\n" + std::string(indent + 1, ' ');
      out += items[i];
    }
    return out + "]";
  }

  Dims sizes_, shown_;
  size_t indent_, next_ = 0;
  bool summarize_ = false;
  Texts texts_;
};

bool is_implied(DType t) {
  const DType complex = default_dtype() == DType::F64 ? DType::C128 : DType::C64;
  return t == default_dtype() || t == complex || t == DType::I64 || t == DType::Bool;
}

std::vector<std::string> suffixes_of(const Tensor& t) {
  std::vector<std::string> out;
  if (!t.device().is_cpu()) out.push_back("device='" + name_of(t.device()) + "'");
  if (t.numel() ? !options.edgeitems : t.rank() != 1) {
    std::string sizes;
    for (int i = 0; i < t.rank(); i++) sizes += (i ? ", " : "") + std::to_string(t.size(i));
    if (t.rank() == 1) sizes += ",";
    out.push_back("size=(" + sizes + ")");
  }
  if (t.numel() ? !is_implied(t.dtype()) : t.dtype() != default_dtype())
    out.push_back(std::string("dtype=bolide.") + name_of(t.dtype()));
  if (const Ref<Node> node = grad_fn(t)) out.push_back("grad_fn=<" + node->display_name() + ">");
  else if (t.requires_grad()) out.push_back("requires_grad=True");
  return out;
}

// "tensor(", or the name of a subclass; Parameter says by itself what it is.
std::string prefix_of(PyObject* self) {
  const std::string_view full = Py_TYPE(self)->tp_name, name = full.substr(full.rfind('.') + 1);
  return Py_TYPE(self) == tensor_type || name == "Parameter" ? "tensor(" : std::string(name) + "(";
}

std::string describe_all(const Tensor& t, const std::string& prefix) {
  std::string out = prefix + (t.numel() ? Layout(t, prefix.size()).text() : "[]");
  const size_t line_end = out.rfind('\n');
  size_t last_line = line_end == std::string::npos ? out.size() + 2 : out.size() - line_end + 1;
  for (const std::string& suffix : suffixes_of(t)) {
    if (last_line + suffix.size() + 2 > size_t(options.linewidth)) {
      out += ",\n" + std::string(prefix.size(), ' ') + suffix;
      last_line = prefix.size() + suffix.size();
    } else {
      out += ", " + suffix;
      last_line += suffix.size() + 2;
    }
  }
  return out + ")";
}

void set_options(int64_t precision, int64_t threshold, int64_t edgeitems, int64_t linewidth,
                 std::optional<bool> sci_mode) {
  auto check_option = [](const char* name, int64_t v, int64_t most) {
    check(v >= 0 && v <= most, ErrorKind::Value, "set_printoptions", str(name, " in [0, ", most, "]"),
          [&] { return str(v); });
  };
  check_option("precision", precision, 100);
  check_option("threshold", threshold, INT64_MAX);
  check_option("edgeitems", edgeitems, 1 << 20);
  check_option("linewidth", linewidth, 1 << 20);
  options = {precision, threshold, edgeitems, linewidth, sci_mode};
}

}  // namespace

PyObject* tensor_repr(PyObject* self) {
  return guarded("repr", [&] {
    GradMode mode(false);
    const std::string text = describe_all(unwrap(self), prefix_of(self));
    return PyUnicode_FromStringAndSize(text.data(), Py_ssize_t(text.size()));
  });
}

void add_printing(py::module_& m) {
  m.def("_set_printoptions", &set_options, py::arg("precision"), py::arg("threshold"), py::arg("edgeitems"),
        py::arg("linewidth"), py::arg("sci_mode"), "What bolide.set_printoptions() calls.");
}

}  // namespace bolide::python

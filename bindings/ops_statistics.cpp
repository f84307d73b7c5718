// ops_statistics.cpp - covariances, histograms, and norms held below a limit: compositions of other ops.
//
// To add one: a function and a row at the end.
#include <cmath>

#include "bindings/forms.h"
#include "runtime/linalg.h"
#include "runtime/sorting.h"

namespace bolide::python {
namespace {

using OptionalTensor = std::optional<Tensor>;

// ---- covariance ----------------------------------------------------------------------------------------------
Tensor checked_weights(const Tensor& w, const char* name, bool integers, int64_t observations) {
  check(w.rank() <= 1, ErrorKind::Shape, "cov", str(name, " of at most one dimension"), [&] { return describe(w); });
  check(integers ? is_integer(w.dtype()) : is_float(w.dtype()), ErrorKind::DType, "cov",
        str(name, integers ? " of integers" : " of floating-point numbers"),
        [&] { return std::string(name_of(w.dtype())); });
  check(w.numel() == observations, ErrorKind::Shape, "cov", str(name, " of ", observations, " numbers"),
        [&] { return str(w.numel()); });
  check(!w.numel() || item(ge(amin(w), 0)).integer, ErrorKind::Runtime, "cov", str(name, " of at least 0"),
        [] { return std::string("a negative one"); });
  return w;
}
Tensor cov(const Tensor& x, int64_t correction, const OptionalTensor& fweights, const OptionalTensor& aweights) {
  check(x.rank() <= 2, ErrorKind::Shape, "cov", "at most two dimensions", [&] { return describe(x); });
  check(x.dtype() != DType::Bool, ErrorKind::DType, "cov", "numbers", [] { return std::string("bool"); });
  const Tensor rows = x.rank() < 2 ? reshape(x, {1, -1}) : x;
  const int64_t count = rows.size(1);
  Tensor w;
  if (fweights) w = checked_weights(*fweights, "fweights", true, count);
  if (aweights) {
    const Tensor a = checked_weights(*aweights, "aweights", false, count);
    w = w ? mul(w, a) : a;
  }
  const Tensor total = w ? sum(w) : full({}, count, {DType::I64, x.device()});
  check(!w || item(ne(total, 0)).integer, ErrorKind::Runtime, "cov", "weights that can be normalized",
        [] { return std::string("weights that sum to zero"); });
  const Tensor average = div(sum(w ? mul(rows, w) : rows, Dims{1}), total);
  Tensor free = sub(total, correction);
  if (aweights && correction) free = sub(total, div(mul(sum(mul(w, *aweights)), correction), total));
  if (item(le(free, 0)).integer) {
    if (PyErr_WarnEx(PyExc_UserWarning, "cov(): degrees of freedom is <= 0.", 1) < 0) throw Raised{};
    free = zeros({}, {free.dtype(), x.device()});
  }
  const Tensor apart = sub(rows, unsqueeze(average, 1)), weighted = w ? mul(apart, w) : apart;
  const Tensor products = mm(apart, to(conj(t(weighted)), apart.dtype()));
  return squeeze(div(products, free));
}
Tensor corrcoef(const Tensor& x) {
  check(x.rank() <= 2, ErrorKind::Shape, "corrcoef", "at most two dimensions", [&] { return describe(x); });
  const Tensor c = cov(x, 1, {}, {});
  if (c.rank() == 0) return div(c, c);
  const Tensor spread = sqrt(real(diagonal(c)));
  const Tensor y = div(div(c, unsqueeze(spread, 1)), unsqueeze(spread, 0));
  if (!is_complex(y.dtype())) return clamp(y, -1.0, 1.0);
  return view_as_complex(clamp(view_as_real(y), -1.0, 1.0));
}

// ---- histograms ----------------------------------------------------------------------------------------------
Tensor flat(const Tensor& x) { return contiguous(reshape(detach(x), {x.numel()})); }

// Edges of equal bins over a range, or that of the numbers.
Tensor equal_bins(const char* op, const Tensor& numbers, int64_t bins, std::optional<std::pair<double, double>> range) {
  check(bins > 0, ErrorKind::Runtime, op, "bins of at least 1", [&] { return str(bins); });
  double low = 0, high = 1;
  if (range) low = range->first, high = range->second;
  else if (numbers.numel()) low = item(amin(numbers)).real, high = item(amax(numbers)).real;
  check(std::isfinite(low) && std::isfinite(high), ErrorKind::Runtime, op, "a finite range",
        [&] { return str("[", low, ", ", high, "]"); });
  check(low <= high, ErrorKind::Runtime, op, "a range from low to high", [&] { return str(low, " and ", high); });
  if (low == high) low -= 0.5, high += 0.5;
  return linspace(low, high, bins + 1, {numbers.dtype(), numbers.device()});
}
void check_edges(const char* op, const Tensor& edges, const Tensor& numbers) {
  check(edges.dtype() == numbers.dtype(), ErrorKind::DType, op, str("edges of ", name_of(numbers.dtype())),
        [&] { return std::string(name_of(edges.dtype())); });
  check(edges.rank() == 1 && edges.numel() > 0, ErrorKind::Shape, op, "edges of one dimension",
        [&] { return describe(edges); });
}

// How many of the rows of `points` lie in each box between the edges: a bin has its lower edge, the last one both. Of
// edges that do not ascend, what lies between the first and the last one is where a binary search finds it.
Tensor count_points(const char* op, const Tensor& points, const TensorList& edges, const OptionalTensor& weight,
                    bool density) {
  const int64_t count = points.size(0);
  check(!weight || weight->numel() == count, ErrorKind::Shape, op, str("a weight of ", count, " numbers"),
        [&] { return str(weight->numel()); });
  check(!weight || weight->dtype() == points.dtype(), ErrorKind::DType, op,
        str("a weight of ", name_of(points.dtype())), [&] { return std::string(name_of(weight->dtype())); });
  Tensor place = zeros({count}, {DType::I64, points.device()}), inside = ones({count}, {DType::Bool, points.device()});
  Dims bins;
  for (size_t d = 0; d < edges.size(); d++) {
    const int64_t n = edges[d].numel() - 1;
    const Tensor x = contiguous(select(points, 1, int64_t(d))), own = contiguous(edges[d]);
    const Tensor at = minimum(sub(searchsorted(own, x, true), 1), Arg(n - 1));
    const Tensor between = logical_and(ge(x, select(own, 0, 0)), le(x, select(own, 0, -1)));
    inside = logical_and(inside, logical_and(between, ge(at, 0)));
    place = add(mul(place, n), at), bins.push_back(n);
  }
  int64_t all = 1;
  for (int64_t n : bins) all *= n;
  const Tensor sums = zeros({all}, {DType::F64, points.device()});
  const Tensor each = weight ? to(flat(*weight), DType::F64) : ones({count}, {DType::F64, points.device()});
  index_add_(sums, 0, masked_select(place, inside), masked_select(each, inside));
  Tensor counts = reshape(density ? div(sums, sum(sums)) : sums, bins);
  for (size_t d = 0; density && d < edges.size(); d++) {
    const int64_t n = bins[int(d)];
    Dims sizes(int(edges.size()), 1);
    sizes[int(d)] = n;
    const Tensor wide = to(edges[d], DType::F64);
    counts = div(counts, reshape(sub(narrow(wide, 0, 1, n), narrow(wide, 0, 0, n)), sizes));
  }
  return to(counts, points.dtype());
}
std::optional<std::pair<double, double>> range_of(const char* op, PyObject* range, Py_ssize_t dims, Py_ssize_t d) {
  if (range == Py_None) return {};
  check(is_list(range) && PySequence_Size(range) == 2 * dims, ErrorKind::Runtime, op,
        str("a range of ", 2 * dims, " numbers"), [] { return std::string("another"); });
  auto number = [&](Py_ssize_t i) {
    return Convert<double>::get(PyTuple_Check(range) ? PyTuple_GET_ITEM(range, i) : PyList_GET_ITEM(range, i));
  };
  return std::pair(number(2 * d), number(2 * d + 1));
}
void check_histogram(const char* op, const Tensor& x) {
  check(x.dtype() == DType::F32 || x.dtype() == DType::F64, ErrorKind::DType, op, "float32 or float64",
        [&] { return std::string(name_of(x.dtype())); });
}

PyObject* histogram(const Tensor& x, PyObject* bins, PyObject* range, const OptionalTensor& weight, bool density) {
  const char* op = "histogram";
  check_histogram(op, x);
  const Tensor numbers = flat(x);
  if (is_tensor(bins)) check_edges(op, unwrap(bins), numbers);
  const Tensor edges = is_tensor(bins)
                           ? clone(contiguous(detach(unwrap(bins))))
                           : equal_bins(op, numbers, Convert<int64_t>::get(bins), range_of(op, range, 1, 0));
  return named_tuple(op, {"hist", "bin_edges"},
                     {count_points(op, reshape(numbers, {-1, 1}), {edges}, weight, density), edges});
}
// The counts, then the edges along each dimension.
TensorList histogram_of_points(const Tensor& x, PyObject* bins, PyObject* range, const OptionalTensor& weight,
                               bool density) {
  const char* op = "histogramdd";
  check_histogram(op, x);
  check(x.rank() >= 2, ErrorKind::Shape, op, "at least two dimensions", [&] { return describe(x); });
  const int64_t dims = x.sizes().back();
  const Tensor points = reshape(detach(x), {dims ? x.numel() / dims : 0, dims});
  check(!is_list(bins) || PySequence_Size(bins) == dims, ErrorKind::Runtime, op, str("bins for ", dims, " dimensions"),
        [&] { return str(PySequence_Size(bins)); });
  TensorList edges;
  for (int64_t d = 0; d < dims; d++) {
    PyObject* own = PyTuple_Check(bins)  ? PyTuple_GET_ITEM(bins, d)
                    : PyList_Check(bins) ? PyList_GET_ITEM(bins, d)
                                         : bins;
    const Tensor numbers = contiguous(select(points, 1, d));
    if (is_tensor(own)) check_edges(op, unwrap(own), numbers);
    edges.push_back(is_tensor(own) ? detach(unwrap(own))  // not a copy, as PyTorch gives them back
                                   : equal_bins(op, numbers, Convert<int64_t>::get(own), range_of(op, range, dims, d)));
  }
  TensorList out = {count_points(op, points, edges, weight, density)};
  out.insert(out.end(), edges.begin(), edges.end());
  return out;
}

// ---- limits, places ------------------------------------------------------------------------------------------
Tensor renorm(const Tensor& x, double p, int64_t dim, double maxnorm) {
  check(is_differentiable(x.dtype()), ErrorKind::DType, "renorm", "a floating-point or complex dtype",
        [&] { return std::string(name_of(x.dtype())); });
  check(p > 0, ErrorKind::Runtime, "renorm", "p above 0", [&] { return str(p); });
  check(maxnorm >= 0, ErrorKind::Runtime, "renorm", "maxnorm of at least 0", [&] { return str(maxnorm); });
  check(x.rank() > 1, ErrorKind::Shape, "renorm", "at least two dimensions", [&] { return describe(x); });
  const int kept = wrap_dim("renorm", dim, x.rank());
  Dims others;
  for (int d = 0; d < x.rank(); d++)
    if (d != kept) others.push_back(d);
  const Tensor norms = linalg::vector_norm("renorm", x, p, others, true);
  return mul(x, where(gt(norms, maxnorm), div(maxnorm, add(norms, 1e-7)), 1.0));
}
Tensor nonzero_static(const Tensor& x, int64_t size, int64_t fill_value) {
  check(size >= 0, ErrorKind::Runtime, "nonzero_static", "size of at least 0", [&] { return str(size); });
  const Tensor places = nonzero(x);
  const int64_t found = std::min(size, places.size(0));
  const Tensor parts[] = {narrow(places, 0, 0, found),
                          full({size - found, places.size(1)}, fill_value, {DType::I64, x.device()})};
  return cat(parts);
}

}  // namespace

std::vector<Op> statistics_rows() {
  std::vector<Op> rows;
  add_function<&cov>(
      rows, "cov", "input, *, correction=1, fweights=None, aweights=None",
      "The covariances of the rows of [variables, observations].\n\nfweights: how often each observation "
      "counts, aweights: how much.\nRaises: DTypeError for bool; ShapeError beyond two dimensions.\n"
      "Example: >>> bolide.cov(bolide.tensor([[0., 1., 2.], [2., 1., 0.]]))\nReference: torch.cov.");
  add_function<&corrcoef>(rows, "corrcoef", "input",
                          "The correlation coefficients of the rows of [variables, observations].\n\nRaises: as "
                          "cov().\nReference: torch.corrcoef.");
  add_function<&histogram>(
      rows, "histogram", "input, bins=100, *, range=None, weight=None, density=False",
      "How many numbers lie in each bin: the named tuple (hist, bin_edges).\n\nbins: a number of equal ones over range "
      "(that of the input), or their edges. weight: what each number counts. density: as a density. float32 and "
      "float64.\nExample: >>> bolide.histogram(bolide.tensor([1., 2., 1.]), 2, range=(0., 3.)).hist\nReference: "
      "torch.histogram.");
  add_function<&histogram_of_points>(rows, "_histogramdd", "input, bins, range, weight, density",
                                     "histogram() of points: the counts, then the edges.", kFunction);
  add_forms<&InFloat<&renorm>::call>(rows, "renorm", "input, p, dim, maxnorm",
                                     "The slices along dim, those whose p-norm is larger than maxnorm shortened to it."
                                     "\n\nReference: torch.renorm.");
  add_function<&nonzero_static>(rows, "nonzero_static", "input, *, size, fill_value=-1",
                                "nonzero(), cut or filled up to `size` rows.\n\nReference: torch.nonzero_static.");
  return rows;
}

}  // namespace bolide::python

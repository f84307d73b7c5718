// rearrange.cpp - copies with elements in other places, all made of views, cat and copy_.
#include "runtime/rearrange.h"

#include <algorithm>
#include <array>

#include "runtime/view_support.h"

namespace bolide {

namespace {

// A copy with these sizes that is no view, though it was reshaped.
Tensor copied(const Tensor& x, const Dims& sizes) { return as_own(reshape(contiguous(clone(x)), sizes)); }

}  // namespace

// Each dimension repeated: [s] becomes [r, s], expanded, and is flattened again.
Tensor repeat(const Tensor& x, const Dims& times) {
  check(times.rank() >= x.rank(), ErrorKind::Shape, "repeat", str("at least ", x.rank(), " numbers"),
        [&] { return times.text(); });
  for (int64_t n : times)
    check(n >= 0, ErrorKind::Shape, "repeat", "numbers of zero or more", [&] { return times.text(); });
  Dims split_sizes, expanded, result;
  for (int i = 0; i < times.rank(); i++) {
    const int d = i - (times.rank() - x.rank());
    const int64_t size = d < 0 ? 1 : x.size(d);
    int64_t total;
    if (__builtin_mul_overflow(size, times[i], &total))
      raise(ErrorKind::Overflow, "repeat", "sizes that fit 64 bits", str(size, " * ", times[i]));
    split_sizes.push_back(1), split_sizes.push_back(size);
    expanded.push_back(times[i]), expanded.push_back(size);
    result.push_back(total);
  }
  if (!times.rank()) return clone(x);
  return copied(expand(reshape(x, split_sizes), expanded), result);
}

Tensor tile(const Tensor& x, const Dims& times) {
  Dims all = times;
  while (all.rank() < x.rank()) all.insert(0, 1);
  return repeat(x, all);
}

Tensor repeat_interleave(const Tensor& x, int64_t repeats, std::optional<int64_t> dim) {
  check(repeats >= 0, ErrorKind::Shape, "repeat_interleave", "repeats of zero or more", [&] { return str(repeats); });
  const Tensor source = dim ? at_least(x, 1) : reshape(x, {-1});
  const int d = wrap_dim("repeat_interleave", dim.value_or(0), source.rank());
  Dims expanded = source.sizes(), result = source.sizes();
  expanded.insert(d + 1, repeats);
  if (__builtin_mul_overflow(result[d], repeats, &result[d]))
    raise(ErrorKind::Overflow, "repeat_interleave", "sizes that fit 64 bits", str(source.size(d), " * ", repeats));
  return copied(expand(unsqueeze(source, d + 1), expanded), result);
}
Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<int64_t> dim,
                         std::optional<int64_t> output_size) {
  check(contains(kSet<DType::I64, DType::I32>, repeats.dtype()), ErrorKind::DType, "repeat_interleave",
        "repeats of dtype int64 or int32", [&] { return std::string(name_of(repeats.dtype())); });
  check(repeats.rank() <= 1, ErrorKind::Shape, "repeat_interleave", "repeats of one dimension",
        [&] { return describe(repeats); });
  const Tensor counts = contiguous(to(repeats, DType::I64, Device{}));
  const int64_t* n = counts.data<int64_t>();
  if (repeats.numel() == 1) return repeat_interleave(x, n[0], dim);
  const Tensor source = dim ? at_least(x, 1) : reshape(x, {-1});
  const int d = wrap_dim("repeat_interleave", dim.value_or(0), source.rank());
  if (repeats.numel() != source.size(d))
    raise(ErrorKind::Shape, "repeat_interleave", str(source.size(d), " repeats"), str(repeats.numel()));
  int64_t total = 0;
  for (int64_t i = 0; i < counts.numel(); i++) {
    check(n[i] >= 0, ErrorKind::Shape, "repeat_interleave", "repeats of zero or more", [&] { return str(n[i]); });
    total += n[i];
  }
  if (output_size && *output_size != total)
    raise(ErrorKind::Shape, "repeat_interleave", str("an output_size of ", total), str(*output_size));
  const Tensor places = empty({total}, {DType::I64, Device{}});
  int64_t* p = places.data<int64_t>();
  for (int64_t i = 0; i < counts.numel(); i++) p = std::fill_n(p, n[i], i);
  return index_select(source, d, to(places, {}, x.device()));
}

Tensor roll(const Tensor& x, const Dims& shifts, const Dims& dims) {
  if (dims.empty() && shifts.rank() == 1) return as_own(view(roll(reshape(x, {-1}), shifts, {0}), x.sizes()));
  check(shifts.rank() == dims.rank() && !shifts.empty(), ErrorKind::Shape, "roll", "as many shifts as dims",
        [&] { return str(shifts.text(), " and ", dims.text()); });
  Tensor y = x;
  for (int i = 0; i < dims.rank(); i++) {
    check(x.rank() > 0, ErrorKind::Index, "roll", "a tensor with dimensions", [] { return std::string("a 0-d one"); });
    const int d = wrap_dim("roll", dims[i], x.rank());
    const int64_t size = x.rank() ? x.size(d) : 1;
    if (size < 2) continue;
    const int64_t first = ((-shifts[i]) % size + size) % size;  // what comes to the front
    if (first) y = cat(std::array{narrow(y, d, first, size - first), narrow(y, d, 0, first)}, d);
  }
  return y.same(x) ? contiguous(clone(x)) : y;
}

Tensor rot90(const Tensor& x, int64_t k, const Dims& dims) {
  check(dims.rank() == 2, ErrorKind::Shape, "rot90", "two dims", [&] { return dims.text(); });
  check(x.rank() >= 2, ErrorKind::Shape, "rot90", "at least two dimensions", [&] { return describe(x); });
  const int a = wrap_dim("rot90", dims[0], x.rank()), b = wrap_dim("rot90", dims[1], x.rank());
  check(a != b, ErrorKind::Shape, "rot90", "two different dims", [&] { return dims.text(); });
  if ((k & 3) == 0) return contiguous(clone(x));
  if ((k & 3) == 2) return flip(x, {a, b});
  return as_own(transpose(flip(x, {(k & 3) == 1 ? b : a}), a, b));
}

// ---- diagonals, triangles ------------------------------------------------------------------------------------
Tensor diag_embed(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
  const int rank = x.rank() + 1, a = wrap_dim("diag_embed", dim1, rank), b = wrap_dim("diag_embed", dim2, rank);
  check(x.rank() > 0, ErrorKind::Shape, "diag_embed", "a tensor with dimensions",
        [] { return std::string("a 0-d one"); });
  check(a != b, ErrorKind::Shape, "diag_embed", "two different dimensions", [&] { return str(dim1, " and ", dim2); });
  const int64_t side = x.size(-1 + x.rank()) + std::abs(offset);
  Dims sizes = x.sizes();
  sizes.erase(x.rank() - 1);
  sizes.insert(std::min(a, b), side), sizes.insert(std::max(a, b), side);
  const Tensor y = zeros(sizes, {x.dtype(), x.device()});
  copy_(diagonal(y, offset, a, b), x);
  return y;
}

Tensor diag(const Tensor& x, int64_t offset) {
  check(x.rank() == 1 || x.rank() == 2, ErrorKind::Shape, "diag", "one or two dimensions", [&] { return describe(x); });
  return x.rank() == 1 ? diag_embed(x, offset) : contiguous(clone(diagonal(x, offset)));
}

Tensor triangle_indices(const char* op, int64_t rows, int64_t columns, int64_t offset, bool upper, Options options) {
  check(rows >= 0 && columns >= 0, ErrorKind::Shape, op, "sizes of zero or more",
        [&] { return str(rows, " and ", columns); });
  const Tensor all = ones({rows, columns}, {DType::Bool, options.device});
  const Tensor places = nonzero(upper ? triu(all, offset) : tril(all, offset));
  return to(contiguous(transpose(places, 0, 1)), options.dtype);
}

// ---- joining -------------------------------------------------------------------------------------------------
Tensor at_least(const Tensor& x, int rank) {
  if (x.rank() >= rank) return x;
  if (x.rank() == 0) return reshape(x, Dims(rank, 1));
  if (rank == 2) return unsqueeze(x, 0);
  return x.rank() == 1 ? unsqueeze(unsqueeze(x, 0), -1) : unsqueeze(x, -1);
}

namespace {

TensorList all_at_least(std::span<const Tensor> tensors, int rank) {
  TensorList out;
  for (const Tensor& t : tensors) out.push_back(at_least(t, rank));
  return out;
}

void check_some(const char* op, std::span<const Tensor> tensors) {
  check(!tensors.empty(), ErrorKind::Runtime, op, "at least one tensor", [] { return std::string("none"); });
}

}  // namespace

Tensor hstack(std::span<const Tensor> tensors) {
  check_some("hstack", tensors);
  const TensorList all = all_at_least(tensors, 1);
  return cat(all, all[0].rank() > 1 ? 1 : 0);
}
Tensor vstack(std::span<const Tensor> tensors) {
  check_some("vstack", tensors);
  return cat(all_at_least(tensors, 2), 0);
}
Tensor dstack(std::span<const Tensor> tensors) {
  check_some("dstack", tensors);
  return cat(all_at_least(tensors, 3), 2);
}
Tensor column_stack(std::span<const Tensor> tensors) {
  TensorList columns;
  for (const Tensor& t : tensors) columns.push_back(t.rank() < 2 ? reshape(t, {t.numel(), 1}) : t);
  return hstack(columns);
}

Tensor block_diag(std::span<const Tensor> tensors) {
  if (tensors.empty()) return empty({1, 0}, {default_dtype(), {}});  // as PyTorch has it
  const TensorList blocks = all_at_least(tensors, 2);
  int64_t rows = 0, columns = 0;
  DType dtype = blocks[0].dtype();
  for (const Tensor& b : blocks) {
    check(b.rank() == 2, ErrorKind::Shape, "block_diag", "tensors of at most two dimensions",
          [&] { return describe(b); });
    rows += b.size(0), columns += b.size(1), dtype = promote(dtype, b.dtype());
  }
  const Tensor y = zeros({rows, columns}, {dtype, blocks[0].device()});
  rows = columns = 0;
  for (const Tensor& b : blocks) {
    copy_(narrow(narrow(y, 0, rows, b.size(0)), 1, columns, b.size(1)), b);
    rows += b.size(0), columns += b.size(1);
  }
  return y;
}

TensorList broadcast_tensors(std::span<const Tensor> tensors) {
  Dims sizes;
  for (const Tensor& t : tensors) sizes = broadcast_sizes("broadcast_tensors", sizes, t.sizes());
  TensorList out;
  for (const Tensor& t : tensors) out.push_back(expand(t, sizes));
  return out;
}

TensorList meshgrid(std::span<const Tensor> tensors, bool columns_first) {
  check(!tensors.empty(), ErrorKind::Shape, "meshgrid", "at least one tensor", [] { return std::string("none"); });
  TensorList lines(tensors.begin(), tensors.end());
  const bool swapped = columns_first && lines.size() >= 2;
  if (swapped) std::swap(lines[0], lines[1]);
  Dims sizes;
  for (const Tensor& t : lines) {
    check(t.rank() <= 1, ErrorKind::Shape, "meshgrid", "tensors of at most one dimension", [&] { return describe(t); });
    if (t.dtype() != lines[0].dtype() || t.device() != lines[0].device())
      raise(ErrorKind::DType, "meshgrid", "tensors of one dtype and device",
            str(describe(lines[0]), " and ", describe(t)));
    sizes.push_back(t.numel());
  }
  TensorList grids;
  for (int i = 0; i < sizes.rank(); i++) {
    Dims line(sizes.rank(), 1);
    line[i] = sizes[i];
    grids.push_back(expand(view(lines[size_t(i)], line), sizes));
  }
  if (swapped) std::swap(grids[0], grids[1]);
  return grids;
}

Tensor cartesian_prod(std::span<const Tensor> tensors) {
  for (const Tensor& t : tensors)
    check(t.rank() == 1, ErrorKind::Shape, "cartesian_prod", "tensors of one dimension", [&] { return describe(t); });
  if (tensors.size() == 1) return tensors[0];
  TensorList columns;
  for (const Tensor& grid : meshgrid(tensors, false)) columns.push_back(reshape(grid, {-1}));
  return stack(columns, 1);
}

Tensor combinations(const Tensor& x, int64_t r, bool with_replacement) {
  check(x.rank() == 1, ErrorKind::Shape, "combinations", "one dimension", [&] { return describe(x); });
  check(r >= 0, ErrorKind::Shape, "combinations", "r of zero or more", [&] { return str(r); });
  if (r == 0) return empty({0}, {x.dtype(), x.device()});
  const int64_t n = x.numel();
  std::vector<int64_t> now(static_cast<size_t>(r)), all;  // in lexical order
  for (size_t i = 0; i < now.size(); i++) now[i] = with_replacement ? 0 : int64_t(i);
  const int64_t step = with_replacement ? 0 : 1;
  for (bool more = n > 0 && (with_replacement || r <= n); more;) {
    all.insert(all.end(), now.begin(), now.end());
    int64_t at = r - 1;
    while (at >= 0 && now[size_t(at)] == n - 1 - step * (r - 1 - at)) at--;
    if ((more = at >= 0)) {
      const int64_t first = now[size_t(at)] + 1;
      for (int64_t i = at; i < r; i++) now[size_t(i)] = first + step * (i - at);
    }
  }
  const Tensor places = empty({int64_t(all.size()) / r, r}, {DType::I64, Device{}});
  std::copy(all.begin(), all.end(), places.data<int64_t>());
  return take(x, to(places, {}, x.device()));
}

}  // namespace bolide

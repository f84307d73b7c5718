// indexing.cpp - x[keys]: views for ints and slices, copies for tensors of indices (places.h); and what finds indices.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "kernels/threads.h"
#include "runtime/places.h"
#include "runtime/view_support.h"

namespace bolide {
namespace {

// x with its views applied, and the tensor keys by dimension of it (none: all unset).
struct Resolved {
  Tensor view;
  Selection selection;
  bool has_tensor = false;
};

bool is_mask(const Tensor& index) {  // uint8 as PyTorch's older masks
  return index.dtype() == DType::Bool || index.dtype() == DType::U8;
}

struct Range {  // of a slice, within a size
  int64_t first, length, step;
};
Range range_of(const Key& k, int64_t size) {
  const int64_t step = k.step == Key::kDefault ? 1 : k.step;
  check(step > 0, ErrorKind::Value, "slice", "a step greater than 0", [&] { return str(step); });
  auto clamped = [size](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + size : i, 0, size); };
  const int64_t first = k.start == Key::kDefault ? 0 : clamped(k.start);
  const int64_t last = k.stop == Key::kDefault ? size : std::max(first, clamped(k.stop));
  return {first, (last - first) / step + ((last - first) % step != 0), step};
}

// How many dimensions of x the keys stand for, but for those of an ellipsis.
int count_used(const Tensor& x, std::span<const Key> keys) {
  int used = 0, ellipses = 0;
  for (const Key& k : keys) {
    if (k.kind == Key::Ellipsis) ellipses++;
    else if (k.kind == Key::Index && is_mask(k.index)) used += k.index.rank();
    else if (k.kind != Key::None) used++;
  }
  check(ellipses <= 1, ErrorKind::Index, "index", "at most one ...", [&] { return str(ellipses); });
  if (used > x.rank())
    raise(ErrorKind::Index, "index", str("at most ", x.rank(), " keys for ", describe(x)), str(used));
  return used;
}

// Ints, slices, None and ... in one step, without history: what select, slice and unsqueeze make one after the other.
Tensor basic_view(const Tensor& x, std::span<const Key> keys) {
  const int used = count_used(x, keys);
  Dims sizes, strides;
  int64_t offset = x->offset;
  int dim = 0;
  auto keep = [&](int64_t size, int64_t stride) { sizes.push_back(size), strides.push_back(stride); };
  for (const Key& k : keys) {
    if (k.kind == Key::None) {
      keep(1, dim < x.rank() ? x.size(dim) * x.stride(dim) : 1);
      continue;
    }
    if (k.kind == Key::Ellipsis) {
      for (int i = x.rank() - used; i-- > 0; dim++) keep(x.size(dim), x.stride(dim));
      continue;
    }
    const int64_t size = x.size(dim), stride = x.stride(dim);
    if (k.kind == Key::Int) {
      const int64_t at = k.start < 0 ? k.start + size : k.start;
      if (at < 0 || at >= size) [[unlikely]]
        raise(ErrorKind::Index, "index", str("an index in [", -size, ", ", size - 1, "] for dimension ", dim),
              str(k.start));
      offset += at * stride;
    } else {
      const Range r = range_of(k, size);
      int64_t wide;
      keep(r.length, __builtin_mul_overflow(stride, r.step, &wide) ? stride : wide);  // else there is but one element
      offset = part_offset(offset, r.first, stride);
    }
    dim++;
  }
  for (; dim < x.rank(); dim++) keep(x.size(dim), x.stride(dim));
  return make_view(x, sizes, strides, offset);
}

// Can a view make dimensions [first, last] of x one?
bool are_one(const Tensor& x, int first, int last) {
  for (int d = first; d < last; d++)
    if (x.stride(d) != x.stride(d + 1) * x.size(d + 1)) return false;
  return true;
}

// to_read: what masks index may be a view of x.
Resolved resolve(const Tensor& x, std::span<const Key> keys, bool to_read) {
  const int used = count_used(x, keys);
  Resolved r{x, {}, false};
  r.selection.indices.reserve(size_t(x.rank()) + keys.size());
  int dim = 0;
  auto keep = [&](Tensor index) { r.selection.indices.push_back(std::move(index)), dim++; };
  for (const Key& k : keys) {
    switch (k.kind) {
      case Key::Int: r.view = select(r.view, dim, k.start); break;
      case Key::Slice: {
        const int64_t size = r.view.size(dim);
        r.view = slice(r.view, dim, k.start == Key::kDefault ? 0 : k.start, k.stop == Key::kDefault ? size : k.stop,
                       k.step == Key::kDefault ? 1 : k.step);
        keep({});
        break;
      }
      case Key::None:
        r.view = unsqueeze(r.view, dim);
        keep({});
        break;
      case Key::Ellipsis:
        for (int i = x.rank() - used; i-- > 0;) keep({});
        break;
      case Key::Index: {
        if (!is_mask(k.index)) {
          check_index("index", k.index);
          if (k.index.rank() == 0) r.view = select(r.view, dim, item(k.index).integer);  // as an int
          else r.has_tensor = true, keep(k.index);
          break;
        }
        r.has_tensor = true;
        // A mask stands for as many dimensions as it has; a 0-d one for a new dimension of size 1.
        Tensor mask = k.index;
        if (mask.rank() == 0) mask = unsqueeze(mask, 0), r.view = unsqueeze(r.view, dim);
        for (int d = 0; d < mask.rank(); d++)
          if (mask.size(d) != r.view.size(dim + d))
            raise(ErrorKind::Index, "index", str("a mask of the shape it indexes, ", r.view.sizes().text()),
                  mask.sizes().text());
        if (to_read && mask.rank() > 1 && are_one(r.view, dim, dim + mask.rank() - 1)) {  // one index, not two
          r.view = flatten(r.view, dim, dim + mask.rank() - 1);
          mask = reshape(mask, {mask.numel()});
        }
        const Tensor places = nonzero(mask);
        for (int d = 0; d < mask.rank(); d++) keep(select(places, 1, d));
      }
    }
  }
  while (dim < r.view.rank()) keep({});
  return r;
}

}  // namespace

Tensor index(const Tensor& x, std::span<const Key> keys) {
  if (!wants_grad({&x}) && std::none_of(keys.begin(), keys.end(), [](const Key& k) { return k.kind == Key::Index; }))
    return basic_view(x, keys);
  const Resolved r = resolve(x, keys, true);
  if (r.has_tensor) return take_selected("index", r.view, r.selection);
  if (!r.view.same(x)) return r.view;
  return recorded("AliasBackward", x, make_view(x, x.sizes(), x.strides(), x->offset),
                  [](const Tensor& g) { return g; });
}

namespace {

// What basic keys choose; all of a tensor is the tensor itself, so that nothing of its history stays in the graph.
Tensor chosen(const Tensor& x, const Tensor& view) {
  const bool all = view.sizes() == x.sizes() && view.strides() == x.strides() && view->offset == x->offset;
  return all ? x : view;
}

}  // namespace

void index_put_(const Tensor& x, std::span<const Key> keys, const Tensor& value, bool accumulate) {
  const Resolved r = resolve(x, keys, false);
  const Tensor source = value.device() == x.device() ? value : to(value, {}, x.device());
  // One element through one mask is taken as a number, which has to fit.
  auto is_index = [](const Key& k) { return k.kind == Key::Index; };
  if (r.has_tensor && value.numel() == 1 && value.dtype() != x.dtype() && value.device().is_cpu() &&
      std::count_if(keys.begin(), keys.end(), is_index) == 1) {
    const Tensor& mask = std::find_if(keys.begin(), keys.end(), is_index)->index;
    if (is_mask(mask) && mask.rank()) fitting("index_put_", item(value), x.dtype());
  }
  if (r.has_tensor) return put_selected("index_put_", r.view, r.selection, source, accumulate);
  Tensor given = accumulate ? add(r.view, source) : source;
  while (given.rank() > r.view.rank() && given.size(0) == 1) given = squeeze(given, Dims{0});
  copy_(chosen(x, r.view), given);
}

void index_put_(const Tensor& x, std::span<const Key> keys, const Scalar& value) {
  const Resolved r = resolve(x, keys, false);
  if (!r.has_tensor) {
    check_writable("index_put_", r.view);
    return fill_(chosen(x, r.view), value);
  }
  index_put_(x, keys, full({}, value, {x.dtype(), x.device()}));
}

namespace {

// Which of eight bools, one after the other, are true: the places of those come first.
struct Eight {
  uint8_t places[256][8] = {};
  constexpr Eight() {
    for (int bits = 0; bits < 256; bits++)
      for (int i = 0, n = 0; i < 8; i++)
        if (bits >> i & 1) places[bits][n++] = uint8_t(i);
  }
};
constexpr Eight kEight;

// The places of the `count` true elements of mask from number i on, a row of indices each. Of eight elements eight places
// are written, and the next ones over those too many: which are true cannot be foreseen, and a wrong guess costs more.
template <int kRank>  // 0: any
void write_places(const Tensor& mask, int64_t i, int64_t count, int64_t* to) {
  const auto* p = mask.data<uint8_t>();
  const int rank = kRank ? kRank : mask.rank();
  const int64_t columns = mask.size(rank - 1);
  for (int64_t* const end = to + count * rank; to < end;) {
    int64_t row[kMaxRank], rest = i / columns, column = i % columns;
    for (int d = rank - 1; d-- > 0; rest /= mask.size(d)) row[d] = rest % mask.size(d);
    for (int64_t done; column < columns && to < end; column += done, i += done) {
      uint64_t eight = p[i];
      done = column + 8 <= columns && to + 8 * rank <= end ? 8 : 1;
      if (done == 8) std::memcpy(&eight, p + i, 8);
      if (!eight) continue;
      const int bits = int(eight * 0x0102040810204080 >> 56);
      for (int k = 0; k < done; k++) {
        for (int d = 0; d < rank - 1; d++) to[k * rank + d] = row[d];
        to[k * rank + rank - 1] = column + (done == 8 ? kEight.places[bits][k] : 0);
      }
      to += int64_t(eight * 0x0101010101010101 >> 56) * rank;
    }
  }
}

}  // namespace

Tensor nonzero(const Tensor& x) {
  // On the host: its size is not known before.
  GradMode off(false);
  const Tensor mask = contiguous(to(x.dtype() == DType::Bool ? x : ne(x, 0), {}, Device{}));
  const auto* p = mask.data<bool>();
  if (!mask.rank()) return to(empty({int64_t(*p), 0}, {DType::I64, Device{}}), {}, x.device());
  constexpr int64_t kPart = 32768;
  const int64_t n = mask.numel(), parts = (n + kPart - 1) / kPart;
  auto end_of = [=](int64_t part) { return std::min((part + 1) * kPart, n); };
  std::vector<int64_t> counts(size_t(parts) + 1);  // then: of all parts before
  parallel(parts, [&](int64_t i) { counts[size_t(i) + 1] = std::count(p + i * kPart, p + end_of(i), true); });
  std::partial_sum(counts.begin(), counts.end(), counts.begin());
  const Tensor places = empty({counts.back(), mask.rank()}, {DType::I64, Device{}});
  parallel(parts, [&](int64_t i) {
    const int64_t before = counts[size_t(i)];
    const auto write = mask.rank() == 1 ? write_places<1> : mask.rank() == 2 ? write_places<2> : write_places<0>;
    write(mask, i * kPart, counts[size_t(i) + 1] - before, places.data<int64_t>() + before * mask.rank());
  });
  return to(places, {}, x.device());
}
TensorList nonzero_by_dim(const Tensor& x) { return unbind(nonzero(x.rank() ? x : unsqueeze(x, 0)), 1); }

Tensor masked_select(const Tensor& x, const Tensor& mask) {
  check(mask.dtype() == DType::Bool, ErrorKind::DType, "masked_select", "a mask of dtype bool",
        [&] { return std::string(name_of(mask.dtype())); });
  const Dims sizes = broadcast_sizes("masked_select", x.sizes(), mask.sizes());
  const Key key{Key::Index, 0, 0, 1, expand(mask, sizes)};
  if (sizes.rank() == 0) return reshape(index(x, std::span<const Key>(&key, 1)), {-1});
  return index(expand(x, sizes), std::span<const Key>(&key, 1));
}

Tensor embedding(const Tensor& input, const Tensor& weight, std::optional<int64_t> padding_idx) {
  check_index("embedding", input);
  check(weight.rank() == 2, ErrorKind::Shape, "embedding", "a weight of 2 dimensions",
        [&] { return describe(weight); });
  const Selection rows = Selection::along(weight, 0, input, false);
  if (!padding_idx) return take_selected("embedding", weight, rows);
  const int64_t n = weight.size(0), padding = *padding_idx < 0 ? *padding_idx + n : *padding_idx;
  check(padding >= 0 && padding < n, ErrorKind::Index, "embedding", str("a padding_idx in [", -n, ", ", n - 1, "]"),
        [&] { return str(*padding_idx); });
  Tensor y;
  {
    GradMode off(false);
    y = take_selected("embedding", weight, rows);
  }
  record("EmbeddingBackward", y, {&weight}, [&] {
    return [sizes = weight.sizes(), rows = SavedSelection(rows), padding](const Tensor& g, Grads& grads) {
      const Selection places = rows.get();
      const Tensor kept = unsqueeze(ne(places.indices[0], padding), -1);  // that row gets no gradient
      grads[0] = add_to_zeros("embedding", sizes, where(kept, g, 0), places);
    };
  });
  return y;
}

Tensor one_hot(const Tensor& x, int64_t classes) {
  check(x.dtype() == DType::I64, ErrorKind::DType, "one_hot", "dtype int64",
        [&] { return std::string(name_of(x.dtype())); });
  const int64_t largest = x.numel() ? item(amax(x)).integer : -1, smallest = x.numel() ? item(amin(x)).integer : 0;
  if (classes < 0) classes = largest + 1;
  if (smallest < 0 || largest >= classes)
    raise(ErrorKind::Value, "one_hot", str("classes in [0, ", classes - 1, "]"),
          str(smallest < 0 ? smallest : largest));
  return to(eq(unsqueeze(x, -1), arange(int64_t(0), classes, int64_t(1), DType::I64, x.device())), DType::I64);
}

}  // namespace bolide

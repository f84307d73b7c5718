// indexing.cpp - x[keys]: views for ints and slices, gathers and scatters for tensors of indices.
//
// Tensor keys are broadcast together. Their places in x's memory become one tensor of offsets (checked and
// wrapped by a kernel), and one kernel takes, puts or adds rows at these offsets: every op below is that.
#include <algorithm>

#include "runtime/autograd.h"
#include "runtime/backend.h"
#include "runtime/ops.h"

namespace bolide {
namespace {

template <class Call>
void run_kernel(const char* op, void (*Kernels::*which)(const Call&), const Call& call, Device device) {
  auto* kernel = backend_of(device.type).kernels->*which;
  if (!kernel) raise(ErrorKind::NotImplemented, op, "a kernel on " + name_of(device), "none");
  kernel(call);
}

// Some dimensions of a tensor indexed by tensors, the others taken whole.
struct Places {
  Tensor offsets;         // int64, dense, of the index tensors' common shape
  Dims index_sizes;
  Dims inner_sizes, inner_strides;  // of the other dimensions
  int position = 0;       // where the index dimensions go among the others
};

// indices[d] may be unset.
Places find_places(const char* op, const Tensor& x, std::span<const Tensor> indices) {
  Places p;
  IndexOffsetsCall call;
  Tensor converted[kMaxRank];
  int first = -1, last = -1;
  for (int d = 0; d < x.rank(); d++) {
    if (!indices[size_t(d)]) {
      p.inner_sizes.push_back(x.size(d)), p.inner_strides.push_back(x.stride(d));
      continue;
    }
    if (first < 0) first = d;
    last = d;
    const Tensor& index = indices[size_t(d)];
    p.index_sizes = broadcast_sizes(op, p.index_sizes, index.sizes());
    converted[call.keys] = index.device() == x.device() ? index : to(index, {}, x.device());
    call.sizes[call.keys] = x.size(d), call.strides[call.keys] = x.stride(d);
    call.keys++;
  }
  // Next to each other, the result's index dimensions take their place; apart, they come first (as in NumPy).
  p.position = last - first + 1 == call.keys ? first : 0;
  p.offsets = empty(p.index_sizes, {DType::I64, x.device()});
  Dims strides[kMaxRank];
  for (int k = 0; k < call.keys; k++) {
    const Tensor& t = converted[k];
    strides[k] = Dims(p.index_sizes.rank(), 0);
    const int missing = p.index_sizes.rank() - t.rank();
    for (int d = missing; d < p.index_sizes.rank(); d++)
      strides[k][d] = t.size(d - missing) == 1 ? 0 : t.stride(d - missing);
    call.indices[k] = {t.data(), t.dtype(), strides[k].data()};
  }
  if (p.offsets.numel() == 0) return p;
  FaultReport faults(x.device());
  call.rank = p.index_sizes.rank(), call.shape = p.index_sizes.data();
  call.offsets = p.offsets.data<int64_t>(), call.op = op, call.fault = faults.place(),
  call.stream = current_stream(x.device());
  run_kernel(op, &Kernels::index_offsets, call, x.device());
  faults.check();
  return p;
}

void run_index(const char* op, IndexCall::Mode mode, const Tensor& x, const Places& p, const Tensor& values) {
  if (values.numel() == 0) return;
  IndexCall call;
  call.mode = mode, call.dtype = x.dtype(), call.array = x.data();
  call.offsets = p.offsets.data<int64_t>(), call.count = p.offsets.numel();
  call.inner_rank = p.inner_sizes.rank(), call.inner_shape = p.inner_sizes.data();
  call.inner_strides = p.inner_strides.data(), call.values = values.data(), call.stream = current_stream(x.device());
  BlockingScope scope(values.numel() >= 1 << 20);
  run_kernel(op, &Kernels::index, call, x.device());
}

// From (index dimensions, others) to the result's order, and back.
Dims result_order(const Places& p, bool back) {
  const int n = p.index_sizes.rank(), m = p.inner_sizes.rank(), at = std::min(p.position, m);
  Dims order;
  for (int d = 0; d < at; d++) order.push_back(n + d);
  for (int d = 0; d < n; d++) order.push_back(d);
  for (int d = at; d < m; d++) order.push_back(n + d);
  if (!back) return order;
  Dims inverse(order.rank());
  for (int i = 0; i < order.rank(); i++) inverse[int(order[i])] = i;
  return inverse;
}

void check_index(const char* op, const Tensor& index) {
  if (!contains(kSet<DType::I64, DType::I32, DType::U8>, index.dtype()))
    raise(ErrorKind::Index, op, "indices of dtype int64, int32, uint8 or bool", name_of(index.dtype()));
}

using Indices = std::vector<Tensor>;

Tensor take(const char* op, const Tensor& x, const Indices& indices);

// The gradient of take: zeros of x's shape, g added where it was taken. Its own gradient is take again.
Tensor add_at(const char* op, const Dims& sizes, const Tensor& g, const Indices& indices) {
  Tensor whole = zeros(sizes, {g.dtype(), g.device()});
  const Places p = find_places(op, whole, indices);
  run_index(op, IndexCall::Add, whole, p, contiguous(permute(detach(g), result_order(p, true))));
  record(op, whole, {&g},
         [&] { return [op, indices](const Tensor& gg, Grads& grads) { grads[0] = take(op, gg, indices); }; });
  return whole;
}

Tensor take(const char* op, const Tensor& x, const Indices& indices) {
  const Places p = find_places(op, x, indices);
  Dims sizes = p.index_sizes;
  for (int64_t size : p.inner_sizes) sizes.push_back(size);
  Tensor values = empty(sizes, {x.dtype(), x.device()});
  run_index(op, IndexCall::Take, x, p, values);
  {
    GradMode off(false);
    if (p.position > 0) values = contiguous(permute(values, result_order(p, false)));
  }
  Tensor y = alias(values);
  record("IndexBackward", y, {&x}, [&] {
    return
        [op, sizes = x.sizes(), indices](const Tensor& g, Grads& grads) { grads[0] = add_at(op, sizes, g, indices); };
  });
  return y;
}

// x with its views applied, and the tensor keys by dimension of it (none: all unset).
struct Resolved {
  Tensor view;
  Indices indices;
  bool has_tensor = false;
};

Resolved resolve(const Tensor& x, std::span<const Key> keys) {
  int used = 0, ellipses = 0;
  for (const Key& k : keys) {
    if (k.kind == Key::Ellipsis) ellipses++;
    else if (k.kind == Key::Index && k.index.dtype() == DType::Bool) used += std::max(k.index.rank(), 0);
    else if (k.kind != Key::None) used++;
  }
  check(ellipses <= 1, ErrorKind::Index, "index", "at most one ...", [&] { return str(ellipses); });
  if (used > x.rank())
    raise(ErrorKind::Index, "index", str("at most ", x.rank(), " keys for ", describe(x)), str(used));
  Resolved r{x, {}, false};
  int dim = 0;
  auto keep = [&](Tensor index) { r.indices.push_back(std::move(index)), dim++; };
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
        r.has_tensor = true;
        if (k.index.dtype() != DType::Bool) {
          check_index("index", k.index);
          keep(k.index);
          break;
        }
        // A mask stands for as many dimensions as it has; a 0-d one for a new dimension of size 1.
        Tensor mask = k.index;
        if (mask.rank() == 0) mask = unsqueeze(mask, 0), r.view = unsqueeze(r.view, dim);
        for (int d = 0; d < mask.rank(); d++)
          if (mask.size(d) != r.view.size(dim + d))
            raise(ErrorKind::Index, "index", str("a mask of the shape it indexes, ", r.view.sizes().text()),
                  mask.sizes().text());
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
  const Resolved r = resolve(x, keys);
  if (r.has_tensor) return take("index", r.view, r.indices);
  return r.view.same(x) ? view(x, x.sizes()) : r.view;
}

void index_put_(const Tensor& x, std::span<const Key> keys, const Tensor& value, bool accumulate) {
  const Resolved r = resolve(x, keys);
  const Tensor source = value.device() == x.device() ? value : to(value, {}, x.device());
  if (!r.has_tensor) return copy_(r.view, accumulate ? add(r.view, source) : source);
  const Tensor& target = r.view;
  const bool recorded = is_differentiable(target.dtype()) && wants_grad({&target, &source});
  check_inplace("index_put_", target, recorded);
  const Places p = find_places("index_put_", target, r.indices);
  Dims sizes = p.index_sizes;
  for (int64_t size : p.inner_sizes) sizes.push_back(size);
  const Dims order = result_order(p, false);
  Dims shown(sizes.rank());
  for (int i = 0; i < order.rank(); i++) shown[i] = sizes[int(order[i])];
  Tensor given = source;
  while (given.rank() > shown.rank() && given.size(0) == 1) given = squeeze(given, Dims{0});
  if (broadcast_sizes("index_put_", shown, given.sizes()) != shown)
    raise(ErrorKind::Shape, "index_put_", str("a value that broadcasts to ", shown.text()), value.sizes().text());
  {
    GradMode off(false);
    const Tensor values = to(contiguous(permute(expand(detach(given), shown), result_order(p, true))), target.dtype());
    run_index("index_put_", accumulate ? IndexCall::Add : IndexCall::Put, target, p, values);
  }
  bump_version(target);
  if (!recorded) return;
  set_inplace_history(target, make_node("IndexPutBackward", {&target, &given}, [&] {
                        return [indices = r.indices, accumulate](const Tensor& g, Grads& grads) {
                          if (grads.needs(1)) grads[1] = take("index_put_", g, indices);
                          if (!grads.needs(0)) return;
                          grads[0] = g;
                          if (accumulate) return;
                          const Tensor written = add_at(
                              "index_put_", g.sizes(),
                              ones(take("index_put_", detach(g), indices).sizes(), {g.dtype(), g.device()}), indices);
                          grads[0] = where(eq(written, 0), g, 0);
                        };
                      }));
}

void index_put_(const Tensor& x, std::span<const Key> keys, const Scalar& value) {
  const Resolved r = resolve(x, keys);
  if (!r.has_tensor) return fill_(r.view, value);
  index_put_(x, keys, full({}, value, {x.dtype(), x.device()}));
}

Tensor nonzero(const Tensor& x) {
  // On the host: its size is not known before.
  const Tensor mask = contiguous(to(detach(x.dtype() == DType::Bool ? x : ne(x, 0)), {}, Device{}));
  const auto* p = mask.data<bool>();
  const int64_t count = std::count(p, p + mask.numel(), true);
  Tensor places = empty({count, mask.rank()}, {DType::I64, Device{}});
  int64_t* to_place = places.data<int64_t>();
  for (int64_t i = 0; i < mask.numel(); i++) {
    if (!p[i]) continue;
    int64_t rest = i;
    for (int d = mask.rank(); d-- > 0; rest /= mask.size(d)) to_place[d] = rest % mask.size(d);
    to_place += mask.rank();
  }
  return to(places, {}, x.device());
}

Tensor masked_select(const Tensor& x, const Tensor& mask) {
  check(mask.dtype() == DType::Bool, ErrorKind::DType, "masked_select", "a mask of dtype bool",
        [&] { return std::string(name_of(mask.dtype())); });
  const Dims sizes = broadcast_sizes("masked_select", x.sizes(), mask.sizes());
  const Key key{Key::Index, 0, 0, 1, expand(mask, sizes)};
  if (sizes.rank() == 0) return reshape(index(x, std::span<const Key>(&key, 1)), {-1});
  return index(expand(x, sizes), std::span<const Key>(&key, 1));
}

Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index) {
  const int d = wrap_dim("index_select", dim, x.rank());
  check_index("index_select", index);
  check(index.rank() <= 1 && x.rank() > 0, ErrorKind::Index, "index_select", "one dimension of indices",
        [&] { return describe(index); });
  Indices indices(size_t(x.rank()));
  indices[size_t(d)] = index.rank() ? index : unsqueeze(index, 0);
  return take("index_select", x, indices);
}

Tensor gather(const Tensor& x, int64_t dim, const Tensor& index) {
  const int d = wrap_dim("gather", dim, x.rank());
  check_index("gather", index);
  if (index.rank() != x.rank())
    raise(ErrorKind::Shape, "gather", str(x.rank(), " dimensions of indices"), describe(index));
  Indices indices;
  for (int i = 0; i < x.rank(); i++) {
    if (i == d) {
      indices.push_back(index);
      continue;
    }
    if (index.size(i) > x.size(i))
      raise(ErrorKind::Shape, "gather", str("indices no larger than ", x.sizes().text(), " except in dimension ", d),
            index.sizes().text());
    Dims shape(x.rank(), 1);
    shape[i] = index.size(i);
    indices.push_back(reshape(arange(int64_t(0), index.size(i), int64_t(1), DType::I64, x.device()), shape));
  }
  return take("gather", x, indices);
}

Tensor embedding(const Tensor& input, const Tensor& weight, std::optional<int64_t> padding_idx) {
  check_index("embedding", input);
  check(weight.rank() == 2, ErrorKind::Shape, "embedding", "a weight of 2 dimensions",
        [&] { return describe(weight); });
  Indices indices(2);
  indices[0] = input;
  if (!padding_idx) return take("embedding", weight, indices);
  const int64_t n = weight.size(0), padding = *padding_idx < 0 ? *padding_idx + n : *padding_idx;
  check(padding >= 0 && padding < n, ErrorKind::Index, "embedding", str("a padding_idx in [", -n, ", ", n - 1, "]"),
        [&] { return str(*padding_idx); });
  Tensor y;
  {
    GradMode off(false);
    y = take("embedding", weight, indices);
  }
  record("EmbeddingBackward", y, {&weight}, [&] {
    return [sizes = weight.sizes(), indices, padding](const Tensor& g, Grads& grads) {
      const Tensor kept = unsqueeze(ne(indices[0], padding), -1);  // that row gets no gradient
      grads[0] = add_at("embedding", sizes, where(kept, g, 0), indices);
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

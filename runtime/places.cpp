// places.cpp - elements chosen by tensors of indices: where they lie, and copies out of and into them.
//
// The places in x's memory become one tensor of offsets (checked and wrapped by a kernel), and one kernel takes, puts
// or combines rows at these offsets: every op of the family is that.
#include "runtime/places.h"

#include <algorithm>

#include "runtime/backend.h"

namespace bolide {
namespace {

template <class Call>
void run_kernel(const char* op, void (*Kernels::*which)(const Call&), const Call& call, Device device) {
  auto* kernel = backend_of(device.type).kernels->*which;
  if (!kernel) raise(ErrorKind::NotImplemented, op, "a kernel on " + name_of(device), "none");
  kernel(call);
}

Dims common_sizes(const char* op, const Dims& sizes, const Tensor& index) {
  try {
    return broadcast_sizes(op, sizes, index.sizes());
  } catch (const Error&) {
    raise(ErrorKind::Index, op, "indices that broadcast together", str(sizes.text(), " and ", index.sizes().text()));
  }
}

bool index_is_elsewhere(const Tensor& x, const Selection& s) {
  for (const Tensor& index : s.indices)
    if (index && index.device() != x.device()) return true;
  return false;
}

// Does a kernel write to x where indices are read?
bool index_is_written(const Tensor& x, const Selection& s) {
  for (const Tensor& index : s.indices)
    if (index && may_overlap(x, index)) return true;
  return false;
}

// Some dimensions of a tensor indexed by tensors, the others taken whole. A wrong index raises, before anything is
// written; of elements that are taken, once the kernel finds it.
struct Places {
  Tensor offsets;  // int64, dense, of the index tensors' common shape; or none, and the kernel finds them by `call`
  Dims index_sizes;
  Dims inner_sizes, inner_strides;  // of the other dimensions
  int position = 0;  // where the index dimensions go among the others
  int64_t parts = 1;  // see IndexCall
  IndexOffsetsCall call;

  Places(const char* op, const Tensor& x, const Selection& s, IndexCall::Mode mode);
  Places(const Places&) = delete;  // `call` reads what is here

 private:
  Dims bases_;
  Dims few_[2];  // strides: most calls have one or two keys, and making many Dims costs more than the rest
  std::vector<Dims> many_;
  TensorList converted_;  // indices from another device
};

Places::Places(const char* op, const Tensor& x, const Selection& s, IndexCall::Mode mode) : bases_(x.strides()) {
  const Tensor* keys[kMaxRank];  // the index tensors, one after the other
  if (index_is_elsewhere(x, s)) converted_.reserve(s.indices.size());
  int first = -1, last = -1;
  bool chooses_from_nothing = false;
  for (int d = 0; d < x.rank() || (d == 0 && s.elementwise); d++) {
    const Tensor& index = s.indices[size_t(d)];
    if (!index) {
      if (!s.elementwise) inner_sizes.push_back(x.size(d)), inner_strides.push_back(x.stride(d));
      continue;
    }
    if (first < 0) first = d;
    last = d, chooses_from_nothing |= x.rank() && x.size(d) == 0;
    index_sizes = s.elementwise ? index.sizes() : common_sizes(op, index_sizes, index);
    keys[call.keys] = &index;
    if (index.device() != x.device()) keys[call.keys] = &converted_.emplace_back(to(index, {}, x.device()));
    call.sizes[call.keys] = x.rank() ? x.size(d) : 1, call.strides[call.keys] = x.rank() ? x.stride(d) : 1;
    call.keys++;
    if (x.rank()) bases_[d] = 0;
  }
  // Next to each other, the result's index dimensions take their place; apart, they come first (as in NumPy).
  position = last - first + 1 == call.keys ? first : 0;
  if (s.elementwise && first > 0 && index_sizes[0]) parts = index_sizes[0];  // indexed within x[0], x[1] ...
  const int64_t count = index_sizes.product(), inner = inner_sizes.product();
  const bool takes = mode == IndexCall::Take;
  const bool found_by_kernel = x.device().is_cpu() && inner == 1 && count && (takes || !index_is_written(x, s));
  if (!found_by_kernel) offsets = empty(index_sizes, {DType::I64, x.device()});
  // Nothing to copy: indices are not looked at, unless there is nothing that they could choose.
  if (count == 0 || (inner == 0 && !chooses_from_nothing)) return;
  many_.resize(call.keys > 2 ? size_t(call.keys) : 0);
  Dims* strides = call.keys > 2 ? many_.data() : few_;
  for (int k = 0; k < call.keys; k++) {
    const Tensor& t = *keys[k];
    strides[k] = Dims(index_sizes.rank(), 0);
    const int missing = index_sizes.rank() - t.rank();
    for (int d = missing; d < index_sizes.rank(); d++)
      strides[k][d] = t.size(d - missing) == 1 ? 0 : t.stride(d - missing);
    call.indices[k] = {t.data(), t.dtype(), strides[k].data()};
  }
  if (s.elementwise && x.rank()) call.base_strides = bases_.data();
  call.rank = index_sizes.rank(), call.shape = index_sizes.data();
  call.offsets = offsets ? offsets.data<int64_t>() : nullptr, call.stream = current_stream(x.device());
  call.wraps = s.wraps, call.op = op;
  if (found_by_kernel && takes) return;
  FaultReport faults(x.device());
  call.fault = faults.place();
  run_kernel(op, &Kernels::index_offsets, call, x.device());
  faults.check();
}

void run_index(const char* op, IndexCall::Mode mode, const Tensor& x, Places& p, const Tensor& values) {
  if (values.numel() == 0) return;
  FaultReport faults(x.device());
  p.call.fault = faults.place();
  IndexCall call;
  call.mode = mode, call.dtype = x.dtype(), call.array = x.data();
  if (p.offsets) call.offsets = p.offsets.data<int64_t>();
  else call.find = &p.call;
  call.count = p.index_sizes.product(), call.parts = p.parts;
  call.inner_rank = p.inner_sizes.rank(), call.inner_shape = p.inner_sizes.data();
  call.inner_strides = p.inner_strides.data(), call.values = values.data(), call.stream = current_stream(x.device());
  {
    BlockingScope scope(values.numel() >= 1 << 20);
    run_kernel(op, &Kernels::index, call, x.device());
  }
  faults.check();
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

// Does it take columns of x by one row of indices?
bool takes_columns(const Tensor& x, const Selection& s) {
  const int last = x.rank() - 1;
  if (s.elementwise || last < 1 || int(s.indices.size()) <= last || x.numel() == 0) return false;
  const Tensor& index = s.indices[size_t(last)];
  if (!index || index.rank() != 1) return false;
  for (int d = 0; d < last; d++)
    if (s.indices[size_t(d)]) return false;
  return true;
}
// Columns as gather takes them, in the order of the result, instead of one column after the other, which would have to
// be transposed.
Selection by_rows(const Tensor& x, const Selection& s) {
  const int last = x.rank() - 1;
  const Tensor& index = s.indices[size_t(last)];
  Dims sizes = x.sizes();
  sizes[last] = index.size(0);
  Selection spread = Selection::along(x, last, expand(index, sizes), true);
  spread.wraps = s.wraps;
  return spread;
}

}  // namespace

void check_index(const char* op, const Tensor& index) {
  if (!contains(kSet<DType::I64, DType::I32>, index.dtype()))
    raise(ErrorKind::Index, op, "indices of dtype int64 or int32", name_of(index.dtype()));
}

Dims selected_sizes(const char* op, const Tensor& x, const Selection& s) {
  Dims sizes, index_sizes, inner_sizes;
  int first = -1, last = -1, keys = 0;
  for (int d = 0; d < int(s.indices.size()); d++) {
    const Tensor& index = s.indices[size_t(d)];
    if (index && s.elementwise) return index.sizes();
    if (!index) {
      if (d < x.rank()) inner_sizes.push_back(x.size(d));
      continue;
    }
    if (first < 0) first = d;
    last = d, keys++;
    index_sizes = common_sizes(op, index_sizes, index);
  }
  const int position = last - first + 1 == keys ? first : 0;
  for (int i = 0; i < inner_sizes.rank() && i < position; i++) sizes.push_back(inner_sizes[i]);
  for (int64_t size : index_sizes) sizes.push_back(size);
  for (int i = position; i < inner_sizes.rank(); i++) sizes.push_back(inner_sizes[i]);
  return sizes;
}

Tensor take_selected(const char* op, const Tensor& x, const Selection& s) {
  const bool columns = takes_columns(x, s);
  const Selection rows = columns ? by_rows(x, s) : Selection();
  Places p(op, x, columns ? rows : s, IndexCall::Take);
  Dims sizes = p.index_sizes;
  for (int64_t size : p.inner_sizes) sizes.push_back(size);
  Tensor y = empty(sizes, {x.dtype(), x.device()});
  run_index(op, IndexCall::Take, x, p, y);
  if (p.position > 0) {
    GradMode off(false);
    y = alias(contiguous(permute(y, result_order(p, false))));
  }
  record("IndexBackward", y, {&x}, [&] {
    return [op, sizes = x.sizes(), s = SavedSelection(s)](const Tensor& g, Grads& grads) {
      grads[0] = add_to_zeros(op, sizes, g, s.get());
    };
  });
  return y;
}

Tensor add_to_zeros(const char* op, const Dims& sizes, const Tensor& g, const Selection& s) {
  Tensor whole = zeros(sizes, {g.dtype(), g.device()});
  combine_selected(op, whole, s, detach(g), IndexCall::Add);
  record(op, whole, {&g}, [&] {
    return [op, s = SavedSelection(s)](const Tensor& gg, Grads& grads) { grads[0] = take_selected(op, gg, s.get()); };
  });
  return whole;
}

void combine_selected(const char* op, const Tensor& x, const Selection& s, const Tensor& values, IndexCall::Mode mode) {
  GradMode off(false);
  Places p(op, x, s, mode);
  Tensor given = contiguous(p.position > 0 ? permute(values, result_order(p, true)) : values);
  if (may_overlap(given, x)) given = clone(given);
  run_index(op, mode, x, p, given);
}

void put_selected(const char* op, const Tensor& x, const Selection& s, const Tensor& values, bool accumulate) {
  const bool recorded = is_differentiable(x.dtype()) && wants_grad({&x, &values});
  check_inplace(op, x, recorded);
  const Dims shown = selected_sizes(op, x, s);
  Tensor given = values;
  while (given.rank() > shown.rank() && given.size(0) == 1) given = squeeze(given, Dims{0});
  if (given.rank() > shown.rank() || broadcast_sizes(op, shown, given.sizes()) != shown)
    raise(ErrorKind::Shape, op, str("a value that broadcasts to ", shown.text()), values.sizes().text());
  {
    GradMode off(false);
    combine_selected(op, x, s, to(expand(detach(given), shown), x.dtype()),
                     accumulate ? IndexCall::Add : IndexCall::Put);
  }
  bump_version(x);
  if (!recorded) return;
  set_inplace_history(x, make_node("IndexPutBackward", {&x, &given}, [&] {
                        return [op, s = SavedSelection(s), accumulate](const Tensor& g, Grads& grads) {
                          const Selection places = s.get();
                          if (grads.needs(1)) grads[1] = take_selected(op, g, places);
                          if (!grads.needs(0)) return;
                          grads[0] = g;
                          if (accumulate) return;
                          Tensor kept = ones(g.sizes(), {g.dtype(), g.device()});
                          combine_selected(op, kept, places,
                                           zeros(selected_sizes(op, kept, places), {g.dtype(), g.device()}),
                                           IndexCall::Put);
                          grads[0] = where(Arg(eq(kept, 0)), 0, g);
                        };
                      }));
}

}  // namespace bolide

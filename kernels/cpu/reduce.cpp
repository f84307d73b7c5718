// reduce.cpp - the reductions of reduce.def, argmax and argmin, on any layout; compiled once per ISA.
//
// Two ways through memory. Rows: each result gathers its elements in blocks of 4096, which go into 64
// independent partial results (what vector registers want); blocks are combined in pairs, so the rounding
// error grows with log(n). Columns: where neighbours in memory belong to neighbouring results, a panel of
// results runs down the rows together, 64 rows a partial. The order depends on the shape alone: the same
// result for every number of threads.
#include <cstring>

#include "kernels/cpu/convert.h"
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/op_list.h"
#include "kernels/threads.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

constexpr int64_t kLanes = 64, kBlock = 4096, kPanel = 1024, kRows = 64, kPiece = 16 * kBlock;
constexpr int64_t kTogether = 4;  // rows of a panel that are combined before what there is is read
constexpr int64_t kTogetherRows = 16;

template <class T>
struct table {
  using X = Num<T>;
#define REDUCE(set, rule, empty, name, shift, start, add, merge, end, slope, doc)                  \
  struct name {                                                                                    \
    static constexpr unsigned kDTypes = set;                                                       \
    static BOLIDE_FN X first() { return start; }                                                   \
    static BOLIDE_FN X map([[maybe_unused]] X x, [[maybe_unused]] X s) { return add; }             \
    static BOLIDE_FN X combine(X a, X b) { return merge; }                                         \
    static BOLIDE_FN X finish(X a, [[maybe_unused]] X n, [[maybe_unused]] X p, [[maybe_unused]] X s) { \
      return end;                                                                                  \
    }                                                                                              \
    struct Shift;                                                                                  \
  };
#include "kernels/reduce.def"
  struct nothing {};
#define REDUCE(set, rule, empty, name, shift, ...) \
  struct shift_of_##name { using type = shift; };
#include "kernels/reduce.def"
};
#define REDUCE(set, rule, empty, name, ...) \
  template <class T> struct table<T>::name::Shift : shift_of_##name {};
#include "kernels/reduce.def"

// The input of a call: kept dimensions first, then the reduced ones.
struct Layout {
  int kept_rank = 0, reduced_rank = 0;
  int64_t kept_shape[kMaxRank], kept_in[kMaxRank], kept_out[kMaxRank];
  int64_t shape[kMaxRank], strides[kMaxRank];  // reduced
  int64_t results = 1, n = 1;

  explicit Layout(const ReduceCall& call) {
    for (int d = 0; d < call.rank; d++) {
      const int64_t size = call.shape[d], in = call.in.strides[d], out = call.out.strides[d];
      const bool reduced = call.reduced >> d & 1;
      (reduced ? n : results) *= size;
      if (size == 1) continue;
      if (reduced) push(reduced_rank, shape, size, strides, in, nullptr, 0);
      else push(kept_rank, kept_shape, size, kept_in, in, kept_out, out);
    }
    if (!reduced_rank) shape[0] = n, strides[0] = 1, reduced_rank = 1;
    if (!kept_rank) kept_shape[0] = results, kept_in[0] = kept_out[0] = 1, kept_rank = 1;
  }
  static void push(int& rank, int64_t* shape, int64_t size, int64_t* a, int64_t a_stride, int64_t* b,
                   int64_t b_stride) {
    if (rank > 0 && a[rank - 1] == a_stride * size && (!b || b[rank - 1] == b_stride * size)) shape[--rank] *= size;
    else shape[rank] = size;
    a[rank] = a_stride;
    if (b) b[rank] = b_stride;
    rank++;
  }
  // Where result r reads and writes, in elements.
  void place(int64_t r, int64_t& in, int64_t& out) const {
    in = out = 0;
    for (int d = kept_rank - 1; d > 0; r /= kept_shape[d--]) {
      in += r % kept_shape[d] * kept_in[d];
      out += r % kept_shape[d] * kept_out[d];
    }
    in += r * kept_in[0], out += r * kept_out[0];
  }
};

// Elements [begin, begin + n) of one result, as dense numbers: in place, or gathered into `block`.
template <class T>
const T* read(const ReduceCall& call, const Layout& l, int64_t base, int64_t begin, int64_t n, T* block) {
  const int64_t size = item_size(call.in.dtype);
  auto* data = static_cast<const char*>(call.in.data) + base * size;
  const bool own = call.in.dtype == kComputeDTypes[int(call.compute)];
  if (own && l.reduced_rank == 1 && l.strides[0] == 1) return reinterpret_cast<const T*>(data) + begin;
  const LoadRun load = kLoads[int(call.in.dtype)][int(call.compute)];
  for_each_run(l.reduced_rank, l.shape, l.strides, begin, n, [&](int64_t offset, int64_t length, int64_t done) {
    load(data + offset * size, l.strides[l.reduced_rank - 1], block + done, length);
  });
  return block;
}

// The partial results of a block. At -O3 they stay in registers; the rest of the file is smaller without it.
template <class R, class T>
[[gnu::noinline, gnu::optimize("O3")]] void fill_lanes(const T* p, int64_t n, T s, T* to) {
  T lanes[kLanes];
  for (T& lane : lanes) lane = R::first().v;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
#pragma GCC ivdep
    for (int64_t j = 0; j < kLanes; j++) lanes[j] = R::combine(lanes[j], R::map(p[i + j], s)).v;
  if (const int64_t rest = n - i) {  // as long as the others, since a loop of any length is much more code
    T padded[kLanes] = {};
    std::memcpy(padded, p + i, size_t(rest) * sizeof(T));
    T mapped[kLanes];
#pragma GCC ivdep
    for (int64_t j = 0; j < kLanes; j++) mapped[j] = R::combine(lanes[j], R::map(padded[j], s)).v;
    std::memcpy(lanes, mapped, size_t(rest) * sizeof(T));
  }
  std::memcpy(to, lanes, sizeof lanes);
}
// The partial results of some blocks become one result each, in lanes[k][0]. All of a width at once: none waits for
// another.
template <class R, class T>
[[gnu::noinline]] void fold_lanes(T (*lanes)[kLanes], int64_t blocks) {
#pragma GCC unroll 1
  for (int64_t width = kLanes / 2; width > 0; width /= 2)
#pragma GCC unroll 1
    for (int64_t k = 0; k < blocks; k++)
#pragma GCC ivdep
#pragma GCC unroll 1
      for (int64_t j = 0; j < width; j++) lanes[k][j] = R::combine(lanes[k][j], lanes[k][j + width]).v;
}
template <class R, class T>
[[gnu::noinline]] T reduce_block(const T* p, int64_t n, T s) {
  if (n < kLanes / 2) {
    Num<T> total = R::first();
    for (int64_t i = 0; i < n; i++) total = R::combine(total, R::map(p[i], s));
    return total.v;
  }
  T lanes[1][kLanes];
  fill_lanes<R>(p, n, s, lanes[0]);
  fold_lanes<R>(lanes, 1);
  return lanes[0][0];
}

// Pairs of halves, cut at multiples of kBlock: the same tree whoever computes which part of it.
template <class R, class T, class Leaf>
T reduce_tree(int64_t begin, int64_t n, int64_t leaf_size, const Leaf& leaf) {
  if (n <= leaf_size) return leaf(begin, n);
  const int64_t half = (n / 2 + leaf_size - 1) / leaf_size * leaf_size;
  const T a = reduce_tree<R, T>(begin, half, leaf_size, leaf);
  return R::combine(a, reduce_tree<R, T>(begin + half, n - half, leaf_size, leaf)).v;
}

// How many of n bytes of bool are true.
BOLIDE_FN int32_t count_true(const uint8_t* p, int64_t n) {
  int32_t count = 0;
  for (int64_t i = 0; i < n; i++) count += p[i];
  return count;
}
template <class R, class T>
T reduce_row(const ReduceCall& call, const Layout& l, int64_t base, int64_t begin, int64_t n, T s) {
  if constexpr (std::is_same_v<R, table<int64_t>::sum>)
    if (call.in.dtype == DType::Bool && l.reduced_rank == 1 && l.strides[0] == 1)
      return reduce_tree<R, T>(begin, n, kBlock, [&](int64_t at, int64_t count) -> T {
        return count_true(static_cast<const uint8_t*>(call.in.data) + base + at, count);
      });
  T block[kBlock];
  return reduce_tree<R, T>(begin, n, kBlock, [&](int64_t at, int64_t count) {
    return reduce_block<R>(read(call, l, base, at, count, block), count, s);
  });
}

// One result over many elements: pieces in parallel, then the upper part of the tree.
template <class R, class T>
T reduce_long_row(const ReduceCall& call, const Layout& l, int64_t base, T s) {
  const int64_t pieces = (l.n + kPiece - 1) / kPiece;
  auto* parts = static_cast<T*>(scratch(0, pieces * int64_t(sizeof(T))));  // a vector's code would be shared by ISAs
  parallel(pieces, [&](int64_t i) {
    parts[i] = reduce_row<R>(call, l, base, i * kPiece, std::min(kPiece, l.n - i * kPiece), s);
  });
  return reduce_tree<R, T>(0, pieces, 1, [&](int64_t i, int64_t) { return parts[i]; });
}

template <class R, class T>
T reduce_one(const ReduceCall& call, const Layout& l, int64_t base);

// A reduction with a shift needs another one first: the mean of var, the largest of logsumexp.
template <class R, class T>
T shift_of(const ReduceCall& call, const Layout& l, int64_t base) {
  using Shift = typename R::Shift::type;
  if constexpr (std::is_same_v<Shift, typename table<T>::nothing>) return T(0);
  else return reduce_one<Shift, T>(call, l, base);
}
template <class R, class T>
T reduce_one(const ReduceCall& call, const Layout& l, int64_t base) {
  const T s = shift_of<R, T>(call, l, base);
  const T total = l.n > kPiece ? reduce_long_row<R>(call, l, base, s) : reduce_row<R>(call, l, base, 0, l.n, s);
  return R::finish(total, T(l.n), T(call.parameter), s).v;
}

// n results, `stride` apart in the output.
template <class T>
void write(const ReduceCall& call, int64_t at, const T* values, int64_t n = 1, int64_t stride = 1) {
  const DType dtype = call.out.dtype;
  kStores[int(dtype)][int(call.compute)](values, static_cast<char*>(call.out.data) + at * item_size(dtype), stride, n);
}

// Dense rows [begin, end) of a few vectors each: some at a time.
template <class R, class T>
void reduce_together(const ReduceCall& call, const Layout& l, int64_t begin, int64_t end) {
  T lanes[kTogetherRows][kLanes], totals[kTogetherRows];
  for (int64_t r = begin, rows; r < end; r += rows) {
    rows = std::min(kTogetherRows, end - r);
    for (int64_t k = 0; k < rows; k++)
      fill_lanes<R>(static_cast<const T*>(call.in.data) + (r + k) * l.kept_in[0], l.n, T(0), lanes[k]);
    fold_lanes<R>(lanes, rows);
    for (int64_t k = 0; k < rows; k++) totals[k] = R::finish(lanes[k][0], T(l.n), T(call.parameter), T(0)).v;
    write(call, r * l.kept_out[0], totals, rows, l.kept_out[0]);
  }
}
template <class R, class T>
void reduce_rows(const ReduceCall& call, const Layout& l) {
  const int64_t grain = std::max<int64_t>(1, 8 * kBlock / std::max<int64_t>(l.n, 16));
  auto one = [&](int64_t r) {
    int64_t in, out;
    l.place(r, in, out);
    const T total = reduce_one<R, T>(call, l, in);
    write(call, out, &total);
  };
  if (l.n > kPiece) {  // parallel within each
    for (int64_t r = 0; r < l.results; r++) one(r);
    return;
  }
  constexpr bool kAlone = std::is_same_v<typename R::Shift::type, typename table<T>::nothing> && !kIsComplex<T>;
  const bool plain = kAlone && l.kept_rank == 1 && l.reduced_rank == 1 && l.strides[0] == 1 && l.n <= kBlock &&
                     l.n >= kLanes / 2 && call.in.dtype == kComputeDTypes[int(call.compute)];
  parallel_rows(l.results, grain, [&](int64_t begin, int64_t end) {
    if constexpr (kAlone)
      if (plain) return reduce_together<R, T>(call, l, begin, end);
    for (int64_t r = begin; r < end; r++) one(r);
  });
}

// ------------------------------------------------------------------------------------------------- columns
// The elements of `columns` neighbouring results, row by row: in place, or converted into `room`.
template <class T>
class PanelRows {
 public:
  PanelRows(const ReduceCall& call, const Layout& l, int64_t base, int64_t columns)
      : l_(l), size_(item_size(call.in.dtype)), columns_(columns),
        load_(call.in.dtype == kComputeDTypes[int(call.compute)] ? nullptr
                                                                 : kLoads[int(call.in.dtype)][int(call.compute)]),
        data_(static_cast<const char*>(call.in.data) + base * size_) {}
  const T* read(int64_t i, T* room) const {
    int64_t offset = 0;
    for (int d = l_.reduced_rank - 1; d >= 0; i /= l_.shape[d--]) offset += i % l_.shape[d] * l_.strides[d];
    if (!load_) return reinterpret_cast<const T*>(data_ + offset * size_);
    load_(data_ + offset * size_, 1, room, columns_);
    return room;
  }

 private:
  const Layout& l_;
  const int64_t size_, columns_;
  const LoadRun load_;
  const char* const data_;
};

// `columns` neighbouring results, each over all l.n elements; totals gets the results.
template <class R, class T>
void reduce_panel(const ReduceCall& call, const Layout& l, int64_t base, int64_t columns, T* totals) {
  T shift[kPanel] = {}, block[kPanel];
  using Shift = typename R::Shift::type;
  if constexpr (!std::is_same_v<Shift, typename table<T>::nothing>) reduce_panel<Shift>(call, l, base, columns, shift);
  const PanelRows<T> rows(call, l, base, columns);
  std::fill_n(totals, columns, R::first().v);
  T room[kTogether][kPanel];
  for (int64_t r = 0; r < l.n; r += kRows) {
    std::fill_n(block, columns, R::first().v);
    const int64_t end = std::min(r + kRows, l.n);
    int64_t i = r;
    for (; i + kTogether <= end; i += kTogether) {
      const T* x[kTogether];
      for (int64_t k = 0; k < kTogether; k++) x[k] = rows.read(i + k, room[k]);
#pragma GCC ivdep
      for (int64_t j = 0; j < columns; j++) {
        auto mapped = [&](int64_t k) { return R::map(x[k][j], shift[j]); };
        block[j] =
            R::combine(block[j], R::combine(R::combine(mapped(0), mapped(1)), R::combine(mapped(2), mapped(3)))).v;
      }
    }
    for (; i < end; i++) {
      const T* x = rows.read(i, room[0]);
#pragma GCC ivdep
      for (int64_t j = 0; j < columns; j++) block[j] = R::combine(block[j], R::map(x[j], shift[j])).v;
    }
    for (int64_t j = 0; j < columns; j++) totals[j] = R::combine(totals[j], block[j]).v;
  }
  for (int64_t j = 0; j < columns; j++) totals[j] = R::finish(totals[j], T(l.n), T(call.parameter), shift[j]).v;
}

// f(in, out, columns) for all panels of results; out is the place of the first, the others lie kept_out apart.
template <class F>
void each_panel(const Layout& l, const F& f) {
  const int64_t inner = l.kept_shape[l.kept_rank - 1], width = l.n * inner > kBlock * 16 ? kPanel / 4 : kPanel;
  const int64_t panels = (inner + width - 1) / width;
  parallel(l.results / inner * panels, [&](int64_t chunk) {
    const int64_t column = chunk % panels * width;
    int64_t in, out;
    l.place(chunk / panels * inner + column, in, out);
    f(in, out, std::min(width, inner - column));
  });
}
template <class R, class T>
void reduce_columns(const ReduceCall& call, const Layout& l) {
  each_panel(l, [&](int64_t in, int64_t out, int64_t columns) {
    T totals[kPanel];
    reduce_panel<R>(call, l, in, columns, totals);
    write(call, out, totals, columns, l.kept_out[l.kept_rank - 1]);
  });
}

bool in_columns(const Layout& l) {
  return l.kept_in[l.kept_rank - 1] == 1 && l.kept_shape[l.kept_rank - 1] >= 8 && l.strides[l.reduced_rank - 1] != 1 &&
         l.n > 1;
}
template <class R, class T>
void reduce_as(const ReduceCall& call, const Layout& l) {
  if (in_columns(l)) reduce_columns<R, T>(call, l);
  else reduce_rows<R, T>(call, l);
}

// ------------------------------------------------------------------------------------------ argmax, argmin
// Down the rows of a panel; places are integers as wide as the numbers.
template <bool largest, class T>
void find_in_columns(const ReduceCall& call, const Layout& l) {
  each_panel(l, [&](int64_t in, int64_t out, int64_t columns) {
    const PanelRows<T> rows(call, l, in, columns);
    T best[kPanel], room[kPanel];
    IntOf<T> places[kPanel] = {};
    std::copy_n(rows.read(0, room), columns, best);
    for (int64_t i = 1; i < l.n; i++) {
      const T* x = rows.read(i, room);
#pragma GCC ivdep
      for (int64_t j = 0; j < columns; j++) {
        const Num<T> a = best[j], b = x[j];
        const Mask<T> wins = ((largest ? b > a : b < a) | (b != b)) & (a == a);
        best[j] = select(wins, b, a).v;
        places[j] = (IntOf<T>(i) & wins.v) | (places[j] & ~wins.v);
      }
    }
    auto* to = static_cast<int64_t*>(call.out.data) + out;
    for (int64_t j = 0; j < columns; j++) to[j * l.kept_out[l.kept_rank - 1]] = places[j];
  });
}
// The first element that is `wanted`, or NaN where that is; there is one.
template <class T>
int64_t place_of(const ReduceCall& call, const Layout& l, int64_t base, T wanted) {
  T block[kBlock];
  auto is_it = [=](T x) { return (x == wanted) | ((x != x) & (wanted != wanted)); };
  for (int64_t at = 0;; at += kBlock) {
    const int64_t n = std::min(kBlock, l.n - at);
    const T* p = read(call, l, base, at, n, block);
    for (int64_t i = 0; i < n; i += kLanes) {
      const int64_t end = std::min(i + kLanes, n);
      IntOf<T> found = 0;
      for (int64_t k = i; k < end; k++) found |= is_it(p[k]);
      if (!found) continue;
      for (int64_t k = i;; k++)
        if (is_it(p[k])) return at + k;
    }
  }
}
template <class T>
void find_extreme(const ReduceCall& call, const Layout& l) {
  const bool largest = call.op == ReductionOp::argmax;
  if (in_columns(l) && l.n <= std::numeric_limits<int32_t>::max())
    return largest ? find_in_columns<true, T>(call, l) : find_in_columns<false, T>(call, l);
  parallel_rows(l.results, std::max<int64_t>(1, kBlock / l.n), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      int64_t in, out;
      l.place(r, in, out);
      const T best = largest ? reduce_one<typename table<T>::amax, T>(call, l, in)
                             : reduce_one<typename table<T>::amin, T>(call, l, in);
      static_cast<int64_t*>(call.out.data)[out] = place_of(call, l, in, best);
    }
  });
}

template <class T>
inline constexpr unsigned kComputedIn = kIsComplex<T>                 ? Complex
                                        : std::is_floating_point_v<T> ? Float
                                                                      : IntBool;
template <class T>
void reduce_of(const ReduceCall& call) {
  const Layout l(call);
  if (l.results == 0) return;
  switch (call.op) {
#define REDUCE(set, rule, empty, name, ...)                                                   \
  case ReductionOp::name:                                                                     \
    if constexpr ((table<T>::name::kDTypes & kComputedIn<T>) != 0) \
      return reduce_as<typename table<T>::name, T>(call, l);                                  \
    else break;
#include "kernels/reduce.def"
    case ReductionOp::argmax:
    case ReductionOp::argmin:
      if constexpr (!kIsComplex<T>) return find_extreme<T>(call, l);
      else break;
    case ReductionOp::kCount: break;
  }
  raise(ErrorKind::NotImplemented, "reduce", "a dtype with a kernel on device cpu", name_of(call.in.dtype));
}

}  // namespace

void reduce(const ReduceCall& call) {
  switch (call.compute) {
    case Compute::F32: return reduce_of<float>(call);
    case Compute::F64: return reduce_of<double>(call);
    case Compute::I32: return reduce_of<int32_t>(call);
    case Compute::I64: return reduce_of<int64_t>(call);
    case Compute::C64: return reduce_of<C64>(call);
    case Compute::C128: return reduce_of<C128>(call);
  }
}

}  // namespace bolide::inline BOLIDE_ISA

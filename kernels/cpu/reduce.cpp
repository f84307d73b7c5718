// reduce.cpp - the reductions of reduce.def, argmax and argmin, on any layout; compiled once per ISA.
//
// Two ways through memory. Rows: each result takes its elements in blocks of 4096, which go into 64 independent
// partial results (what vector registers want); blocks are combined in pairs, so the rounding error grows with
// log(n). Columns: where neighbours in memory belong to neighbouring results, a panel of results runs down the rows
// together, 64 rows a partial; many rows are cut into pieces. The order depends on the shape and the layout alone:
// the same result for every number of threads.
//
// Numbers are read where they lie if they are stored as they are computed; sums read half types there, too. Others
// go through a block that is converted first. What is here is compiled for each type; the loops for each reduction
// are in reduce_loops.h.
#include "kernels/cpu/reduce_loops.h"

#include "kernels/cpu/convert.h"
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/threads.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

constexpr int64_t kBlock = 4096, kPanel = 1024, kNarrow = 256, kRows = 64, kPiece = 16 * kBlock;
constexpr int64_t kTogetherRows = 16;  // results that are written at once
constexpr int64_t kLongRun = 256;      // shorter runs along memory are gathered
constexpr int64_t kMostPieces = 64;    // of one column

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

// Neighbouring results: the number of the first, how many, where the first reads and writes.
struct Panel {
  int64_t result, columns, in, out;
};

// f(panel, piece) for all results, each panel with its rows in so many pieces. What lies together in memory comes one
// after the other.
template <class F>
void each_panel(const Layout& l, int64_t width, int64_t pieces, const F& f) {
  const int64_t inner = l.kept_shape[l.kept_rank - 1], panels = (inner + width - 1) / width;
  parallel(l.results / inner * panels * pieces, [&](int64_t chunk) {
    const int64_t column = chunk % panels * width, piece = chunk / panels % pieces;
    Panel panel{chunk / (panels * pieces) * inner + column, std::min(width, inner - column), 0, 0};
    l.place(panel.result, panel.in, panel.out);
    f(panel, piece);
  });
}

// How many of n bytes of bool are true.
BOLIDE_FN int32_t count_true(const uint8_t* p, int64_t n) {
  int32_t count = 0;
  for (int64_t i = 0; i < n; i++) count += p[i];
  return count;
}

// One call. The loops come by pointer, so that this is compiled once for a type and not for each reduction.
template <class T>
class Reducer {
 public:
  Reducer(const ReduceCall& call, const Layout& l, const Loops<T>& loops)
      : call_(call), l_(l), loops_(loops), size_(item_size(call.in.dtype)), dense_(loops.dense), take_(loops.take),
        take_one_(loops.take_one) {
    if (call.in.dtype == kComputeDTypes[int(call.compute)]) return;
    if constexpr (std::is_same_v<T, float>)
      if (loops.is_sum && read_halves()) return;
    load_ = kLoads[int(call.in.dtype)][int(call.compute)];
  }

  void run() const {
    if (in_columns(l_)) columns();
    else rows();
  }
  // The result whose elements begin at `base`.
  T one(int64_t base) const {
    const T shift = loops_.shift ? Reducer(call_, l_, *loops_.shift).one(base) : T(0);
    T total = l_.n > kPiece ? long_row(base, shift) : row(base, 0, l_.n, shift);
    finish(&total, &shift, 1);
    return total;
  }

  static bool in_columns(const Layout& l) {
    return l.kept_in[l.kept_rank - 1] == 1 && l.kept_shape[l.kept_rank - 1] >= 8 &&
           l.strides[l.reduced_rank - 1] != 1 && l.n > 1;
  }
  // Elements [begin, begin + n) of a result, as dense numbers: in place, or gathered into `room`.
  const T* read(int64_t base, int64_t begin, int64_t n, T* room) const {
    if (!load_ && l_.reduced_rank == 1 && l_.strides[0] == 1) return static_cast<const T*>(at(base + begin));
    const LoadRun load = kLoads[int(call_.in.dtype)][int(call_.compute)];
    for_each_run(l_.reduced_rank, l_.shape, l_.strides, begin, n, [&](int64_t offset, int64_t length, int64_t done) {
      load(static_cast<const char*>(at(base + offset)), l_.strides[l_.reduced_rank - 1], room + done, length);
    });
    return room;
  }
  // Row i of `columns` neighbouring results: in place, or converted into `room`.
  const void* read_row(int64_t base, int64_t i, int64_t columns, T* room) const {
    for (int d = l_.reduced_rank - 1; d > 0; i /= l_.shape[d--]) base += i % l_.shape[d] * l_.strides[d];
    const void* row = at(base + i * l_.strides[0]);
    if (!load_) return row;
    load_(static_cast<const char*>(row), 1, room, columns);
    return room;
  }

 private:
  const void* at(int64_t element) const { return static_cast<const char*>(call_.in.data) + element * size_; }
  bool read_halves() {
    auto read_as = [&]<class S>(S) {
      dense_ = sum_halves<S>, take_ = take_halves<S>, take_one_ = take_one<table<float>::sum, S, float>;
      return true;
    };
    if (call_.in.dtype == DType::F16) return read_as(F16());
    return call_.in.dtype == DType::BF16 && read_as(BF16());
  }
  void finish(T* totals, const T* shift, int64_t n) const {
    loops_.finish(totals, shift, n, T(l_.n), T(call_.parameter));
  }
  // n results, `stride` apart in the output.
  void write(int64_t out, const T* values, int64_t n, int64_t stride) const {
    const DType dtype = call_.out.dtype;
    kStores[int(dtype)][int(call_.compute)](values, static_cast<char*>(call_.out.data) + out * item_size(dtype), stride,
                                            n);
  }

  // ---- rows ------------------------------------------------------------------------------------------------
  // Pairs of halves, cut at multiples of leaf_size: the same tree whoever computes which part of it.
  template <class Leaf>
  T tree(int64_t begin, int64_t n, int64_t leaf_size, const Leaf& leaf) const {
    if (n <= leaf_size) return leaf(begin, n);
    const int64_t half = (n / 2 + leaf_size - 1) / leaf_size * leaf_size;
    T a = tree(begin, half, leaf_size, leaf);
    const T b = tree(begin + half, n - half, leaf_size, leaf);
    loops_.merge(&a, &b, 1);
    return a;
  }
  bool in_place() const {  // long runs of numbers that the loops can read
    const int last = l_.reduced_rank - 1;
    return !load_ && l_.strides[last] == 1 && (last == 0 || l_.shape[last] >= kLongRun);
  }
  // The result of n bools of which so many are true, for reductions that need not know which; else -1.
  T of_count(int32_t count, int64_t n) const {
    if (loops_.is_sum) return T(count);
    return call_.op == ReductionOp::any ? count > 0 : call_.op == ReductionOp::all ? count == n : -1;
  }
  T row(int64_t base, int64_t begin, int64_t n, T shift) const {
    if (in_place())
      return tree(begin, n, kBlock, [&](int64_t first, int64_t count) { return runs(base, first, count, shift); });
    if constexpr (std::is_integral_v<T>)
      if (call_.in.dtype == DType::Bool && l_.reduced_rank == 1 && l_.strides[0] == 1 && of_count(0, 0) >= 0)
        return tree(begin, n, kBlock, [&](int64_t first, int64_t count) {
          return of_count(count_true(static_cast<const uint8_t*>(at(base + first)), count), count);
        });
    T room[kBlock];
    return tree(begin, n, kBlock, [&](int64_t first, int64_t count) {
      return loops_.dense(read(base, first, count, room), count, shift);
    });
  }
  T runs(int64_t base, int64_t begin, int64_t n, T shift) const {
    if (l_.reduced_rank == 1) return dense_(at(base + begin), n, shift);
    T total = loops_.first;
    for_each_run(l_.reduced_rank, l_.shape, l_.strides, begin, n, [&](int64_t offset, int64_t length, int64_t) {
      const T part = dense_(at(base + offset), length, shift);
      loops_.merge(&total, &part, 1);
    });
    return total;
  }
  // Results over many elements each: their pieces in parallel, then the upper part of the tree.
  static int64_t pieces_of(int64_t n) { return (n + kPiece - 1) / kPiece; }
  T piece(int64_t base, int64_t i, T shift) const {
    return row(base, i * kPiece, std::min(kPiece, l_.n - i * kPiece), shift);
  }
  T sum_of_pieces(const T* parts) const {
    return tree(0, pieces_of(l_.n), 1, [&](int64_t i, int64_t) { return parts[i]; });
  }
  static T* parts_room(int64_t parts) {  // a vector's code would be shared by ISAs
    return static_cast<T*>(scratch(0, parts * int64_t(sizeof(T))));
  }
  T long_row(int64_t base, T shift) const {
    T* parts = parts_room(pieces_of(l_.n));
    parallel(pieces_of(l_.n), [&](int64_t i) { parts[i] = piece(base, i, shift); });
    return sum_of_pieces(parts);
  }
  void long_rows() const {
    const int64_t pieces = pieces_of(l_.n);
    T* parts = parts_room(l_.results * pieces);
    parallel(l_.results * pieces, [&](int64_t i) {
      int64_t in, out;
      l_.place(i / pieces, in, out);
      parts[i] = piece(in, i % pieces, T(0));
    });
    for (int64_t r = 0; r < l_.results; r++) {
      T total = sum_of_pieces(parts + r * pieces);
      finish(&total, nullptr, 1);
      write_one(r, total);
    }
  }
  void write_one(int64_t r, T total) const {
    int64_t in, out;
    l_.place(r, in, out);
    write(out, &total, 1, 1);
  }
  void rows() const {
    if (l_.n > kPiece && !loops_.shift) return long_rows();
    auto one_of = [&](int64_t r) {
      int64_t in, out;
      l_.place(r, in, out);
      return one(in);
    };
    if (l_.n > kPiece) {  // parallel within each
      for (int64_t r = 0; r < l_.results; r++) write_one(r, one_of(r));
      return;
    }
    const bool plain = in_place() && l_.reduced_rank == 1 && l_.n <= kBlock && !loops_.shift;
    const int64_t grain = std::max<int64_t>(1, 8 * kBlock / std::max<int64_t>(l_.n, 16));
    parallel_rows(l_.results, grain, [&](int64_t begin, int64_t end) {
      if (l_.kept_rank > 1) {
        for (int64_t r = begin; r < end; r++) write_one(r, one_of(r));
        return;
      }
      T totals[kTogetherRows];
      for (int64_t r = begin, count; r < end; r += count) {
        count = std::min(kTogetherRows, end - r);
        if (plain) {
          for (int64_t k = 0; k < count; k++) totals[k] = dense_(at((r + k) * l_.kept_in[0]), l_.n, T(0));
          finish(totals, nullptr, count);
        } else {
          for (int64_t k = 0; k < count; k++) totals[k] = one((r + k) * l_.kept_in[0]);
        }
        write(r * l_.kept_out[0], totals, count, l_.kept_out[0]);
      }
    });
  }

  // ---- columns ---------------------------------------------------------------------------------------------
  // The partial results of a panel over rows [begin, end).
  void panel_rows(const Panel& panel, int64_t begin, int64_t end, const T* shift, T* totals) const {
    T block[kPanel], room[kTogether][kNarrow];
    std::fill_n(totals, panel.columns, loops_.first);
    for (int64_t r = begin; r < end; r += kRows) {
      T* to = r == begin ? totals : block;
      if (r > begin) std::fill_n(block, panel.columns, loops_.first);
      const int64_t stop = std::min(r + kRows, end);
      for (int64_t i = r, count; i < stop; i += count) {
        count = i + kTogether <= stop ? kTogether : 1;
        const void* rows[kTogether];
        for (int64_t k = 0; k < count; k++) rows[k] = read_row(panel.in, i + k, panel.columns, room[k]);
        (count == 1 ? take_one_ : take_)(rows, to, shift, panel.columns);
      }
      if (r > begin) loops_.merge(totals, block, panel.columns);
    }
  }
  // All rows of a panel. What a reduction is shifted by comes from the same rows.
  void whole_panel(const Panel& panel, T* totals) const {
    T shift[kPanel];
    if (loops_.shift) Reducer(call_, l_, *loops_.shift).whole_panel(panel, shift);
    panel_rows(panel, 0, l_.n, shift, totals);
    finish(totals, shift, panel.columns);
  }
  void write(const Panel& panel, const T* totals) const {
    write(panel.out, totals, panel.columns, l_.kept_out[l_.kept_rank - 1]);
  }
  void columns() const {
    const bool big = l_.n * l_.kept_shape[l_.kept_rank - 1] > kPiece;
    if (big && l_.n > 2 * kRows && !loops_.shift) return tall_columns();
    each_panel(l_, load_ || big ? kNarrow : kPanel, 1, [&](const Panel& panel, int64_t) {
      T totals[kPanel];
      whole_panel(panel, totals);
      write(panel, totals);
    });
  }
  // Many rows: cut into pieces, whose partial results are combined afterwards. A piece of wide rows is one stretch of
  // memory.
  void tall_columns() const {
    const int64_t inner = l_.kept_shape[l_.kept_rank - 1], width = load_ ? kNarrow : kPanel;
    const int64_t wanted = std::max(2 * kPiece / std::min(inner, width), l_.n / kMostPieces);
    const int64_t height = (wanted + kRows) / kRows * kRows, pieces = (l_.n + height - 1) / height;
    T* parts = parts_room(l_.results * pieces);
    auto part = [=](const Panel& panel, int64_t piece) {  // those of neighbouring results lie together
      return parts + (panel.result / inner * pieces + piece) * inner + panel.result % inner;
    };
    each_panel(l_, width, pieces, [&](const Panel& panel, int64_t piece) {
      panel_rows(panel, piece * height, std::min(piece * height + height, l_.n), nullptr, part(panel, piece));
    });
    each_panel(l_, width, 1, [&](const Panel& panel, int64_t) {
      T* totals = part(panel, 0);
      for (int64_t piece = 1; piece < pieces; piece++) loops_.merge(totals, part(panel, piece), panel.columns);
      finish(totals, nullptr, panel.columns);
      write(panel, totals);
    });
  }

  const ReduceCall& call_;
  const Layout& l_;
  const Loops<T>& loops_;
  const int64_t size_;
  LoadRun load_ = nullptr;  // where the loops cannot read what is stored
  decltype(Loops<T>::dense) dense_;
  decltype(Loops<T>::take) take_;
  decltype(Loops<T>::take_one) take_one_;
};

template <class R, class T>
void reduce_as(const ReduceCall& call, const Layout& l) {
  if constexpr (kShifted<R, T>) {
    const Loops<T> shift = loops_of<typename R::Shift, T>(), loops = loops_of<R, T>(&shift);
    Reducer<T>(call, l, loops).run();
  } else {
    const Loops<T> loops = loops_of<R, T>();
    Reducer<T>(call, l, loops).run();
  }
}

// ------------------------------------------------------------------------------------------ argmax, argmin
// Down the rows of a panel; places are integers as wide as the numbers.
template <bool largest, class T>
void find_in_columns(const ReduceCall& call, const Layout& l, const Reducer<T>& reducer) {
  const int64_t width = l.n * l.kept_shape[l.kept_rank - 1] > kPiece ? kNarrow : kPanel;
  each_panel(l, width, 1, [&](const Panel& panel, int64_t) {
    const int64_t columns = panel.columns;
    T best[kPanel], room[kPanel];
    auto row = [&](int64_t i) { return static_cast<const T*>(reducer.read_row(panel.in, i, columns, room)); };
    IntOf<T> places[kPanel] = {};
    std::copy_n(row(0), columns, best);
    for (int64_t i = 1; i < l.n; i++) {
      const T* x = row(i);
#pragma GCC ivdep
      for (int64_t j = 0; j < columns; j++) {
        const Num<T> a = best[j], b = x[j];
        const Mask<T> wins = ((largest ? b > a : b < a) | (b != b)) & (a == a);
        best[j] = select(wins, b, a).v;
        places[j] = (IntOf<T>(i) & wins.v) | (places[j] & ~wins.v);
      }
    }
    auto* to = static_cast<int64_t*>(call.out.data) + panel.out;
    for (int64_t j = 0; j < columns; j++) to[j * l.kept_out[l.kept_rank - 1]] = places[j];
  });
}
// The first element that is `wanted`, or NaN where that is; there is one.
template <class T>
int64_t place_of(const Layout& l, const Reducer<T>& reducer, int64_t base, T wanted) {
  T block[kBlock];
  auto is_it = [=](T x) { return (x == wanted) | ((x != x) & (wanted != wanted)); };
  for (int64_t at = 0;; at += kBlock) {
    const int64_t n = std::min(kBlock, l.n - at);
    const T* p = reducer.read(base, at, n, block);
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
  const Loops<T> loops = largest ? loops_of<typename table<T>::amax, T>() : loops_of<typename table<T>::amin, T>();
  const Reducer<T> reducer(call, l, loops);
  if (reducer.in_columns(l) && l.n <= std::numeric_limits<int32_t>::max())
    return largest ? find_in_columns<true, T>(call, l, reducer) : find_in_columns<false, T>(call, l, reducer);
  parallel_rows(l.results, std::max<int64_t>(1, kBlock / l.n), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      int64_t in, out;
      l.place(r, in, out);
      static_cast<int64_t*>(call.out.data)[out] = place_of(l, reducer, in, reducer.one(in));
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
    if constexpr ((table<T>::name::kDTypes & kComputedIn<T>) != 0)                            \
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

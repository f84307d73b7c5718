// elementwise.cpp - brings any dtype and layout into the shape of the loops; compiled once per ISA.
//
// The array is taken in blocks of 1024 elements (8 KB at most). An operand that is contiguous and of the compute type is
// read where it lies; any other is gathered, and converted, into a block of scratch that stays in L1; a
// scalar operand fills its scratch once. So one loop per op and type serves every dtype and layout. Where an operand is
// transposed, blocks are tiles of 16 rows, so that whole cache lines of it are used. Bits of bytes are combined eight bytes
// at a time. Large arrays are cut into chunks for the thread pool, by their size alone.
#include <array>

#include "kernels/cpu/convert.h"
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu/elementwise_loops.h"
#include "kernels/cpu/simd.h"
#include "kernels/op_list.h"
#include "kernels/threads.h"

#define BOLIDE_JOIN_(a, b) a##b
#define BOLIDE_JOIN(a, b) BOLIDE_JOIN_(a, b)
#define BOLIDE_LOOPS(type) BOLIDE_JOIN(BOLIDE_JOIN(kLoops_, BOLIDE_ISA), type)
namespace bolide {
extern const OpLoops BOLIDE_LOOPS(_f32)[], BOLIDE_LOOPS(_f64)[], BOLIDE_LOOPS(_i32)[], BOLIDE_LOOPS(_i64)[],
    BOLIDE_LOOPS(_c64)[], BOLIDE_LOOPS(_c128)[];

inline namespace BOLIDE_ISA {
namespace {

constexpr int64_t kBlock = 1024, kChunk = 32768, kBandRows = 16, kBandColumns = 64, kLongRow = 128;
constexpr int kPorts = kMaxSlots + 1, kOut = kMaxSlots;

Loop find_loop(const ElementwiseCall& call) {
  constexpr const OpLoops* kTables[] = {BOLIDE_LOOPS(_f32), BOLIDE_LOOPS(_f64),  // by Compute
                                        BOLIDE_LOOPS(_i32), BOLIDE_LOOPS(_i64),  //
                                        BOLIDE_LOOPS(_c64), BOLIDE_LOOPS(_c128)};
  const OpLoops& loops = kTables[int(call.compute)][int(call.op)];
  if (Loop loop = call.gradient < 0 ? loops.forward : loops.gradient[call.gradient]) return loop;
  static constexpr const char* kNames[] = {
#define UNARY(set, result, forms, name, ...) #name,
#define UNARY_1 UNARY
#define UNARY_2 UNARY
#define BINARY UNARY
#define TERNARY UNARY
#include "kernels/elementwise.def"
  };
  raise(ErrorKind::NotImplemented, kNames[int(call.op)], "a dtype with a kernel on device cpu",
        name_of(call.slots[call.gradient < 0 ? 0 : 1].dtype));
}

// What the loop of a call writes: bytes for the Mask of a boolean op, else numbers of this Compute.
struct Output {
  bool bytes;
  Compute compute;
  DType dtype() const { return bytes ? DType::Bool : kComputeDTypes[int(compute)]; }
  int64_t size() const { return bytes ? 1 : kComputeSizes[int(compute)]; }
};
Output output_of(const ElementwiseCall& call) {
  static constexpr Result kResults[] = {
#define UNARY(set, result, ...) Result::result,
#define UNARY_1 UNARY
#define UNARY_2 UNARY
#define BINARY UNARY
#define TERNARY UNARY
#include "kernels/elementwise.def"
  };
  if (call.gradient >= 0) return {false, call.compute};
  const Result result = kResults[int(call.op)];
  const bool real = result == Result::real && call.compute >= Compute::C64;
  return {result == Result::boolean, real ? compute_type(real_type(kComputeDTypes[int(call.compute)])) : call.compute};
}

void copy_bytes(const void* from, char* to, int64_t stride, int64_t n) {
  auto* p = static_cast<const char*>(from);
  for (int64_t i = 0; i < n; i++) to[i * stride] = p[i];
}

// A call, ready to run on any part of its elements.
struct Plan {
  Loop loop;
  Collapsed<kPorts> layout;
  struct Port {
    char* data = nullptr;
    int64_t size = 0;  // of a stored element
    bool constant = false;  // one number for all elements
    bool own = false;  // stored as the loop computes
    LoadRun load = nullptr;  // null: the loop works on the array itself
  } ports[kPorts];
  StoreRun store = nullptr;  // null: the loop writes the array itself
  bool own_output;  // stored as the loop computes
  int64_t width, out_width;  // bytes of a number in the loop

  explicit Plan(const ElementwiseCall& call)
      : loop(find_loop(call)), layout(call.rank, call.shape,
                                      {strides_of(call, 0), strides_of(call, 1), strides_of(call, 2),
                                       strides_of(call, 3), strides_of(call, 4), call.out.strides}) {
    const int compute = int(call.compute);
    const DType own = kComputeDTypes[compute];
    width = kComputeSizes[compute];
    for (int s = 0; s < kMaxSlots; s++) {
      const Operand& operand = call.slots[s];
      Port& port = ports[s];
      if (!(port.data = static_cast<char*>(operand.data))) continue;
      port.size = item_size(operand.dtype), port.own = operand.dtype == own;
      port.constant = true;
      for (int d = 0; d < layout.rank && port.constant; d++) port.constant = layout.strides[s][d] == 0;
      port.constant |= layout.count == 1;
      if (port.constant || !port.own || !is_dense(s)) port.load = kLoads[int(operand.dtype)][compute];
    }
    ports[kOut] = {static_cast<char*>(call.out.data), item_size(call.out.dtype)};
    const Output output = output_of(call);
    out_width = output.size();
    own_output = call.out.dtype == output.dtype();
    if (!is_dense(kOut) || !own_output)
      store = output.bytes ? copy_bytes : kStores[int(call.out.dtype)][int(output.compute)];
  }
  static const int64_t* strides_of(const ElementwiseCall& call, int s) {
    return call.slots[s].data ? call.slots[s].strides : nullptr;
  }
  bool is_dense(int port) const { return layout.rank == 1 && layout.strides[port][0] == 1; }

  // The last dimension in rows that are worth a call of the loop each: what is dense within them is not gathered.
  bool wants_rows() const {
    const int last = layout.rank - 1;
    return last > 0 && layout.shape[last] >= kLongRow && layout.strides[kOut][last] == 1;
  }
  void run_rows(int64_t start, int64_t end) const {
    alignas(64) std::array<char, kBlock * 8> scratch[kPorts];
    const int last = layout.rank - 1;
    const int64_t columns = layout.shape[last], block = std::min(columns, width > 8 ? kBlock / 2 : kBlock);
    int64_t column = start % columns, rest = start / columns, at[kMaxRank];
    char* row[kPorts];
    const void* in[kMaxSlots] = {};
    for (int s = 0; s < kPorts; s++) row[s] = ports[s].data;
    for (int d = last - 1; d >= 0; rest /= layout.shape[d--]) {
      at[d] = rest % layout.shape[d];
      for (int s = 0; s < kPorts; s++) row[s] += at[d] * layout.strides[s][d] * ports[s].size;
    }
    for (int s = 0; s < kMaxSlots; s++)
      if (ports[s].constant) ports[s].load(ports[s].data, 0, scratch[s].data(), block), in[s] = scratch[s].data();
    for (int64_t n; start < end; start += n) {
      n = std::min({block, columns - column, end - start});
      for (int s = 0; s < kMaxSlots; s++) {
        const Port& port = ports[s];
        if (!port.data || port.constant) continue;
        const int64_t stride = layout.strides[s][last];
        const char* from = row[s] + column * stride * port.size;
        if (in[s] = from; port.own && stride == 1) continue;
        port.load(from, stride, scratch[s].data(), n);
        in[s] = scratch[s].data();
      }
      char* out = row[kOut] + column * ports[kOut].size;
      loop(in, own_output ? out : scratch[kOut].data(), n);
      if (!own_output) store(scratch[kOut].data(), out, 1, n);
      if ((column += n) < columns) continue;
      column = 0;
      for (int d = last - 1; d >= 0; d--) {
        const bool wraps = ++at[d] == layout.shape[d];
        const int64_t steps = wraps ? 1 - layout.shape[d] : 1;
        for (int s = 0; s < kPorts; s++) row[s] += steps * layout.strides[s][d] * ports[s].size;
        if (!wraps) break;
        at[d] = 0;
      }
    }
  }

  void run(int64_t start, int64_t end) const {
    alignas(64) std::array<char, kBlock * 8> scratch[kPorts];
    const void* in[kMaxSlots] = {};
    const int64_t block = width > 8 ? kBlock / 2 : kBlock;
    bool direct = !store;
    for (int s = 0; s < kMaxSlots; s++) {
      direct &= !ports[s].load;
      if (!ports[s].constant) continue;
      in[s] = scratch[s].data();
      ports[s].load(ports[s].data, 0, scratch[s].data(), std::min(block, end - start));
    }
    for (int64_t count; start < end; start += count) {
      count = direct ? end - start : std::min(block, end - start);
      if (!direct) prefetch(start + count, std::min(block, end - start - count));
      for (int s = 0; s < kMaxSlots; s++)
        if (ports[s].data && !ports[s].constant) in[s] = gather(s, start, count, scratch[s].data());
      char* out = ports[kOut].data + start * ports[kOut].size;
      loop(in, store ? scratch[kOut].data() : out, count);
      if (store) scatter(start, count, scratch[kOut].data());
    }
  }
  // Loads, computes and stores take turns, so the next block's memory is asked for while this one computes.
  void prefetch(int64_t start, int64_t count) const {
    for (const Port& port : ports)
      if (port.data && !port.constant && is_dense(int(&port - ports)))
        for (int64_t byte = 0; byte < count * port.size; byte += 64)
          __builtin_prefetch(port.data + start * port.size + byte);
  }
  const void* gather(int s, int64_t start, int64_t count, char* to) const {
    const Port& port = ports[s];
    if (!port.load) return port.data + start * port.size;
    for_each_run(
        layout.rank, layout.shape, layout.strides[s], start, count, [&](int64_t offset, int64_t length, int64_t done) {
          port.load(port.data + offset * port.size, layout.strides[s][layout.rank - 1], to + done * width, length);
        });
    return to;
  }
  void scatter(int64_t start, int64_t count, const char* from) const {
    for_each_run(layout.rank, layout.shape, layout.strides[kOut], start, count,
                 [&](int64_t offset, int64_t length, int64_t done) {
                   store(from + done * out_width, ports[kOut].data + offset * ports[kOut].size,
                         layout.strides[kOut][layout.rank - 1], length);
                 });
  }

  // ---- tiles: bands of 16 rows, the last dimension but one, in pieces of 64 columns
  bool is_transposed(int s) const {
    const int last = layout.rank - 1;
    return ports[s].data && !ports[s].constant && layout.strides[s][last - 1] == 1 && layout.strides[s][last] > 1;
  }
  bool wants_tiles() const {
    const int last = layout.rank - 1;
    if (last < 1 || layout.shape[last] < kBandRows || layout.shape[last - 1] < kBandRows) return false;
    bool any = false;
    for (int s = 0; s < kMaxSlots; s++) any |= is_transposed(s);
    return any && layout.strides[kOut][last] == 1;
  }
  int64_t bands_of_matrix() const { return (layout.shape[layout.rank - 2] + kBandRows - 1) / kBandRows; }
  int64_t bands() const {
    return layout.count / (layout.shape[layout.rank - 1] * layout.shape[layout.rank - 2]) * bands_of_matrix();
  }

  void run_band(int64_t band) const {
    const int last = layout.rank - 1;
    const int64_t first = band % bands_of_matrix() * kBandRows, columns = layout.shape[last],
                  rows = std::min(kBandRows, layout.shape[last - 1] - first);
    char* data[kPorts];
    for (int s = 0; s < kPorts; s++) {
      int64_t offset = first * layout.strides[s][last - 1], rest = band / bands_of_matrix();
      for (int d = last - 2; d >= 0; rest /= layout.shape[d--]) offset += rest % layout.shape[d] * layout.strides[s][d];
      data[s] = ports[s].data + offset * ports[s].size;
    }
    alignas(64) std::array<char, kBandRows * kBandColumns * 16> scratch[kPorts];
    const int64_t width_of_row = kBandColumns * width;
    for (int64_t j = 0; j < columns; j += kBandColumns) {
      const int64_t n = std::min(kBandColumns, columns - j);
      for (int s = 0; s < kMaxSlots; s++)
        if (is_transposed(s))
          gather_tile(s, data[s] + j * layout.strides[s][last] * ports[s].size, rows, n, scratch[s].data());
      for (int64_t r = 0; r < rows; r++) {
        const void* in[kMaxSlots] = {};
        auto place = [&](int s) {
          return data[s] + (r * layout.strides[s][last - 1] + j * layout.strides[s][last]) * ports[s].size;
        };
        for (int s = 0; s < kMaxSlots; s++) {
          const Port& port = ports[s];
          if (!port.data) continue;
          if (is_transposed(s)) {
            in[s] = scratch[s].data() + r * width_of_row;
          } else if (port.own && layout.strides[s][last] == 1) {
            in[s] = place(s);
          } else {
            port.load(place(s), layout.strides[s][last], scratch[s].data(), n);
            in[s] = scratch[s].data();
          }
        }
        if (own_output) {
          loop(in, place(kOut), n);
        } else {
          loop(in, scratch[kOut].data(), n);
          store(scratch[kOut].data(), place(kOut), 1, n);
        }
      }
    }
  }
  // to[row][column], rows kBandColumns numbers apart, of an operand whose rows are adjacent in memory.
  void gather_tile(int s, const char* from, int64_t rows, int64_t columns, char* to) const {
    const Port& port = ports[s];
    const int64_t step = layout.strides[s][layout.rank - 1];
    alignas(64) std::array<char, kBandRows * kBandColumns * 16> own;
    if (!port.own)
      for (int64_t c = 0; c < columns; c++)
        port.load(from + c * step * port.size, 1, own.data() + c * kBandRows * width, rows);
    const void* source = port.own ? from : own.data();
    const int64_t source_step = port.own ? step : kBandRows;
    if (width == 4) transpose_tile<float>(source, source_step, rows, columns, to);
    else if (width == 8) transpose_tile<double>(source, source_step, rows, columns, to);
    else transpose_tile<C128>(source, source_step, rows, columns, to);
  }
  template <class T>
  static void transpose_tile(const void* from, int64_t step, int64_t rows, int64_t columns, char* to) {
    auto* p = static_cast<const T*>(from);
    auto* q = reinterpret_cast<T*>(to);
    if constexpr (kIsComplex<T>) {
      for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++) q[r * kBandColumns + c] = p[c * step + r];
    } else {
      for (int64_t c = 0; c < columns; c += kWidth<T>)
        for (int64_t r = 0; r < rows; r += kWidth<T>)
          transpose_block(p + c * step + r, step, int(std::min<int64_t>(kWidth<T>, columns - c)),
                          int(std::min<int64_t>(kWidth<T>, rows - r)), q + r * kBandColumns + c, kBandColumns);
    }
  }
};

// Bits of bytes: eight bytes are one number of the loops of int64_t. Bool is 0 or 1, so that logical ops are these too.
bool run_words(const ElementwiseCall& call, const Plan& plan) {
  const DType dtype = call.out.dtype;
  const auto* op = [&]() -> const OpLoops* {
    auto of = [&](ElementwiseOp bits) { return &BOLIDE_LOOPS(_i64)[int(bits)]; };
    const bool is_bool = dtype == DType::Bool;
    switch (call.op) {
      case ElementwiseOp::bitwise_and: return of(ElementwiseOp::bitwise_and);
      case ElementwiseOp::bitwise_or: return of(ElementwiseOp::bitwise_or);
      case ElementwiseOp::bitwise_xor: return of(ElementwiseOp::bitwise_xor);
      case ElementwiseOp::logical_and: return is_bool ? of(ElementwiseOp::bitwise_and) : nullptr;
      case ElementwiseOp::logical_or: return is_bool ? of(ElementwiseOp::bitwise_or) : nullptr;
      case ElementwiseOp::logical_xor:
      case ElementwiseOp::logical_not: return is_bool ? of(ElementwiseOp::bitwise_xor) : nullptr;
      default: return nullptr;
    }
  }();
  const int64_t bytes = plan.layout.count * item_size(dtype);
  auto fits = [&](int port) { return plan.is_dense(port) && uintptr_t(plan.ports[port].data) % 8 == 0; };
  if (!op || bytes < 64 || !fits(kOut)) return false;
  const bool flips = call.op == ElementwiseOp::logical_not;
  for (int s = 0; s < (flips ? 1 : 2); s++)
    if (call.slots[s].dtype != dtype || !fits(s)) return false;
  parallel_rows(bytes, 8 * kChunk, [&](int64_t begin, int64_t end) {
    alignas(64) std::array<uint64_t, kBlock> ones;
    if (flips) ones.fill(0x0101010101010101);
    auto run = [&](const void* a, const void* b, void* out, int64_t words) {
      const void* in[kMaxSlots] = {a, flips ? ones.data() : b};
      op->forward(in, out, words);
    };
    auto at = [&](int port, int64_t i) { return plan.ports[port].data ? plan.ports[port].data + i : nullptr; };
    for (int64_t i = begin, words; i + 8 <= end; i += 8 * words) {
      words = std::min(kBlock, (end - i) / 8);
      run(at(0, i), at(1, i), at(kOut, i), words);
    }
    if (const int64_t rest = (end - begin) % 8) {
      uint64_t a = 0, b = 0, y;
      std::memcpy(&a, at(0, end - rest), rest);
      if (!flips) std::memcpy(&b, at(1, end - rest), rest);
      run(&a, &b, &y, 1);
      std::memcpy(at(kOut, end - rest), &y, rest);
    }
  });
  return true;
}

// Sums, differences and products are too cheap to go through memory for another type.
bool is_cheap(ElementwiseOp op) {
  return op == ElementwiseOp::add || op == ElementwiseOp::sub || op == ElementwiseOp::mul;
}
template <class F>
void with_cheap(ElementwiseOp op, const F& each) {
  if (op == ElementwiseOp::add) each([](auto x, auto y) { return x + y; });
  else if (op == ElementwiseOp::sub) each([](auto x, auto y) { return x - y; });
  else each([](auto x, auto y) { return x * y; });
}

// Of small integers they are the same modulo 2^bits, computed in their own width.
template <class T>
void run_narrow(ElementwiseOp op, const T* a, const T* b, T* out, int64_t n) {
  with_cheap(op, [&](auto f) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) out[i] = T(f(unsigned(a[i]), unsigned(b[i])));
  });
}
bool run_narrow(const ElementwiseCall& call, const Plan& plan) {
  const DType dtype = call.out.dtype;
  if (!is_cheap(call.op) || dtype == DType::Bool || call.compute != Compute::I32 || item_size(dtype) > 2 ||
      !plan.is_dense(kOut))
    return false;
  alignas(64) std::array<char, kBlock * 2> constants[2];
  const int64_t size = item_size(dtype);
  for (int s = 0; s < 2; s++) {
    const auto& port = plan.ports[s];
    if (!port.constant && (call.slots[s].dtype != dtype || !plan.is_dense(s))) return false;
    if (!port.constant) continue;
    int32_t number;
    port.load(port.data, 0, &number, 1);
    if (size == 1) std::memset(constants[s].data(), number & 255, kBlock);
    else std::fill_n(reinterpret_cast<uint16_t*>(constants[s].data()), kBlock, uint16_t(number));
  }
  parallel_rows(plan.layout.count, 2 * kChunk, [&](int64_t begin, int64_t end) {
    for (int64_t n; begin < end; begin += n) {
      n = std::min(kBlock, end - begin);
      auto from = [&](int s) {
        return plan.ports[s].constant ? constants[s].data() : plan.ports[s].data + begin * size;
      };
      auto run = [&]<class T>(T) {
        run_narrow(call.op, reinterpret_cast<const T*>(from(0)), reinterpret_cast<const T*>(from(1)),
                   reinterpret_cast<T*>(plan.ports[kOut].data + begin * size), n);
      };
      size == 1 ? run(uint8_t()) : run(uint16_t());
    }
  });
  return true;
}

// Of half types they are widened in registers.
template <class S>
void run_halves(ElementwiseOp op, const S* a, const S* b, S* out, int64_t n) {
  with_cheap(op, [&](auto f) {
    int64_t i = 0;
    for (; i + kWidth<float> <= n; i += kWidth<float>) store(out + i, f(load(a + i), load(b + i)));
    for (; i < n; i++) out[i] = store_as<S>(f(load_as<float>(a[i]), load_as<float>(b[i])));
  });
}
bool run_halves(const ElementwiseCall& call, const Plan& plan) {
  const DType dtype = call.out.dtype;
  if (!is_cheap(call.op) || call.gradient >= 0 || (dtype != DType::F16 && dtype != DType::BF16)) return false;
  for (int s = 0; s < 2; s++)
    if (call.slots[s].dtype != dtype || plan.ports[s].constant || !plan.is_dense(s)) return false;
  if (!plan.is_dense(kOut)) return false;
  auto run = [&]<class S>(S) {
    auto at = [&](int port, int64_t i) { return reinterpret_cast<S*>(plan.ports[port].data) + i; };
    parallel_rows(plan.layout.count, kChunk, [&](int64_t begin, int64_t end) {
      run_halves(call.op, at(0, begin), at(1, begin), at(kOut, begin), end - begin);
    });
  };
  dtype == DType::F16 ? run(F16()) : run(BF16());
  return true;
}

// The most common small call needs no plan: everything dense and of the compute type, or a scalar.
bool run_small(const ElementwiseCall& call) {
  if (call.rank > 1) return false;
  const int64_t n = call.rank ? call.shape[0] : 1;
  if (n > 64) return false;
  const DType own = kComputeDTypes[int(call.compute)];
  if (call.out.dtype != output_of(call).dtype() || (call.rank && call.out.strides[0] != 1)) return false;
  alignas(64) std::array<char, 64 * 16> constants[kMaxSlots];
  const void* in[kMaxSlots];
  for (int s = 0; s < kMaxSlots; s++) {
    const Operand& operand = call.slots[s];
    in[s] = operand.data;
    if (!operand.data) continue;
    if (operand.dtype != own) return false;
    if (!call.rank || operand.strides[0] == 1) continue;
    if (operand.strides[0] != 0) return false;
    const auto fill = [&]<class T>(T*) {
      std::fill_n(reinterpret_cast<T*>(constants[s].data()), n, *static_cast<T*>(operand.data));
    };
    if (item_size(own) == 4) fill((int32_t*)nullptr);
    else if (item_size(own) == 8) fill((int64_t*)nullptr);
    else fill((C128*)nullptr);
    in[s] = constants[s].data();
  }
  find_loop(call)(in, call.out.data, n);
  return true;
}

}  // namespace

void elementwise(const ElementwiseCall& call) {
  if (run_small(call)) return;
  const Plan plan(call);
  if (plan.layout.count == 0 || run_words(call, plan) || run_narrow(call, plan) || run_halves(call, plan)) return;
  if (plan.wants_tiles()) {
    const int64_t numbers = kBandRows * plan.layout.shape[plan.layout.rank - 1];
    return parallel_rows(plan.bands(), std::max<int64_t>(1, kChunk / numbers), [&](int64_t begin, int64_t end) {
      for (int64_t band = begin; band < end; band++) plan.run_band(band);
    });
  }
  const bool rows = plan.wants_rows();
  parallel_rows(plan.layout.count, kChunk,
                [&](int64_t begin, int64_t end) { rows ? plan.run_rows(begin, end) : plan.run(begin, end); });
}

}  // namespace BOLIDE_ISA
}  // namespace bolide

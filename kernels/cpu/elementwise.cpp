// elementwise.cpp - brings any dtype and layout into the shape of the loops; compiled once per ISA.
//
// The array is taken in blocks of 1024 elements (8 KB at most). An operand that is contiguous and of the compute type is
// read where it lies; any other is gathered, and converted, into a block of scratch that stays in L1; a
// scalar operand fills its scratch once. So one loop per op and type serves every dtype and layout. Large
// arrays are cut into chunks for the thread pool, by their size alone.
#include <array>

#include "kernels/cpu/convert.h"
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu/elementwise_loops.h"
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

constexpr int64_t kBlock = 1024, kChunk = 32768;
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
    LoadRun load = nullptr;  // null: the loop works on the array itself
  } ports[kPorts];
  StoreRun store = nullptr;  // null: the loop writes the array itself
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
      port.size = item_size(operand.dtype);
      port.constant = true;
      for (int d = 0; d < layout.rank && port.constant; d++) port.constant = layout.strides[s][d] == 0;
      port.constant |= layout.count == 1;
      if (port.constant || operand.dtype != own || !is_dense(s)) port.load = kLoads[int(operand.dtype)][compute];
    }
    ports[kOut] = {static_cast<char*>(call.out.data), item_size(call.out.dtype)};
    const Output output = output_of(call);
    out_width = output.size();
    if (!is_dense(kOut) || call.out.dtype != output.dtype())
      store = output.bytes ? copy_bytes : kStores[int(call.out.dtype)][int(output.compute)];
  }
  static const int64_t* strides_of(const ElementwiseCall& call, int s) {
    return call.slots[s].data ? call.slots[s].strides : nullptr;
  }
  bool is_dense(int port) const { return layout.rank == 1 && layout.strides[port][0] == 1; }

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
      for (int s = 0; s < kMaxSlots; s++)
        if (ports[s].data && !ports[s].constant) in[s] = gather(s, start, count, scratch[s].data());
      char* out = ports[kOut].data + start * ports[kOut].size;
      loop(in, store ? scratch[kOut].data() : out, count);
      if (store) scatter(start, count, scratch[kOut].data());
    }
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
};

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
  if (plan.layout.count == 0) return;
  parallel_rows(plan.layout.count, kChunk, [&](int64_t begin, int64_t end) { plan.run(begin, end); });
}

}  // namespace BOLIDE_ISA
}  // namespace bolide

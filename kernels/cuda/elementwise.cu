// elementwise.cu - chooses the kernel for a call: packs where arrays are dense or broadcast evenly, strided for all else.
#include <algorithm>
#include <cstring>

#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/elementwise_loops.cuh"
#include "kernels/cuda/numbers.cuh"
#include "kernels/op_list.h"

namespace bolide::inline BOLIDE_ISA {

//  X(dtype, table): the storage types that have dense kernels
#define BOLIDE_DENSE_TABLES(X) \
  X(F32, f32) X(F64, f64) X(F16, f16) X(BF16, bf16) X(I32, i32) X(I64, i64) \
  X(C64, c64) X(C128, c128)
#define BOLIDE_DECLARE(dtype, table) extern const OpLaunchers kOpLaunchers_##table[];
BOLIDE_DENSE_TABLES(BOLIDE_DECLARE)
#undef BOLIDE_DECLARE

namespace {

const OpLaunchers* dense_table(DType dtype) {
  switch (dtype) {
#define BOLIDE_CASE(id, table) \
  case DType::id: return kOpLaunchers_##table;
    BOLIDE_DENSE_TABLES(BOLIDE_CASE)
#undef BOLIDE_CASE
    default: return nullptr;
  }
}
constexpr DType kComputeDTypes[] = {DType::F32, DType::F64, DType::I32,
                                    DType::I64, DType::C64, DType::C128};  // by Compute

struct OpFacts {
  const char* name;
  Result result;
};
constexpr OpFacts kFacts[] = {
#define UNARY(set, result, forms, name, ...) {#name, Result::result},
#define UNARY_1 UNARY
#define UNARY_2 UNARY
#define BINARY UNARY
#define TERNARY UNARY
#include "kernels/elementwise.def"
};

const FormulaLaunchers& formula_of(const ElementwiseCall& call, DType storage) {
  const OpLaunchers& op = dense_table(storage)[int(call.op)];
  return call.gradient < 0 ? op.forward : op.gradient[call.gradient];
}

Slot slot_of(const ElementwiseCall& call, int s, const Layout<kMaxSlots + 1>& layout) {
  const Operand& operand = call.slots[s];
  Slot slot;
  if (!operand.data) return slot;
  slot.data = operand.data, slot.dtype = operand.dtype;
  if (call.scalars >> s & 1) {
    slot.source = Source::Number;
    std::memcpy(&slot.number, operand.data, size_t(item_size(kComputeDTypes[int(call.compute)])));
  } else {
    slot.source = layout.is_constant(s) ? Source::Single : Source::Array;
  }
  return slot;
}

// What a formula writes: numbers of the operands' type, or bool, or the real type of complex ones.
DType out_dtype(Result result, DType storage) {
  return result == Result::boolean ? DType::Bool : result == Result::real ? real_type(storage) : storage;
}

// The storage type of a call whose arrays are all of one type that a dense kernel knows.
bool find_dense_storage(const ElementwiseCall& call, const StridedArguments& a, Result result, DType* storage) {
  bool found = false;
  for (int s = 0; s < kMaxSlots; s++) {
    if (a.slots[s].source != Source::Array) continue;
    if (!found) found = true, *storage = a.slots[s].dtype;
    if (a.slots[s].dtype != *storage) return false;
  }
  if (!found && result == Result::same) found = true, *storage = call.out.dtype;
  return found && dense_table(*storage) && compute_type(*storage) == call.compute &&
         call.out.dtype == out_dtype(result, *storage);
}

bool all_dense(const StridedArguments& a) {
  bool dense = a.layout.is_dense(kMaxSlots);
  for (int s = 0; s < kMaxSlots; s++) dense &= a.slots[s].source != Source::Array || a.layout.is_dense(s);
  return dense;
}
// Can arrays that are not dense be read in packs of so many elements? Along the last dimension all must be adjacent or
// stand still, and packs must lie on 16 bytes, wherever the other dimensions lead.
bool find_packs(const StridedArguments& strided, int64_t pack, DenseArguments* a) {
  const Layout<kMaxSlots + 1>& layout = strided.layout;
  const int last = layout.rank - 1;
  if (last < 0 || layout.rank > PackPlaces::kMaxRank || layout.shape[last] % pack != 0 || !layout.small) return false;
  for (int d = 0; d <= last; d++) a->places.dividers[d] = Divider(d == last ? layout.shape[d] / pack : layout.shape[d]);
  for (int s = 0; s <= kMaxSlots; s++) {
    if (s < kMaxSlots && a->slots[s].source != Source::Array) continue;
    const int64_t step = layout.strides[s][last];
    if (step != 1 && (step != 0 || s == kMaxSlots)) return false;
    if (step == 0) a->still |= uint8_t(1 << s);
    for (int d = 0; d < last; d++) {
      if (step == 1 && layout.strides[s][d] % pack != 0) return false;
      a->places.strides[s][d] = layout.strides[s][d];
    }
    a->places.strides[s][last] = step * pack;
  }
  a->places.rank = layout.rank;
  return true;
}

bool run_dense(const ElementwiseCall& call, const StridedArguments& strided, Result result) {
  DType storage = DType::F32;
  if (!find_dense_storage(call, strided, result, &storage)) return false;
  const FormulaLaunchers& formula = formula_of(call, storage);
  if (!formula.dense) return false;
  DenseArguments a;
  const int64_t pack = 16 / item_size(storage);
  a.out = strided.out, a.count = strided.layout.count;
  // As many results as a pack of operands has elements, of their own size.
  a.aligned = is_aligned(a.out, size_t(pack * item_size(call.out.dtype)));
  std::copy_n(strided.slots, kMaxSlots, a.slots);
  const bool dense = all_dense(strided);
  if (!dense && !find_packs(strided, pack, &a)) return false;
  for (int s = 0; s < kMaxSlots; s++)
    if (a.slots[s].source == Source::Array && !(a.still >> s & 1)) a.aligned &= is_aligned(a.slots[s].data, 16);
  if (!dense && !a.aligned) return false;
  formula.dense(a, call.stream);
  return true;
}

}  // namespace

void elementwise(const ElementwiseCall& call) {
  const OpFacts& facts = kFacts[int(call.op)];
  const int64_t* strides[kMaxSlots + 1] = {};
  for (int s = 0; s < kMaxSlots; s++)
    if (call.slots[s].data && !(call.scalars >> s & 1)) strides[s] = call.slots[s].strides;
  strides[kMaxSlots] = call.out.strides;
  StridedArguments a;
  a.layout = Layout<kMaxSlots + 1>(facts.name, call.rank, call.shape,
                                   {strides[0], strides[1], strides[2], strides[3], strides[4], strides[5]});
  if (a.layout.count == 0) return;
  a.out = call.out.data, a.out_dtype = call.out.dtype;
  for (int s = 0; s < kMaxSlots; s++) a.slots[s] = slot_of(call, s, a.layout);
  if (run_dense(call, a, call.gradient < 0 ? facts.result : Result::same)) return;
  const FormulaLaunchers& formula = formula_of(call, kComputeDTypes[int(call.compute)]);
  if (!formula.strided) raise_dtype(facts.name, call.slots[call.gradient < 0 ? 0 : 1].dtype);
  formula.strided(a, call.stream);
}

}  // namespace bolide::inline BOLIDE_ISA

// sort.cpp - sorts the rows of a dense array, and looks numbers up in sorted rows. Compiled once: nothing is vectorised.
//
// A number becomes an unsigned integer of the same order, its key (NaN largest, -0 equal to 0), with its place beside
// it, so that one sort serves every dtype, is stable, and gives indices. Short rows and the first few of a row (topk)
// are sorted by comparison, long ones digit by digit from the lowest on (radix sort), 11 bits a pass.
#include <algorithm>
#include <utility>

#include "kernels/cpu/types.h"
#include "kernels/threads.h"

namespace bolide {
namespace {

template <size_t bytes>
using UnsignedOf =
    std::conditional_t<bytes == 1, uint8_t,
                       std::conditional_t<bytes == 2, uint16_t, std::conditional_t<bytes == 4, uint32_t, uint64_t>>>;

template <class S>
bool is_nan(S x) {
  if constexpr (kIsHalf<S>) return is_nan(load_as<float>(x));
  else return x != x;
}
template <class S>
auto key_of(S x, bool descending) {
  using U = UnsignedOf<sizeof(S)>;
  constexpr U kSign = U(U(1) << (8 * sizeof(S) - 1));
  U u;
  std::memcpy(&u, &x, sizeof u);
  if constexpr (kIsHalf<S> || std::is_floating_point_v<S>) {
    if (is_nan(x)) u = U(~U(0));
    else if (u == kSign) u = kSign;  // -0 is where 0 is
    else u = u & kSign ? U(~u) : U(u | kSign);
  } else if constexpr (std::is_signed_v<S>) {
    u ^= kSign;
  }
  return descending ? U(~u) : u;
}

// A key of up to 32 bits shares a word with its place; one of 64 bits has a word of its own.
struct Wide {
  uint64_t key, place;
  friend bool operator<(const Wide& a, const Wide& b) { return a.key < b.key || (a.key == b.key && a.place < b.place); }
};
uint64_t key_bits(uint64_t item) { return item >> 32; }
uint64_t key_bits(const Wide& item) { return item.key; }
int64_t place_of(uint64_t item) { return int64_t(item & 0xFFFFFFFF); }
int64_t place_of(const Wide& item) { return int64_t(item.place); }
void set_item(uint64_t& item, uint64_t key, int64_t place) { item = key << 32 | uint64_t(place); }
void set_item(Wide& item, uint64_t key, int64_t place) { item = {key, uint64_t(place)}; }

constexpr int kDigitBits = 11;
constexpr int64_t kDigits = int64_t(1) << kDigitBits;
constexpr int64_t kRadixFrom = 1024;  // shorter rows are sorted by comparison

// Returns where the sorted items are: in `items` or in `other`.
template <class Item>
Item* radix_sort(int64_t n, Item* items, Item* other, int bits) {
  const int passes = (bits + kDigitBits - 1) / kDigitBits;
  auto* counts = static_cast<int64_t*>(scratch(5, passes * kDigits * 8));
  std::fill_n(counts, passes * kDigits, 0);
  auto digit = [](const Item& item, int pass) {
    return int64_t(key_bits(item) >> (pass * kDigitBits) & uint64_t(kDigits - 1));
  };
  for (int64_t i = 0; i < n; i++)
    for (int p = 0; p < passes; p++) counts[p * kDigits + digit(items[i], p)]++;
  for (int p = 0; p < passes; p++) {
    int64_t *count = counts + p * kDigits, at = 0;
    if (count[digit(items[0], p)] == n) continue;  // all alike
    for (int64_t d = 0; d < kDigits; d++) at += std::exchange(count[d], at);
    for (int64_t i = 0; i < n; i++) other[count[digit(items[i], p)]++] = items[i];
    std::swap(items, other);
  }
  return items;
}

// The first `kept` in order; they are in `items` or in `items + n`.
template <class Item>
const Item* in_order(int64_t n, int64_t kept, Item* items, int bits) {
  if (n >= kRadixFrom && kept >= n / 8) return radix_sort(n, items, items + n, bits);
  if (kept <= n / 16) return std::partial_sort(items, items + kept, items + n), items;
  if (kept < n) std::nth_element(items, items + kept - 1, items + n);
  std::sort(items, items + kept);
  return items;
}

template <class Item>
struct Sorter {
  using Fill = void (*)(const void* row, int64_t n, bool descending, Item* items);
  using Pick = void (*)(const void* row, const Item* items, int64_t kept, void* values);
  const SortCall& call;
  Fill fill;
  Pick pick;
  int64_t size;  // of a number

  void rows(int64_t first, int64_t last) const {
    const int64_t n = call.columns, kept = call.kept;
    auto* items = static_cast<Item*>(scratch(6, 2 * n * int64_t(sizeof(Item))));
    for (int64_t r = first; r < last; r++) {
      const char* row = static_cast<const char*>(call.x) + r * n * size;
      fill(row, n, call.descending, items);
      const Item* sorted = in_order(n, kept, items, int(8 * size));
      if (call.values) pick(row, sorted, kept, static_cast<char*>(call.values) + r * kept * size);
      if (!call.indices) continue;
      for (int64_t i = 0; i < kept; i++) call.indices[r * kept + i] = place_of(sorted[i]);
    }
  }
};
template <class S, class Item>
void fill_items(const void* row, int64_t n, bool descending, Item* items) {
  for (int64_t i = 0; i < n; i++) set_item(items[i], key_of(static_cast<const S*>(row)[i], descending), i);
}
template <class U, class Item>
void pick_values(const void* row, const Item* items, int64_t kept, void* values) {
  for (int64_t i = 0; i < kept; i++) static_cast<U*>(values)[i] = static_cast<const U*>(row)[place_of(items[i])];
}

template <class Item>
void sort_all(const Sorter<Item>& sorter) {
  const SortCall& call = sorter.call;
  parallel_rows(call.rows, std::max<int64_t>(1, 4096 / (call.columns + 1)),
                [&](int64_t first, int64_t last) { sorter.rows(first, last); });
}
template <class S>
void sort_dtype(const SortCall& call) {
  using U = UnsignedOf<sizeof(S)>;
  if (sizeof(S) == 8 || call.columns >= int64_t(1) << 32)
    return sort_all<Wide>({call, fill_items<S, Wide>, pick_values<U, Wide>, sizeof(S)});
  if constexpr (sizeof(S) < 8) sort_all<uint64_t>({call, fill_items<S, uint64_t>, pick_values<U, uint64_t>, sizeof(S)});
}

// The first place where the sorted row is not below x (or, from the right, above it).
template <class S>
void search_rows(const SearchCall& call) {
  const S *rows = static_cast<const S*>(call.sorted), *x = static_cast<const S*>(call.x);
  const int64_t n = call.columns, each = call.values_per_row;
  parallel_rows(call.rows * each, 2048, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) {
      const int64_t start = call.shared ? 0 : i / each * n;
      const auto wanted = key_of(x[i], false);
      int64_t low = 0, high = n;
      while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        const auto found = key_of(rows[start + (call.order ? call.order[start + middle] : middle)], false);
        if (found < wanted || (call.right && found == wanted)) low = middle + 1;
        else high = middle;
      }
      call.out[i] = low;
    }
  });
}

#define BOLIDE_SORTED DType::Bool, DType::U8, DType::I8, DType::I16, DType::I32, DType::I64, BOLIDE_FLOATS

}  // namespace

void sort(const SortCall& call) {
  for_dtype<BOLIDE_SORTED>("sort", call.dtype, [&]<class S> { sort_dtype<S>(call); });
}
void search(const SearchCall& call) {
  for_dtype<BOLIDE_SORTED>("searchsorted", call.dtype, [&]<class S> { search_rows<S>(call); });
}

}  // namespace bolide

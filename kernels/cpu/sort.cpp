// sort.cpp - sorts the rows of a dense array, and looks numbers up in sorted rows. Compiled once: nothing is vectorised.
//
// A number becomes an unsigned integer of the same order, its key (NaN largest, -0 equal to 0), with its place beside
// it, so that one sort serves every dtype, is stable, and gives indices. Keys count from the least of their row: often
// few bits are left. Short rows and the first few of a row (topk) are sorted by comparison, others digit by digit from
// the lowest on (radix sort). One number of a row (median) is found digit by digit from the highest on.
#include <algorithm>
#include <bit>
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
auto key_of(S x, bool descending) {  // without branches, which could not be foreseen
  using U = UnsignedOf<sizeof(S)>;
  constexpr int kBits = 8 * sizeof(S);
  constexpr U kSign = U(U(1) << (kBits - 1));
  U u;
  std::memcpy(&u, &x, sizeof u);
  if constexpr (kIsHalf<S> || std::is_floating_point_v<S>) {
    constexpr int kMantissa = sizeof(S) == 8 ? 52 : sizeof(S) == 4 ? 23 : std::is_same_v<S, F16> ? 10 : 7;
    constexpr U kInfinity = U(kSign - (U(1) << kMantissa));
    const bool nan = U(u & ~kSign) > kInfinity;
    const U same_order = U((u ^ (U(-(u >> (kBits - 1))) | kSign)) + (u == kSign));  // -0 is where 0 is
    u = nan ? U(~U(0)) : same_order;
  } else if constexpr (std::is_signed_v<S>) {
    u ^= kSign;
  }
  return U(u ^ (descending ? U(~U(0)) : U(0)));
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

// Digits of up to 11 bits; in short rows fewer, so that there are not more counts than numbers by far.
constexpr int64_t kDigits = 1 << 11;
int widest_digit(int64_t n) { return n < kDigits ? 8 : 11; }

// Returns where the sorted items are: in `items` or in `other`.
template <class Item>
Item* radix_sort(int64_t n, Item* items, Item* other, int bits) {
  const int passes = (bits + widest_digit(n) - 1) / widest_digit(n), width = passes ? (bits + passes - 1) / passes : 0;
  const int64_t digits = int64_t(1) << width;
  auto* counts = static_cast<int64_t*>(scratch(5, passes * digits * 8));
  std::fill_n(counts, passes * digits, 0);
  auto digit = [=](const Item& item, int pass) {
    return int64_t(key_bits(item) >> (pass * width) & uint64_t(digits - 1));
  };
  for (int64_t i = 0; i < n; i++)
    for (int p = 0; p < passes; p++) counts[p * digits + digit(items[i], p)]++;
  for (int p = 0; p < passes; p++) {
    int64_t *count = counts + p * digits, at = 0;
    if (count[digit(items[0], p)] == n) continue;  // all alike
    for (int64_t d = 0; d < digits; d++) at += std::exchange(count[d], at);
    for (int64_t i = 0; i < n; i++) other[count[digit(items[i], p)]++] = items[i];
    std::swap(items, other);
  }
  return items;
}

// The first `kept` in order; they are in `items` or in `items + n`.
template <class Item>
const Item* in_order(int64_t n, int64_t kept, Item* items, int bits) {
  if (kept >= n / 8 && n >= 2 * bits) return radix_sort(n, items, items + n, bits);
  if (kept <= n / 16) return std::partial_sort(items, items + kept, items + n), items;
  if (kept < n) std::nth_element(items, items + kept - 1, items + n);
  std::sort(items, items + kept);
  return items;
}

// The one that `rank` others come before: only those with its digits are left, in their order.
template <class Item>
const Item* find_rank(int64_t n, int64_t rank, Item* items, int bits) {
  auto* counts = static_cast<int64_t*>(scratch(5, kDigits * 8));
  for (int width; bits > 0 && n > 1; bits -= width) {
    width = std::min(bits, widest_digit(n));
    auto digit = [=](const Item& item) {
      return int64_t(key_bits(item) >> (bits - width) & ((uint64_t(1) << width) - 1));
    };
    std::fill_n(counts, int64_t(1) << width, 0);
    for (int64_t i = 0; i < n; i++) counts[digit(items[i])]++;
    int64_t wanted = 0, left = 0;
    while (rank >= counts[wanted]) rank -= counts[wanted++];
    for (int64_t i = 0; i < n; i++) {
      items[left] = items[i];
      left += digit(items[i]) == wanted;
    }
    n = left;
  }
  return items + rank;
}

struct Range {  // of the keys of a row
  uint64_t least, largest;
};
template <class S>
Range find_range(const void* row, int64_t n, bool descending) {
  auto least = key_of(static_cast<const S*>(row)[0], descending), largest = least;
  for (int64_t i = 1; i < n; i++) {
    const auto key = key_of(static_cast<const S*>(row)[i], descending);
    least = std::min(least, key), largest = std::max(largest, key);
  }
  return {least, largest};
}
template <class S, class Item>
void fill_items(const void* row, int64_t n, bool descending, uint64_t least, Item* items) {
  for (int64_t i = 0; i < n; i++) set_item(items[i], key_of(static_cast<const S*>(row)[i], descending) - least, i);
}
template <class U, class Item>
void pick_values(const void* row, const Item* items, int64_t kept, void* values) {
  for (int64_t i = 0; i < kept; i++) static_cast<U*>(values)[i] = static_cast<const U*>(row)[place_of(items[i])];
}
template <class Item>
struct Steps {  // what depends on the dtype
  void (*fill)(const void* row, int64_t n, bool descending, uint64_t least, Item* items);
  void (*pick)(const void* row, const Item* items, int64_t kept, void* values);
};

struct Sorter {
  const SortCall& call;
  int64_t size;  // of a number
  Range (*range)(const void* row, int64_t n, bool descending);
  Steps<uint64_t> narrow;
  Steps<Wide> wide;

  template <class Item>
  void sort_row(int64_t r, const char* row, Range found, const Steps<Item>& steps) const {
    const int64_t n = call.columns, kept = call.kept, columns = call.last_only ? 1 : kept;
    auto* items = static_cast<Item*>(scratch(6, 2 * n * int64_t(sizeof(Item))));
    steps.fill(row, n, call.descending, found.least, items);
    const int bits = std::bit_width(found.largest - found.least);
    const Item* sorted = call.last_only && kept > n / 16 ? find_rank(n, kept - 1, items, bits)
                                                         : in_order(n, kept, items, bits) + kept - columns;
    if (call.values) steps.pick(row, sorted, columns, static_cast<char*>(call.values) + r * columns * size);
    if (!call.indices) return;
    for (int64_t i = 0; i < columns; i++) call.indices[r * columns + i] = place_of(sorted[i]);
  }
  void rows(int64_t first, int64_t last) const {
    for (int64_t r = first; r < last; r++) {
      const char* row = static_cast<const char*>(call.x) + r * call.columns * size;
      // Where few are wanted, reading all numbers once more costs more than short keys save.
      const Range found = call.kept > call.columns / 16 ? range(row, call.columns, call.descending)
                                                        : Range{0, ~uint64_t(0) >> (64 - 8 * size)};
      if ((found.largest - found.least) >> 32 || call.columns >> 32) sort_row(r, row, found, wide);
      else sort_row(r, row, found, narrow);
    }
  }
};

template <class S>
void sort_dtype(const SortCall& call) {
  using U = UnsignedOf<sizeof(S)>;
  const Sorter sorter{call,
                      sizeof(S),
                      find_range<S>,
                      {fill_items<S, uint64_t>, pick_values<U, uint64_t>},
                      {fill_items<S, Wide>, pick_values<U, Wide>}};
  parallel_rows(call.rows, std::max<int64_t>(1, 4096 / (call.columns + 1)),
                [&](int64_t first, int64_t last) { sorter.rows(first, last); });
}

// The first place where the sorted row is not below x (or, from the right, above it). Several numbers go down the row
// together, halving what is left: no step waits for another number's, and none is a branch.
template <class S>
void search_rows(const SearchCall& call) {
  constexpr int64_t kTogether = 8;
  const S *rows = static_cast<const S*>(call.sorted), *x = static_cast<const S*>(call.x);
  const int64_t n = call.columns, each = call.shared ? call.rows * call.values_per_row : call.values_per_row;
  const int64_t* const order = call.order;
  const bool right = call.right;
  parallel_rows(call.rows * call.values_per_row, 2048, [&](int64_t first, int64_t last) {
    for (int64_t i = first, count; i < last; i += count) {
      count = std::min({kTogether, last - i, each - i % each});
      const int64_t start = i / each * n;
      decltype(key_of(*x, false)) wanted[kTogether] = {};
      int64_t at[kTogether] = {};
      for (int64_t k = 0; k < count; k++) wanted[k] = key_of(x[i + k], false);
      auto is_before = [&](int64_t place, int64_t k) {  // 0 or 1
        const auto found = key_of(rows[start + (order ? order[start + place] : place)], false);
        return int64_t(found < wanted[k]) | int64_t(right & (found == wanted[k]));
      };
      int64_t left = n;
      for (; left > 1; left -= left / 2)
        for (int64_t k = 0; k < kTogether; k++) at[k] += left / 2 & -is_before(at[k] + left / 2 - 1, k);
      for (int64_t k = 0; k < count; k++) call.out[i + k] = at[k] + (left ? is_before(at[k], k) : 0);
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

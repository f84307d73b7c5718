// panels.h - matrices packed for the tiles: the numbers that one step of a tile reads lie next to each other.
#pragma once
#include <algorithm>

#include "kernels/cpu/simd.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

template <class T>
constexpr int kPanelRows = (kTileRows + kWidth<T> - 1) / kWidth<T> * kWidth<T>;

inline int64_t parts(int64_t size, int64_t part) { return (size + part - 1) / part; }
// `size` cut into as few parts of up to `most` as will do, all about the same.
inline int64_t even_part(int64_t size, int64_t most) { return parts(size, parts(size, most)); }

// Panels of `tile` rows each: panel p has from(p * tile + i, k) at to[(p * depth + k) * width + i], for all i
// below width, a multiple of kWidth. What lies after the tile's rows is never used, after `count` it is zero.
template <class S, class T>
void pack(const S* from, int64_t step, int64_t k_step, int64_t count, int64_t depth, int tile, int width, T* to) {
  constexpr int W = kWidth<T>;
  const int64_t size = depth * width;
  const auto pack_slowly = [&](int64_t i, T* panel) {
    for (int64_t k = 0; k < depth; k++)
      for (int64_t u = 0; u < width; u++)
        panel[k * width + u] = i + u < count ? load_as<T>(from[(i + u) * step + k * k_step]) : T(0);
  };
  if (step == 1) {  // along the rows of memory, over all panels
    const int64_t whole = count >= width ? (count - width) / tile + 1 : 0;
    for (int64_t k = 0; k < depth; k++)
      for (int64_t p = 0; p < whole; p++)
        for (int u = 0; u < width; u += W) store(to + p * size + k * width + u, load(from + k * k_step + p * tile + u));
    for (int64_t p = whole; p * tile < count; p++) pack_slowly(p * tile, to + p * size);
    return;
  }
  for (int64_t i = 0; i < count; i += tile, to += size) {
    if (k_step != 1) {
      pack_slowly(i, to);
      continue;
    }
    const int64_t rows = std::min<int64_t>(count - i, tile);
    for (int u = 0; u < width; u += W)
      for (int64_t k = 0; k < depth; k += W)
        transpose_block(from + (i + u) * step + k, step, int(std::clamp<int64_t>(rows - u, 0, W)),
                        int(std::min<int64_t>(depth - k, W)), to + k * width + u, width);
  }
}

}  // namespace
}  // namespace bolide::inline BOLIDE_ISA

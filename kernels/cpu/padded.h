// padded.h - a band of image rows with a border of zeros, split by stride: what convolution reads.
//
// Number the pixels along rows of the padded image, border included: then the pixel that a tap reads for
// output pixel j is at j + a constant, for all j. With a stride the padded image is split into
// stride[0] * stride[1] images, in each of which that is true again.
#pragma once
#include <algorithm>

#include "kernels/cpu/simd.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

// Copies up to 2 kWidth numbers: whole vectors, which overlap, where that is possible.
template <class T>
BOLIDE_FN void copy_short(T* to, const T* from, int64_t n) {
  constexpr int W = kWidth<T>;
  if (n >= W) {
    const Vector<T> first = load(from), last = load(from + n - W);
    store(to, first), store(to + n - W, last);
  } else if (n >= W / 2) {
    std::memcpy(to, from, kVectorBytes / 2), std::memcpy(to + n - W / 2, from + n - W / 2, kVectorBytes / 2);
  } else if (W > 4 && n >= W / 4) {
    std::memcpy(to, from, kVectorBytes / 4), std::memcpy(to + n - W / 4, from + n - W / 4, kVectorBytes / 4);
  } else {
    for (int64_t i = 0; i < n; i++) to[i] = from[i];
  }
}
template <class T>
BOLIDE_FN void copy_row(T* to, const T* from, int64_t n) {
  constexpr int W = kWidth<T>;
  for (; n > 2 * W; n -= W, to += W, from += W) store(to, load(from));
  copy_short(to, from, n);
}
template <int step, class T>
void copy_every(T* __restrict to, const T* __restrict from, int64_t n) {
  for (int64_t i = 0; i < n; i++) to[i] = from[i * step];
}

struct Padded {
  int64_t stride[2];
  int64_t top, left;      // border before the image
  int64_t rows, columns;  // of one of the parts
  int64_t part() const { return rows * columns; }
  int64_t plane() const { return part() * stride[0] * stride[1]; }
  int64_t offset(int64_t y, int64_t x) const {  // of image pixel (y, x), for a tap
    y += top, x += left;
    return ((y % stride[0]) * stride[1] + x % stride[1]) * part() + y / stride[0] * columns + x / stride[1];
  }

  // The band of a plane that starts at `first_row` of the padded image.
  template <class T>
  void fill(const T* image, int64_t height, int64_t width, int64_t first_row, T* to) const {
    const int64_t step = stride[1];
    for (int64_t p = 0; p < stride[0]; p++)
      for (int64_t q = 0; q < step; q++) {
        // Columns `first` to `last` are in the image: column c is pixel c * step + q - left.
        const int64_t first = std::min((std::max<int64_t>(left - q, 0) + step - 1) / step, columns);
        const int64_t last = std::clamp((width + left - q + step - 1) / step, first, columns), n = last - first;
        for (int64_t r = 0; r < rows; r++, to += columns) {
          const int64_t y = first_row + r * stride[0] + p - top;
          if (y < 0 || y >= height) {
            std::fill_n(to, columns, T(0));
            continue;
          }
          const T* row = image + y * width + first * step + q - left;
          for (int64_t c = 0; c < first; c++) to[c] = 0;
          for (int64_t c = last; c < columns; c++) to[c] = 0;
          if (step == 1) copy_row(to + first, row, n);
          else if (step == 2) copy_every<2>(to + first, row, n);
          else
            for (int64_t c = 0; c < n; c++) to[first + c] = row[c * step];
        }
      }
  }
};

}  // namespace
}  // namespace bolide::inline BOLIDE_ISA

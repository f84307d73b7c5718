// fft.h - the three Fourier transforms that those of bolide.fft are made of (python/bolide/fft.py).
#pragma once
#include "runtime/ops.h"

namespace bolide {

// Of a complex tensor along dims, times scale; inverse: with the other sign.
BOLIDE_API Tensor fft_c2c(const Tensor& x, const Dims& dims, double scale, bool inverse);
// Of a real tensor along dim: the n / 2 + 1 numbers that are not conjugates of others.
BOLIDE_API Tensor fft_r2c(const Tensor& x, int64_t dim, double scale);
// The inverse one, of n / 2 + 1 complex numbers along dim to n real ones.
BOLIDE_API Tensor fft_c2r(const Tensor& x, int64_t dim, int64_t n, double scale);

}  // namespace bolide

// ops_fft.cpp - the Fourier transforms that python/bolide/fft.py puts PyTorch's names and arguments around.
#include "bindings/ops_table.h"
#include "runtime/fft.h"

namespace bolide::python {

std::vector<Op> fft_rows() {
  return {
      op<&fft_c2c>("_fft_c2c", "input, dim, scale, inverse", "Complex numbers to complex numbers.", kFunction),
      op<&fft_r2c>("_fft_r2c", "input, dim, scale", "Real numbers to half a spectrum.", kFunction),
      op<&fft_c2r>("_fft_c2r", "input, dim, n, scale", "Half a spectrum to n real numbers.", kFunction),
  };
}

}  // namespace bolide::python

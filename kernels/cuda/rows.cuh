// rows.cuh - a team of threads that reduces together: a warp, or a whole block of several.
//
// The threads of a team are threadIdx.x; a block may hold several teams of one warp (threadIdx.y). A team's order of
// combining depends on its size alone, so results are the same in every run.
#pragma once
#include "kernels/cuda/cuda.h"
#include "kernels/num.h"

namespace bolide::inline BOLIDE_ISA {

inline constexpr int kWarp = 32, kTeam = 256;  // threads of the two kinds of team

// A state of one number, of 4 or 8 bytes, or of several, which moves member by member (Combine::shuffle).
template <class T>
__device__ inline T shuffle_xor(T x, int lanes) {
  if constexpr (std::is_arithmetic_v<T>) return __shfl_xor_sync(0xffffffffu, x, lanes);
  else if constexpr (kIsComplex<T>) return T(shuffle_xor(x.real, lanes), shuffle_xor(x.imaginary, lanes));
  else return x.shuffle_xor(lanes);
}

// The team's states combined; every thread gets the result. `partial` is shared memory for kTeam / kWarp states.
// Combine::combine is the operation.
template <class Combine, class T>
__device__ inline T team_combine(T x, T* partial) {
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) {
    const T other = shuffle_xor(x, lanes);
    x = (threadIdx.x & unsigned(lanes)) ? Combine::combine(other, x)
                                        : Combine::combine(x, other);  // the same order in all lanes
  }
  if (blockDim.x == kWarp) return x;
  if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = x;
  __syncthreads();
  x = partial[0];
  for (int w = 1; w < int(blockDim.x) / kWarp; w++) x = Combine::combine(x, partial[w]);
  __syncthreads();  // before anyone writes `partial` again
  return x;
}

// How the rows of a matrix are shared out: short ones to warps, four to a block, long ones to blocks.
struct RowGrid {
  dim3 grid, block;
  RowGrid(int64_t rows, int64_t columns) {
    const unsigned together = columns <= 1024 ? 4 : 1;
    block = together > 1 ? dim3(kWarp, together) : dim3(kTeam);
    grid = dim3(unsigned(ceil_div(rows, together) < (1 << 30) ? ceil_div(rows, together) : 1 << 30));
  }
};
// f(row) for the rows of this thread's team.
template <class F>
__device__ inline void for_team_rows(int64_t rows, const F& f) {
  const int64_t step = int64_t(gridDim.x) * blockDim.y;
  for (int64_t r = int64_t(blockIdx.x) * blockDim.y + threadIdx.y; r < rows; r += step) f(r);
}

}  // namespace bolide::inline BOLIDE_ISA

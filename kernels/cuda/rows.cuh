// rows.cuh - a team of threads that reduces together: a warp, or a whole block of several.
//
// The threads of a team are threadIdx.x; a block may hold several teams of one warp (threadIdx.y). A team's order of
// combining depends on its size alone, so results are the same in every run.
#pragma once
#include "kernels/cuda/numbers.cuh"

namespace bolide::inline BOLIDE_ISA {

inline constexpr int kWarp = 32, kTeam = 256;  // threads of the two kinds of team

// A state of one number, of 4 or 8 bytes, or of several, which moves member by member (Combine::shuffle).
template <class T>
__device__ inline T shuffle_xor(T x, int lanes) {
  if constexpr (std::is_arithmetic_v<T>) return __shfl_xor_sync(0xffffffffu, x, lanes);
  else if constexpr (kIsComplex<T>) return T(shuffle_xor(x.real, lanes), shuffle_xor(x.imaginary, lanes));
  else return x.shuffle_xor(lanes);
}

struct Least {
  static BOLIDE_FN int64_t combine(int64_t a, int64_t b) { return a < b ? a : b; }
};

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

// One row for its team, in packs of 16 bytes that are dealt to the threads in turn. With kChunks > 0 every thread keeps
// so many packs of numbers in registers: the row is read once, however often it is used. With 0, for a row of any
// length, it is read at each use. What is computed does not depend on the row's address.
template <class S, int kChunks>
class Row {
 public:
  using T = ComputeOf<S>;
  static constexpr int kPer = kPack<S>;
  static constexpr bool kKept = kChunks > 0;

  // Beyond its n elements a row has `fill`.
  __device__ Row(const S* row, int64_t n, T fill) : row_(row), n_(n), fill_(fill), aligned_(is_aligned(row, 16)) {
    if constexpr (kKept) { BOLIDE_UNROLL for (int i = 0; i < kChunks; i++) load(place(i), kept_[i]); }
  }
  // f(number of the first element, T (&numbers)[kPer]) for this thread's packs. What f puts there stays if kKept.
  template <class F>
  __device__ void each(const F& f) {
    if constexpr (kKept) {
      BOLIDE_UNROLL for (int i = 0; i < kChunks; i++) if (place(i) < n_) f(place(i), kept_[i]);
    } else {
      for (int64_t e = place(0); e < n_; e += int64_t(blockDim.x) * kPer) {
        T numbers[kPer];
        load(e, numbers);
        f(e, numbers);
      }
    }
  }
  // f(number of the first element, own numbers, numbers of `other`, a row of the same length).
  template <class F>
  __device__ void each_with(Row& other, const F& f) {
    if constexpr (kKept) {
      BOLIDE_UNROLL for (int i = 0; i < kChunks; i++) if (place(i) < n_) f(place(i), kept_[i], other.kept_[i]);
    } else {
      each([&](int64_t e, T(&own)[kPer]) {
        T theirs[kPer];
        other.load(e, theirs);
        f(e, own, theirs);
      });
    }
  }
  // Writes a pack to another row of the same length.
  __device__ void store(S* out, int64_t e, const T (&numbers)[kPer]) const {
    Pack<S, kPer> pack;
    BOLIDE_UNROLL for (int j = 0; j < kPer; j++) pack.v[j] = store_as<S>(numbers[j]);
    if (e + kPer <= n_ && is_aligned(out, 16)) *reinterpret_cast<Pack<S, kPer>*>(out + e) = pack;
    else
      for (int j = 0; j < kPer; j++)
        if (e + j < n_) out[e + j] = pack.v[j];
  }

 private:
  __device__ int64_t place(int i) const { return (int64_t(i) * blockDim.x + threadIdx.x) * kPer; }
  __device__ void load(int64_t e, T (&numbers)[kPer]) const {
    if (aligned_ && e + kPer <= n_) {
      const Pack<S, kPer> pack = *reinterpret_cast<const Pack<S, kPer>*>(row_ + e);
      BOLIDE_UNROLL for (int j = 0; j < kPer; j++) numbers[j] = load_as<T>(pack.v[j]);
    } else {
      BOLIDE_UNROLL for (int j = 0; j < kPer; j++) numbers[j] = e + j < n_ ? T(load_as<T>(row_[e + j])) : fill_;
    }
  }

  const S* row_;
  int64_t n_;
  T fill_;
  bool aligned_;
  T kept_[kKept ? kChunks : 1][kPer];
};
// How many packs a thread can keep: 32 registers of numbers.
template <class S>
inline constexpr int kMostChunks = 128 / (kPack<S> * int(sizeof(ComputeOf<S>)));

// How the rows of a matrix are shared out: short ones to warps, four to a block, long ones to blocks.
struct RowGrid {
  dim3 grid, block;
  RowGrid(int64_t rows, int64_t columns, int64_t most_of_a_warp = 1024) {
    const unsigned together = columns <= most_of_a_warp ? 4 : 1;
    block = together > 1 ? dim3(kWarp, together) : dim3(kTeam);
    grid = dim3(unsigned(ceil_div(rows, together) < (1 << 30) ? ceil_div(rows, together) : 1 << 30));
  }
};
// For host code: f.template operator()<kChunks>(grid) with the team and the packs a thread that suit the length of a row.
template <class S, class F>
void for_row_shape(int64_t rows, int64_t columns, const F& f) {
  constexpr int kMost = kMostChunks<S>;
  constexpr int64_t kWarpRow = int64_t(kWarp) * kMost * kPack<S>, kTeamRow = int64_t(kTeam) * kMost * kPack<S>;
  const RowGrid grid(rows, columns, kWarpRow);
  if (columns <= kWarpRow / kMost) return f.template operator()<1>(grid);
  if (columns <= kTeamRow) return f.template operator()<kMost>(grid);
  f.template operator()<0>(grid);
}
// f(row) for the rows of this thread's team.
template <class F>
__device__ inline void for_team_rows(int64_t rows, const F& f) {
  const int64_t step = int64_t(gridDim.x) * blockDim.y;
  for (int64_t r = int64_t(blockIdx.x) * blockDim.y + threadIdx.y; r < rows; r += step) f(r);
}

}  // namespace bolide::inline BOLIDE_ISA

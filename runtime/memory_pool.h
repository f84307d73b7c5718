// memory_pool.h - the caching memory pool, one implementation over any backend.
//
// Memory is keyed by (device type, device, stream): a block freed on a stream is reused by later work of the
// same stream without any wait; use on a second stream is declared with record_stream, and the block is kept
// back until an event says that the second stream is done. Blocks stay mapped when freed: a fresh 40 MB result
// costs no page faults. All data is aligned to 256 bytes.
//
//   Allocation a = allocate(device, bytes, stream);  ...  deallocate(device, a);
//
// Small CPU blocks (up to 4 KB) come from a free list per thread, without a lock. Larger ones: best fit in
// segments of the backend, split and coalesced, under a lock per device.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/kernel_calls.h"
#include "runtime/device.h"
#include "runtime/export.h"

namespace bolide {

struct Allocation {
  void* data = nullptr;
  void* block = nullptr;  // the pool's own; null: from a thread's free list, or no memory at all
  size_t bytes = 0;       // as asked for
};

struct MemoryStats {
  int64_t allocated = 0;       // bytes in live blocks, as rounded by the pool
  int64_t peak = 0;            // the most that `allocated` has been (large blocks only count at once)
  int64_t reserved = 0;        // bytes taken from the backend
  int64_t largest_free = 0;    // the largest block that could be given without asking the backend
  int64_t live_blocks = 0;
  int64_t allocations = 0;     // calls so far
};

// Raises OutOfMemory with the pool's figures when there is none left after trimming.
BOLIDE_API Allocation allocate(Device device, size_t bytes, StreamHandle stream);
BOLIDE_API void deallocate(Device device, const Allocation& allocation) noexcept;
// The block is also in use by work queued on `stream`: it is not reused before that is done.
BOLIDE_API void record_stream(Device device, const Allocation& allocation, StreamHandle stream);

BOLIDE_API MemoryStats memory_stats(Device device);
BOLIDE_API void reset_peak_memory(Device device);
// Gives whole free segments back to the backend.
BOLIDE_API void empty_cache(Device device);
// The most bytes that the pool takes from the backend. Default: the device's total memory.
BOLIDE_API void set_memory_limit(Device device, int64_t bytes);

}  // namespace bolide

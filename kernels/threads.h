// threads.h - the thread pool of the CPU kernels.
//
//   parallel(chunks, [&](int64_t chunk) { ... });
//
// Chunks are cut by the problem, never by the number of threads, so results do not depend on it. Each thread has a
// share of neighbouring chunks and takes those first, so that the same call again finds in its cache what it left
// there; then it helps others: a worker that is asleep or was preempted costs nothing, since the caller takes its
// share. A caller that finds the pool busy (another thread, or a kernel within a kernel) runs its chunks
// alone. What a chunk throws reaches the caller once the others have run. No thread starts before the first
// call that has something for it.
#pragma once
#include <cstdint>

#include "runtime/export.h"

namespace bolide {

// How many threads kernels use: set, or min(CPU affinity, cgroup limit). At least 1.
BOLIDE_API void set_thread_count(int n);
BOLIDE_API int thread_count();
BOLIDE_API void parallel_run(int64_t chunks, void (*run)(const void*, int64_t), const void* work);

template <class F>
void parallel(int64_t chunks, const F& f) {
  parallel_run(chunks, [](const void* work, int64_t i) { (*static_cast<const F*>(work))(i); }, &f);
}

// Rows in chunks of at least `grain` of them: f(begin, end).
template <class F>
void parallel_rows(int64_t rows, int64_t grain, const F& f) {
  if (grain < 1) grain = 1;
  parallel((rows + grain - 1) / grain,
           [&](int64_t i) { f(i * grain, i * grain + grain < rows ? i * grain + grain : rows); });
}

// Memory for a kernel's own use, kept per thread and slot (0..7), 64-byte aligned; it grows and is not
// cleared. Throws std::bad_alloc before any work where there is none.
BOLIDE_API void* scratch(int slot, int64_t bytes);

}  // namespace bolide

// late_release.h - memory of others on a device, given back once our queued work on it is done.
//
// The owner of such memory (PyTorch, CuPy) does not know our streams: told too early, it would reuse what our kernels
// still read. Nobody waits for that: an event is recorded where the last tensor lets go, and the owner is told when it
// has come about, by whatever looks next: an import, another release, a wait for the device.
#pragma once
#include "runtime/tensor.h"

namespace bolide {

// Work on this stream uses the storage: its memory is not reused, or given back to its owner, before that is done.
BOLIDE_API void record_stream(Storage& storage, StreamHandle stream);
// What Storage::destroy does with memory that is not from the pool.
void release_foreign(Storage& storage) noexcept;
// Tells the owners whose memory is free by now; costs a load where there are none.
BOLIDE_API void release_finished() noexcept;

}  // namespace bolide

// blocking.h - long work and waits: where other threads may run meanwhile, and where Ctrl-C is taken.
//
// The runtime knows nothing of Python; the bindings set hooks once. A front opens a BlockingScope round a kernel of
// about a millisecond or more, whatever waits for a device calls wait_for, and loops over many ops (backward) call
// check_interrupt between two of them.
#pragma once
#include "runtime/backend.h"
#include "runtime/export.h"

namespace bolide {

struct BlockingHooks {
  void* (*enter)() = nullptr;            // lets others run (Python's GIL); null: nothing was to do
  void (*leave)(void* token) = nullptr;
  void (*check_interrupt)() = nullptr;   // throws what the user's wish to stop becomes
};
BOLIDE_API void set_blocking_hooks(BlockingHooks hooks);

class BOLIDE_API BlockingScope {
 public:
  explicit BlockingScope(bool worth_it);
  ~BlockingScope();
  BlockingScope(const BlockingScope&) = delete;

 private:
  void* token_ = nullptr;
};

BOLIDE_API void check_interrupt();

// The waits that a user sees: until the work that the stream has, or that before the event, is done. Ctrl-C ends them
// within a tenth of a second (the work goes on), and they raise what kernels have reported. What must do neither calls
// Backend::synchronize.
BOLIDE_API void wait_for(Device device, StreamHandle stream);
BOLIDE_API void wait_for(Device device, EventHandle event);

// Where a kernel reports indices or classes out of range: `call.fault = faults.place()`, run it, `faults.check()`.
// check() raises on the CPU; elsewhere nobody waits, and wait_for raises.
class BOLIDE_API FaultReport {
 public:
  explicit FaultReport(Device device) : shared_(backend_of(device.type).backend->fault(device.index)) {}
  Fault* place() { return shared_ ? shared_ : &own_; }
  void check();

 private:
  Fault* shared_;
  Fault own_;
};

}  // namespace bolide

// blocking.cpp - the hooks of blocking.h, and waiting in steps.
#include "runtime/blocking.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "runtime/errors.h"
#include "runtime/late_release.h"

namespace bolide {
namespace {

BlockingHooks g_hooks;

// Asks without a pause at first, since most waits are short, then more rarely, so that a long wait costs no core.
template <class IsDone>
void wait_until(const IsDone& is_done) {
  using namespace std::chrono;
  if (is_done()) return;
  BlockingScope scope(true);
  const auto start = steady_clock::now();
  auto next_check = start + milliseconds(100);
  while (!is_done()) {
    const auto now = steady_clock::now();
    if (now >= next_check) {
      check_interrupt();
      next_check = now + milliseconds(100);
    }
    if (now - start > milliseconds(1))
      std::this_thread::sleep_for(std::min<nanoseconds>((now - start) / 20, milliseconds(1)));
  }
}

// Raises what was reported, once. A device may be writing another report meanwhile: `op` is its last word.
void raise_fault(Fault& fault, const char* hint) {
  const char* op = std::atomic_ref(fault.op).load(std::memory_order_acquire);
  if (!op) [[likely]]
    return;
  const Fault found = fault;
  fault.op = nullptr;
  std::atomic_ref(fault.claimed).store(0, std::memory_order_release);
  raise(ErrorKind::Index, op, str(found.what, " in [", found.low, ", ", found.high, "]"), str(found.value), hint);
}
void raise_faults(Backend& backend, Device device) {
  if (Fault* fault = backend.fault(device.index))
    raise_fault(*fault, "The device found this after the call had returned.");
}

}  // namespace

void set_blocking_hooks(BlockingHooks hooks) { g_hooks = hooks; }
BlockingScope::BlockingScope(bool worth_it) {
  if (worth_it && g_hooks.enter) token_ = g_hooks.enter();
}
BlockingScope::~BlockingScope() {
  if (token_) g_hooks.leave(token_);
}
void check_interrupt() {
  if (g_hooks.check_interrupt) g_hooks.check_interrupt();
}

void FaultReport::check() { raise_fault(own_, ""); }

void wait_for(Device device, StreamHandle stream) {
  Backend& backend = *backend_of(device.type).backend;
  wait_until([&] { return backend.is_idle(stream); });
  release_finished();
  raise_faults(backend, device);
}
void wait_for(Device device, EventHandle event) {
  Backend& backend = *backend_of(device.type).backend;
  wait_until([&] { return backend.is_done(event); });
  release_finished();
  raise_faults(backend, device);
}

}  // namespace bolide

// fiber.hpp - a stackful fiber, switched by a few instructions, known to the sanitizers.
//
// A CUDA thread that has to wait (at a barrier, in a warp collective) is a fiber whose stack is
// left and entered again later. AddressSanitizer must be told about every change of stack, and
// ThreadSanitizer must believe that each fiber is a thread of its own, or neither can be used.
//
//   Fiber f = make_fiber();  prepare(f, &entry);  switch_to_fiber(host, f);
//   // entry() begins with fiber_started(host) and ends with switch_to_host(f, host, true)
//
// Included by cuda_emulation.cpp alone. To extend: another CPU needs its own cuda_emulation_switch.
#pragma once
#include <cstddef>
#include <cstdlib>
#include <new>
#include <sys/mman.h>
#include <unistd.h>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
extern "C" {
void AnnotateHappensBefore(const char*, int, const volatile void*);
void AnnotateHappensAfter(const char*, int, const volatile void*);
void AnnotateIgnoreReadsBegin(const char*, int);
void AnnotateIgnoreReadsEnd(const char*, int);
void AnnotateIgnoreWritesBegin(const char*, int);
void AnnotateIgnoreWritesEnd(const char*, int);
}
#endif
#if !defined(__x86_64__)
#error "fiber.hpp switches stacks on x86-64 only"
#endif

#define CUDA_EMULATION_NO_SANITIZE __attribute__((no_sanitize("address", "thread")))

extern "C" __attribute__((visibility("hidden"))) void cuda_emulation_switch(void** save_stack_pointer,
                                                                            void* load_stack_pointer);
asm(R"(
.text
.globl cuda_emulation_switch
.hidden cuda_emulation_switch
.type cuda_emulation_switch,@function
cuda_emulation_switch:
  endbr64
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp,(%rdi)
  movq %rsi,%rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size cuda_emulation_switch,.-cuda_emulation_switch
)");

namespace cuda_emulation {

// What ThreadSanitizer is told; nothing in other builds.
CUDA_EMULATION_NO_SANITIZE inline void happens_before([[maybe_unused]] const volatile void* tag) {
#if defined(__SANITIZE_THREAD__)
  AnnotateHappensBefore(__FILE__, __LINE__, tag);
#endif
}
CUDA_EMULATION_NO_SANITIZE inline void happens_after([[maybe_unused]] const volatile void* tag) {
#if defined(__SANITIZE_THREAD__)
  AnnotateHappensAfter(__FILE__, __LINE__, tag);
#endif
}
// Between ignore_begin and ignore_end accesses are the emulator's own and are not checked.
CUDA_EMULATION_NO_SANITIZE inline void ignore_begin() {
#if defined(__SANITIZE_THREAD__)
  AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
#endif
}
CUDA_EMULATION_NO_SANITIZE inline void ignore_end() {
#if defined(__SANITIZE_THREAD__)
  AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
#endif
}
struct IgnoreScope {
  IgnoreScope() { ignore_begin(); }
  ~IgnoreScope() { ignore_end(); }
  IgnoreScope(const IgnoreScope&) = delete;
  IgnoreScope& operator=(const IgnoreScope&) = delete;
};

struct Thread;  // a CUDA thread, in cuda_emulation.hpp

// The stack of the host thread, to which every fiber returns.
struct HostContext {
  void* stack_pointer = nullptr;
  const void* stack_bottom = nullptr;
  size_t stack_size = 0;
  void* asan_fake_stack = nullptr;
  void* tsan_fiber = nullptr;
};

struct Fiber {
  void* stack_pointer = nullptr;
  char* stack = nullptr;
  size_t size = 0;
  Thread* thread = nullptr;  // the CUDA thread that it runs; null when it is free
  void* asan_fake_stack = nullptr;
  void* tsan_fiber = nullptr;
};

inline constexpr size_t kFiberStackBytes = 256 * 1024;

inline Fiber make_fiber() {
  Fiber fiber;
  fiber.size = kFiberStackBytes;
  void* stack = mmap(nullptr, fiber.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stack == MAP_FAILED) throw std::bad_alloc();
  fiber.stack = static_cast<char*>(stack);
  mprotect(fiber.stack, static_cast<size_t>(sysconf(_SC_PAGESIZE)), PROT_NONE);  // guard page
  return fiber;
}

// Makes the fiber start in entry() at the next switch. fresh: give it a new ThreadSanitizer clock.
CUDA_EMULATION_NO_SANITIZE inline void prepare(Fiber& fiber, void (*entry)(), [[maybe_unused]] bool fresh) {
  auto** top = reinterpret_cast<void**>(fiber.stack + fiber.size - 64);
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; i++) *--top = nullptr;  // the six registers that the switch restores
  fiber.stack_pointer = top;
#if defined(__SANITIZE_THREAD__)
  if (fiber.tsan_fiber && fresh) {
    __tsan_destroy_fiber(fiber.tsan_fiber);
    fiber.tsan_fiber = nullptr;
  }
  if (!fiber.tsan_fiber) fiber.tsan_fiber = __tsan_create_fiber(0);
#endif
}

// Before a stack is used by another fiber, ThreadSanitizer has to forget who wrote to it last.
inline void forget_stack_accesses([[maybe_unused]] Fiber& fiber) {
#if defined(__SANITIZE_THREAD__)
  size_t bytes = 8 * static_cast<size_t>(sysconf(_SC_PAGESIZE));
  (void)!mmap(fiber.stack + fiber.size - bytes, bytes, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
#endif
}

// After a fault, fibers are left in the middle of a kernel and never continued.
inline void abandon([[maybe_unused]] Fiber& fiber) {
  fiber.thread = nullptr;
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(fiber.stack, fiber.size);
  fiber.asan_fake_stack = nullptr;
#endif
  fiber.tsan_fiber = nullptr;  // leaked: it stopped with ignores on and may not be destroyed
}

CUDA_EMULATION_NO_SANITIZE inline void switch_to_fiber(HostContext& host, Fiber& fiber) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&host.asan_fake_stack, fiber.stack, fiber.size);
#endif
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(fiber.tsan_fiber, __tsan_switch_to_fiber_no_sync);
#endif
  cuda_emulation_switch(&host.stack_pointer, fiber.stack_pointer);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(host.asan_fake_stack, nullptr, nullptr);
#endif
}

CUDA_EMULATION_NO_SANITIZE inline void switch_to_host(Fiber& fiber, HostContext& host, [[maybe_unused]] bool finished) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(finished ? nullptr : &fiber.asan_fake_stack, host.stack_bottom, host.stack_size);
#endif
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(host.tsan_fiber, __tsan_switch_to_fiber_no_sync);
#endif
  cuda_emulation_switch(&fiber.stack_pointer, host.stack_pointer);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fiber.asan_fake_stack, &host.stack_bottom, &host.stack_size);
#endif
}

CUDA_EMULATION_NO_SANITIZE inline void fiber_started([[maybe_unused]] HostContext& host) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &host.stack_bottom, &host.stack_size);
#endif
}

}  // namespace cuda_emulation

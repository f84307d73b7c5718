// cpu_backend.cpp - the CPU as a device: mapped memory, no streams, everything done at once.
#include "runtime/cpu_backend.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "kernels/cpu/cpu_kernels.h"

namespace bolide {
namespace {

constexpr size_t kHugePage = size_t(2) << 20;

class CpuBackend final : public Backend {
 public:
  int device_count() override { return 1; }
  std::string device_name(int) override { return std::string("CPU (") + cpu_isa() + ")"; }
  void memory_info(int, size_t* free_bytes, size_t* total_bytes) override {
    const auto page = size_t(sysconf(_SC_PAGESIZE));
    *total_bytes = size_t(sysconf(_SC_PHYS_PAGES)) * page;
    *free_bytes = size_t(sysconf(_SC_AVPHYS_PAGES)) * page;
  }
  void* allocate(int, size_t bytes) override {
    // Mapped with room to start at a huge page, so that the kernel can back it with such.
    char* p = static_cast<char*>(
        mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (p == MAP_FAILED) return nullptr;
    char* aligned = p + (kHugePage - reinterpret_cast<uintptr_t>(p) % kHugePage) % kHugePage;
    if (aligned > p) munmap(p, size_t(aligned - p));
    const size_t after = size_t(p + bytes + kHugePage - (aligned + bytes));
    if (after) munmap(aligned + bytes, after);
    madvise(aligned, bytes, MADV_HUGEPAGE);
    return aligned;
  }
  void deallocate(int, void* data, size_t bytes) override { munmap(data, bytes); }
  void copy_bytes(void* to, const void* from, size_t bytes, CopyKind, StreamHandle) override {
    std::memmove(to, from, bytes);
  }
  void set_bytes(void* data, int value, size_t bytes, StreamHandle) override { std::memset(data, value, bytes); }

  StreamHandle default_stream(int) override { return {}; }
  StreamHandle make_stream(int) override { return {}; }
  void destroy_stream(StreamHandle) override {}
  EventHandle record_event(StreamHandle) override { return nullptr; }
  bool is_done(EventHandle) override { return true; }
  bool is_idle(StreamHandle) override { return true; }
  void wait_event(StreamHandle, EventHandle) override {}
  void destroy_event(EventHandle) override {}
  void synchronize(StreamHandle) override {}
  Fault* fault(int) override { return nullptr; }
};

}  // namespace

BackendEntry make_cpu_backend() { return {new CpuBackend, &cpu_kernels()}; }

}  // namespace bolide

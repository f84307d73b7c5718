// backend.cpp - finds the backends: the CPU at once, the CUDA library when a CUDA device is first asked for.
//
// BOLIDE_CUDA_LIBRARY names another library than libbolide_cuda.so beside libbolide.so: the emulated device of
// the tests, or a build of one's own.
#include "runtime/backend.h"

#include <dlfcn.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>

#include "runtime/backend_module.h"
#include "runtime/cpu_backend.h"
#include "runtime/errors.h"
#include "runtime/tensor.h"

namespace bolide {
namespace {

constexpr const char* kDeviceNames[] = {"cpu", "cuda"};

struct Loaded {
  BackendEntry entry;
  std::string problem;  // why there is none
};

std::string library_path() {
  if (const char* path = std::getenv("BOLIDE_CUDA_LIBRARY"); path && *path) return path;
  Dl_info info;
  if (!dladdr(reinterpret_cast<void*>(&library_path), &info) || !info.dli_fname) return "libbolide_cuda.so";
  const std::string own = info.dli_fname;
  return own.substr(0, own.rfind('/') + 1) + "libbolide_cuda.so";
}

Loaded load_cuda() {
  const std::string path = library_path();
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) return {{}, str("the library ", path, " could not be loaded (", dlerror(), ")")};
  auto* make = reinterpret_cast<BackendModuleFunction>(dlsym(library, kCudaModuleSymbol));
  if (!make) return {{}, str(path, " has no symbol ", kCudaModuleSymbol)};
  const BackendModule* module = make(kBackendModuleVersion);
  if (!module || module->version != kBackendModuleVersion)
    return {{},
            str(path, " is of version ", module ? module->version : 0, ", this is version ", kBackendModuleVersion,
                ": install both from one build")};
  if (!module->backend) return {{}, module->problem ? module->problem : "it has no backend"};
  if (module->backend->device_count() == 0) return {{}, "there is no CUDA device"};
  return {{module->backend, module->kernels}, {}};
}

const Loaded& cuda() {
  static const Loaded* loaded = new Loaded(load_cuda());  // leaked: used until the process has ended
  return *loaded;
}

}  // namespace

const BackendEntry& backend_of(DeviceType type) {
  if (type == DeviceType::CPU) {
    static const BackendEntry cpu = make_cpu_backend();
    return cpu;
  }
  const Loaded& loaded = cuda();
  if (!loaded.entry.backend) [[unlikely]]
    raise(ErrorKind::Runtime, "cuda", "a working CUDA device", loaded.problem,
          "Use device='cpu', or see bolide.cuda.is_available().");
  return loaded.entry;
}

bool is_available(DeviceType type) { return type == DeviceType::CPU || cuda().entry.backend; }

void check_device(Device device) {
  const int count = backend_of(device.type).backend->device_count();
  check(device.index >= 0 && device.index < count, ErrorKind::Runtime, "device", str("an index below ", count),
        [&] { return name_of(device); });
}

void order_streams(Device device, StreamHandle before, StreamHandle after) {
  if (before.handle == after.handle) return;
  Backend& backend = *backend_of(device.type).backend;
  if (backend.is_capturing(before) != backend.is_capturing(after))
    raise(ErrorKind::Runtime, "stream", "two streams in one graph capture, or in none", "one of them in a capture",
          "Share the tensor before the capture, or with stream=-1 where it is ready.");
  const EventHandle event = backend.record_event(before);
  backend.wait_event(after, event);
  backend.destroy_event(event);
}

std::string name_of(Device device) {
  return device.is_cpu() ? "cpu" : str(kDeviceNames[int(device.type)], ":", int(device.index));
}

Device parse_device(std::string_view text) {
  const size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  for (int i = 0; i < kDeviceTypes; i++) {
    if (name != kDeviceNames[i]) continue;
    Device device{DeviceType(i), 0};
    if (colon == std::string_view::npos) {
      if (!device.is_cpu()) device.index = int8_t(current_device(device.type));
      return device;
    }
    const std::string_view digits = text.substr(colon + 1);
    if (digits.empty() || digits.size() > 2 || digits.find_first_not_of("0123456789") != std::string_view::npos) break;
    device.index = int8_t(std::stoi(std::string(digits)));
    if (device.is_cpu() && device.index > 0) break;
    return device;
  }
  raise(ErrorKind::Runtime, "device", "'cpu', 'cuda' or 'cuda:' and a number", str("'", text, "'"));
}

namespace {
thread_local int g_current_device[kDeviceTypes] = {};
// The streams that this thread has chosen, by device; behind a pointer to keep the thread-local block small.
using Streams = std::array<std::optional<StreamHandle>, 64>;
thread_local std::unique_ptr<Streams> g_streams;
}  // namespace

int current_device(DeviceType type) { return g_current_device[int(type)]; }
void set_current_device(Device device) {
  check_device(device);
  g_current_device[int(device.type)] = device.index;
}

StreamHandle current_stream(Device device) {
  if (device.is_cpu()) [[likely]]
    return {};
  if (g_streams && (*g_streams)[size_t(device.index)]) return *(*g_streams)[size_t(device.index)];
  return backend_of(device.type).backend->default_stream(device.index);
}
void set_current_stream(Device device, StreamHandle stream) {
  check_device(device);
  if (device.is_cpu()) return;
  if (!g_streams) g_streams = std::make_unique<Streams>();
  (*g_streams)[size_t(device.index)] = stream;
}

}  // namespace bolide

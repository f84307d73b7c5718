// backend_module.h - the one symbol that a backend library exports, and the handshake through it.
//
// libbolide opens the library with dlopen, looks up kBackendModuleSymbol and calls it with its own version.
// A library built against other headers must not be used: it returns a module whose version differs, and
// the core raises instead of calling into it.
#pragma once
#include "runtime/backend.h"

namespace bolide {

inline constexpr int kBackendModuleVersion = 3;  // raise it whenever Backend, Kernels or a call struct changes
inline constexpr const char* kCudaModuleSymbol = "bolide_cuda_module";

struct BackendModule {
  int version = kBackendModuleVersion;
  Backend* backend = nullptr;        // null where there is no driver or device; `problem` says why
  const Kernels* kernels = nullptr;
  const char* problem = nullptr;
};

// extern "C" BOLIDE_API const bolide::BackendModule* bolide_cuda_module(int version);
using BackendModuleFunction = const BackendModule* (*)(int version);

}  // namespace bolide

// cuda_module.cpp - what libbolide finds in this library: the backend and its table of kernels (backend_module.h).
#include "runtime/backend_module.h"

#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/cuda_kernels.h"
#include "runtime/errors.h"

namespace bolide {
namespace {

constexpr Kernels kKernels = {
#define KERNEL(name, Call) .name = name,
#define CPU_KERNEL(name, Call)
#define CPU_ISA_KERNEL(name, Call)
#include "kernels/kernels.def"
};

BackendModule make_module() {
  BackendModule module;
  module.kernels = &kKernels;
  int devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&devices);
  if (error == cudaSuccess && devices > 0) {
    module.backend = new CudaBackend(devices);  // leaked: tensors may be freed until the process has ended
    return module;
  }
  cudaGetLastError();
  static std::string problem;
  int driver = 0, needed = 0;
  if (cudaDriverGetVersion(&driver) == cudaSuccess && cudaRuntimeGetVersion(&needed) == cudaSuccess && driver < needed)
    problem = driver ? str("a driver for CUDA ", driver / 1000, ".", driver % 1000 / 10, ", which is older than ",
                           needed / 1000, ".", needed % 1000 / 10)
                     : std::string("no NVIDIA driver");
  else problem = str("no CUDA device (", cudaGetErrorName(error == cudaSuccess ? cudaErrorNoDevice : error), ")");
  module.problem = problem.c_str();
  return module;
}

}  // namespace
}  // namespace bolide

// A version that differs from the caller's tells it not to use the rest, which may be laid out otherwise.
extern "C" BOLIDE_API const bolide::BackendModule* bolide_cuda_module(int version);
const bolide::BackendModule* bolide_cuda_module(int version) {
  static const bolide::BackendModule other{};
  if (version != bolide::kBackendModuleVersion) return &other;
  static const bolide::BackendModule* module = new bolide::BackendModule(bolide::make_module());
  return module;
}

// cublaslt.cpp - finds cuBLASLt: already loaded, named by the user, in the nvidia packages beside bolide, the system's.
//
// The emulated device has a stand-in instead: tests/cuda_emulation/fake_cublaslt.cpp.
#if !defined(BOLIDE_CUDA_EMULATION)
#include <dlfcn.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "kernels/cuda/cublaslt_api.h"
#include "runtime/errors.h"

namespace bolide::cublaslt {
namespace {

constexpr const char* kLibrary = "libcublasLt.so.13";

// The folder of this library, and those above it: .../site-packages/bolide/lib, .../site-packages/bolide, ...
std::vector<std::string> folders_above() {
  std::vector<std::string> folders;
  Dl_info info;
  if (!dladdr(reinterpret_cast<const void*>(&folders_above), &info) || !info.dli_fname) return folders;
  std::string folder = info.dli_fname;
  for (size_t slash; (slash = folder.rfind('/')) != std::string::npos;) {
    folder.resize(slash);
    folders.push_back(folder);
  }
  return folders;
}
std::vector<std::string> candidates() {
  std::vector<std::string> paths;
  if (const char* own = std::getenv("BOLIDE_CUBLASLT_LIBRARY"); own && *own) paths.push_back(own);
  for (auto& folder : folders_above()) paths.push_back(folder + "/nvidia/cu13/lib/" + kLibrary);
  paths.push_back(kLibrary);
  paths.push_back(std::string("/usr/local/cuda/lib64/") + kLibrary);
  return paths;
}
void* open_library() {
  if (void* loaded = dlopen(kLibrary, RTLD_NOW | RTLD_NOLOAD)) return loaded;
  for (auto& path : candidates())
    if (void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
  raise(ErrorKind::Runtime, "matmul", str(kLibrary, " for matrix products on device cuda"), "none",
        "Install it with `pip install nvidia-cublas`, or set BOLIDE_CUBLASLT_LIBRARY to its path.");
}

Functions load() {
  void* library = open_library();
  Functions f;
#define BOLIDE_LOAD(member, function, arguments)                                              \
  f.member = reinterpret_cast<decltype(f.member)>(dlsym(library, #function));                 \
  if (!f.member) raise(ErrorKind::Runtime, "matmul", "cuBLASLt with " #function, "one without");
  BOLIDE_CUBLASLT(BOLIDE_LOAD)
#undef BOLIDE_LOAD
  return f;
}

}  // namespace

const Functions& functions() {
  static const Functions* f = new Functions(load());
  return *f;
}

}  // namespace bolide::cublaslt
#endif

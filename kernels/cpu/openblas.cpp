// openblas.cpp - opens scipy-openblas32's library with dlopen, never before it is needed: it takes a while,
// and starts threads of its own. Compiled once, without an ISA's flags.
#include "kernels/cpu/openblas.h"

#include <dlfcn.h>

#include <cstdlib>
#include <mutex>
#include <string>

namespace bolide {
namespace {

std::mutex g_mutex;
std::string g_path;

OpenBlas open_openblas() {
  std::string path;
  if (const char* wish = std::getenv("BOLIDE_OPENBLAS")) {
    path = wish;
  } else {
    std::lock_guard lock(g_mutex);
    path = g_path;
  }
  OpenBlas found;
  if (path.empty()) return found;
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) return found;
  const auto set_threads = reinterpret_cast<void (*)(int)>(dlsym(library, "scipy_openblas_set_num_threads"));
  const auto sgemm = reinterpret_cast<CblasGemm<float>>(dlsym(library, "scipy_cblas_sgemm"));
  const auto dgemm = reinterpret_cast<CblasGemm<double>>(dlsym(library, "scipy_cblas_dgemm"));
  const auto cgemm = reinterpret_cast<CblasComplexGemm>(dlsym(library, "scipy_cblas_cgemm"));
  const auto zgemm = reinterpret_cast<CblasComplexGemm>(dlsym(library, "scipy_cblas_zgemm"));
  if (!set_threads || !sgemm || !dgemm || !cgemm || !zgemm) return found;  // another library of that name: left alone
  set_threads(1);
  return {sgemm, dgemm, cgemm, zgemm};
}

}  // namespace

void set_openblas_path(const char* path) {
  std::lock_guard lock(g_mutex);
  g_path = path ? path : "";
}

const OpenBlas* openblas() {
  static const OpenBlas found = open_openblas();
  return found.sgemm ? &found : nullptr;
}

}  // namespace bolide

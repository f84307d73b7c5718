// openblas.cpp - opens scipy-openblas32's library with dlopen, never before it is needed: it takes a while,
// and starts threads of its own. Compiled once, without an ISA's flags.
#include "kernels/cpu/openblas.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string>

namespace bolide {
namespace {

std::mutex g_mutex;
std::string g_folders;

std::string path_of_library() {
  if (const char* wish = std::getenv("BOLIDE_OPENBLAS")) return wish;
  std::lock_guard lock(g_mutex);
  for (size_t start = 0; start < g_folders.size();) {
    const size_t end = std::min(g_folders.find('\n', start), g_folders.size());
    const std::string path = g_folders.substr(start, end - start) + "/scipy_openblas32/lib/libscipy_openblas.so";
    std::error_code ignored;
    if (std::filesystem::exists(path, ignored)) return path;
    start = end + 1;
  }
  return {};
}

void* open_library() {
  const std::string path = path_of_library();
  void* library = path.empty() ? nullptr : dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) return nullptr;
  const auto set_threads = reinterpret_cast<void (*)(int)>(dlsym(library, "scipy_openblas_set_num_threads"));
  if (!set_threads) return nullptr;  // another library of that name: left alone
  set_threads(1);
  return library;
}
void* library() {
  static void* const found = open_library();
  return found;
}

OpenBlas find_products() {
  if (!library()) return {};
  const OpenBlas found = {reinterpret_cast<CblasGemm>(dlsym(library(), "scipy_cblas_cgemm")),
                          reinterpret_cast<CblasGemm>(dlsym(library(), "scipy_cblas_zgemm"))};
  return found.cgemm && found.zgemm ? found : OpenBlas();
}

}  // namespace

void set_openblas_folders(const char* folders) {
  std::lock_guard lock(g_mutex);
  g_folders = folders;
}

const OpenBlas* openblas() {
  static const OpenBlas found = find_products();
  return found.cgemm ? &found : nullptr;
}
void* openblas_symbol(const char* name) { return library() ? dlsym(library(), name) : nullptr; }

}  // namespace bolide

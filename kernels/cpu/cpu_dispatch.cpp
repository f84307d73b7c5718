// cpu_dispatch.cpp - picks the ISA once, at the first call. Compiled without any ISA flag.
//
// BOLIDE_CPU_ISA=baseline, avx2 or avx512 lowers the choice, so that tests run all three on one machine.
#include <cstdlib>
#include <string_view>

#include "kernels/cpu/cpu_kernels.h"
#include "runtime/errors.h"

namespace bolide {
namespace {

struct Isa {
  const char* name;
  const Kernels* kernels;
};

}  // namespace

#if defined(__x86_64__) && !defined(BOLIDE_GENERIC_CPU)
namespace baseline {
extern const Kernels kKernels;
}
namespace avx2 {
extern const Kernels kKernels;
}
namespace avx512 {
extern const Kernels kKernels;
}

namespace {

int best_isa() {
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512cd");
  return avx2 ? avx512 ? 2 : 1 : 0;
}
Isa choose() {
  const Isa isas[] = {{"baseline", &baseline::kKernels}, {"avx2", &avx2::kKernels}, {"avx512", &avx512::kKernels}};
  const int best = best_isa();
  const char* text = std::getenv("BOLIDE_CPU_ISA");
  if (!text || !*text) return isas[best];
  for (int i = 0; i <= best; i++)
    if (std::string_view(text) == isas[i].name) return isas[i];
  raise(ErrorKind::Value, "BOLIDE_CPU_ISA",
        str("baseline", best > 0 ? ", avx2" : "", best > 1 ? ", avx512" : "", " (what this CPU has)"),
        str("'", text, "'"));
}

}  // namespace
#else
namespace generic {
extern const Kernels kKernels;
}

namespace {
Isa choose() {
  const Isa only{"generic", &generic::kKernels};
  if (const char* text = std::getenv("BOLIDE_CPU_ISA"); text && *text && std::string_view(text) != only.name)
    raise(ErrorKind::Value, "BOLIDE_CPU_ISA", "generic (all that this build has)", str("'", text, "'"));
  return only;
}
}  // namespace
#endif

namespace {
const Isa& chosen() {
  static const Isa isa = choose();
  return isa;
}
}  // namespace

const Kernels& cpu_kernels() { return *chosen().kernels; }
const char* cpu_isa() { return chosen().name; }

}  // namespace bolide

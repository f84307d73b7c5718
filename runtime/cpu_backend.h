// cpu_backend.h - makes the backend that is always there.
#pragma once
#include "runtime/backend.h"

namespace bolide {

BackendEntry make_cpu_backend();

}  // namespace bolide

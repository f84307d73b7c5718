// overlap.h - do elements lie on top of each other? What in-place ops have to know.
#pragma once
#include "runtime/dims.h"

namespace bolide {

// Are there two indices for one place in memory? Exact, but for layouts so contrived that it would take long to say;
// of those, only what is certain.
bool overlaps_itself(const Dims& sizes, const Dims& strides);

}  // namespace bolide

// random.h - the generator's counter: whoever draws numbers takes a range of it.
#pragma once
#include "runtime/ops.h"

namespace bolide {

// A seed and the offset of the first of `count` numbers that nobody else gets.
RandomState take_random_numbers(int64_t count);

}  // namespace bolide

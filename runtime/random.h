// random.h - the generator's counter: whoever draws numbers takes a range of it.
#pragma once
#include "runtime/ops.h"

namespace bolide {

// A seed and the offset of the first of `count` numbers that nobody else gets.
RandomState take_random_numbers(int64_t count);

// Integers from low to last, both included: also all of them.
Tensor randint_up_to(int64_t low, int64_t last, const Dims& sizes, Options options);
// Poisson numbers for each of the rates; both dense, of float64.
void fill_poisson(const Tensor& out, const Tensor& rates);

}  // namespace bolide

// reduction_list.h - from the lines of reduce.def to types, for the kernels of every device.
//
//   ReductionTable<float>::var::map(x, s)   what an element adds; first, combine and finish are the line's others
//   ReductionTable<float>::var::Shift       the reduction that runs first; `nothing` where there is none
#pragma once
#include "kernels/op_list.h"

namespace bolide::inline BOLIDE_ISA {

template <class T>
struct ReductionTable {  // a template, so that what integers cannot do is compiled for floats only
  using X = Num<T>;
  struct nothing {};
#define REDUCE(set, rule, empty, name, shift, start, add, merge, end, slope, doc)                      \
  struct name {                                                                                        \
    static constexpr const char* kName = #name;                                                        \
    static constexpr unsigned kDTypes = set;                                                           \
    using Shift = shift;                                                                               \
    static BOLIDE_FN X first() { return start; }                                                       \
    static BOLIDE_FN X map([[maybe_unused]] X x, [[maybe_unused]] X s) { return add; }                 \
    static BOLIDE_FN X combine(X a, X b) { return merge; }                                             \
    static BOLIDE_FN X finish(X a, [[maybe_unused]] X n, [[maybe_unused]] X p, [[maybe_unused]] X s) { \
      return end;                                                                                      \
    }                                                                                                  \
  };
#include "kernels/reduce.def"
};

}  // namespace bolide::inline BOLIDE_ISA

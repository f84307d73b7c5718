#!/bin/bash
# check_vectors.sh OBJECT...: fails when the compiler left a loop of the op table scalar.
#
# The objects are elementwise_loops.cpp for avx512 and float, double, int32_t or int64_t. Nothing else would tell: the
# results stay right, at a tenth of the speed. Formulas that are scalar on purpose are listed in `expected`.
set -euo pipefail
status=0
for object in "$@"; do
  expected='(floor_divide|remainder|erfc|erfinv|lgamma|digamma|polygamma_at|zeta|gcd)_op'
  case $object in
    *f32*) ;;
    *f64*) expected="${expected/(/(asin|acos|sinh|cosh|asinh|acosh|atanh|}" ;;  # the C library's
    *) expected="${expected/(/(pow|}" ;;                                        # integers multiply in a loop
  esac
  objdump -d --no-show-raw-insn -C "$object" | awk -v object="$object" -v expected="$expected" '
    function report() {
      if (name != "" && wide < 1 && name !~ expected) { print object ": scalar loop: " name; bad++ }
    }
    /^[0-9a-f]+ <.*clone .cold/ { report(); name = ""; next }  # angles that the vector code does not know
    /^[0-9a-f]+ <.*loop<.*>:$/ { report(); name = $0; sub(/^[^<]*</, "", name); wide = 0; loops++; next }
    /^[0-9a-f]+ </ { report(); name = "" }
    /%zmm/ || /(call|jmp) .*<mem(cpy|move|set)/ { wide++ }  # a copy is a call
    /jmp +[0-9a-f]+ <.*loop<.*\)>$/ { wide++ }              # the same code as another loop, folded
    END {
      report()
      print object ": " loops + 0 " loops, " bad + 0 " scalar"
      exit bad > 0 || loops == 0
    }' || status=1
done
exit $status

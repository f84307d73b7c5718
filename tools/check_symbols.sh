#!/bin/bash
# check_symbols.sh BUILD: no code of one ISA can be reached under a name that another ISA, or the rest, shares.
#
# Every object of kernels/cpu may define symbols that the linker merges (weak ones) only inside its ISA's namespace:
# a weak symbol of the standard library, say, compiled with AVX-512 flags, might be the one that the linker keeps
# for the whole library, and a machine without AVX-512 would stop on it. And libbolide exports bolide's names only.
set -euo pipefail
build=${1:?usage: check_symbols.sh BUILD}
status=0
for isa in avx2 avx512; do
  objects=$(find "$build/CMakeFiles" -path "*_${isa}*" -name '*.o')
  [ -n "$objects" ] || { echo "check_symbols.sh: no objects of $isa in $build." >&2; exit 1; }
  leaked=$(nm -C --defined-only $objects 2>/dev/null | awk -v isa="$isa" '
    $2 ~ /^[WT]$/ && $0 !~ ("bolide::" isa "::|kLoops_" isa "") { print }' | sort -u)
  if [ -n "$leaked" ]; then
    echo "objects of $isa define symbols outside bolide::$isa:"
    echo "$leaked"
    status=1
  fi
done
exported=$(nm -DC --defined-only "$build/python/bolide/libbolide.so" |
  awk '$2 ~ /^[TDBRWV]$/ { $1 = $2 = ""; print }' | grep -v 'bolide' | grep -v '^ *std::\|^ *void std::\|__gnu_cxx' || true)
if [ -n "$exported" ]; then
  echo "libbolide.so exports what is not bolide's:"
  echo "$exported"
  status=1
fi
[ $status = 0 ] && echo "symbols: each ISA's code lies in its own namespace; only bolide's names are exported"
exit $status

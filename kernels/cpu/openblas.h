// openblas.h - OpenBLAS, opened where LAPACK or a product of complex matrices first needs it.
#pragma once
#include "runtime/export.h"

namespace bolide {

// The signature of cblas_cgemm and cblas_zgemm, with 32-bit sizes: alpha, beta and the arrays by address.
using CblasGemm = void (*)(int order, int trans_a, int trans_b, int m, int n, int k, const void* alpha, const void* a,
                           int lda, const void* b, int ldb, const void* beta, void* c, int ldc);
inline constexpr int kCblasRowMajor = 101, kCblasNoTrans = 111, kCblasTrans = 112;

struct OpenBlas {
  CblasGemm cgemm = nullptr, zgemm = nullptr;
};

// Its matrix products. Null where it is not there: then bolide's own kernels do all of the work. It is set to one
// thread, since the chunks of a product are given out by bolide's own pool.
const OpenBlas* openblas();
// Any function of the library, of LAPACK too; null where there is none.
void* openblas_symbol(const char* name);

// Where Python packages lie, one folder a line: it is looked for there in scipy_openblas32. The environment's
// BOLIDE_OPENBLAS names the library itself and goes first (empty: never use one).
BOLIDE_API void set_openblas_folders(const char* folders);

}  // namespace bolide

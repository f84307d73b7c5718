// openblas.h - OpenBLAS, opened where LAPACK is first needed, or by the first large product if its path was given.
#pragma once
#include "runtime/export.h"

namespace bolide {

// The signature of cblas_sgemm and cblas_dgemm, with 32-bit sizes.
template <class T>
using CblasGemm = void (*)(int order, int trans_a, int trans_b, int m, int n, int k, T alpha, const T* a, int lda,
                           const T* b, int ldb, T beta, T* c, int ldc);
// Of cblas_cgemm and cblas_zgemm: alpha, beta and the arrays of complex numbers by address.
using CblasComplexGemm = void (*)(int order, int trans_a, int trans_b, int m, int n, int k, const void* alpha,
                                  const void* a, int lda, const void* b, int ldb, const void* beta, void* c, int ldc);
inline constexpr int kCblasRowMajor = 101, kCblasNoTrans = 111, kCblasTrans = 112;

struct OpenBlas {
  CblasGemm<float> sgemm = nullptr;
  CblasGemm<double> dgemm = nullptr;
  CblasComplexGemm cgemm = nullptr, zgemm = nullptr;
};

// Its matrix products. Null where no path was given: then bolide's own kernels do all of the work. It is set to one thread, since the
// chunks of a product are given out by bolide's own pool.
const OpenBlas* openblas();
// Any function of the library, of LAPACK too; null where there is none.
void* openblas_symbol(const char* name);

// Where libscipy_openblas.so lies; the environment's BOLIDE_OPENBLAS goes first (empty: never use one). Has no
// effect once the library has been looked for.
BOLIDE_API void set_openblas_path(const char* path);
// Where Python packages lie, one folder a line: LAPACK is looked for there in scipy_openblas32.
BOLIDE_API void set_openblas_folders(const char* folders);

}  // namespace bolide

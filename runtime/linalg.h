// linalg.h - factorisations of matrices, what is solved by them, and norms. Matrices are the last two dimensions, the
// others a batch, which broadcasts where there are two operands.
//
// float32, float64, complex64 and complex128. What raises takes the op's name. Results of factorisations come with
// info (int32, one per matrix): what LAPACK says, 0 for success; nothing raises for a bad matrix but raise_bad().
// linalg_solve.cpp has LU, Cholesky and what they solve, linalg_ldl.cpp LDL, linalg_spectral.cpp QR, eigenvalues and singular values,
// linalg_norms.cpp norms and distances,
// linalg_products.cpp powers. To add a factorisation: a kind in kernels/cpu/lapack.cpp, its front and its
// gradient here, a row in bindings/ops_linalg.cpp.
#pragma once
#include "runtime/ops.h"

namespace bolide::linalg {

// ---- bad matrices --------------------------------------------------------------------------------------------
struct Failure {
  ErrorKind kind;
  const char* expected;
  const char* text;  // PyTorch's; % stands for the info
};
inline constexpr Failure kSingular = {ErrorKind::LinAlg, "invertible matrices",
                                      "The diagonal element % is zero, the inversion could not be completed because "
                                      "the input matrix is singular."};
inline constexpr Failure kUnsolvable = {ErrorKind::LinAlg, "invertible matrices",
                                        "The solver failed because the input matrix is singular."};
inline constexpr Failure kNotPositive = {ErrorKind::LinAlg, "positive-definite matrices",
                                         "The factorization could not be completed because the input is not "
                                         "positive-definite (the leading minor of order % is not positive-definite)."};
inline constexpr Failure kZeroPivot = {ErrorKind::Runtime, "invertible matrices",
                                       "U[%,%] is zero and using it on lu_solve would result in a division by zero. If "
                                       "you still want to perform the factorization, consider calling "
                                       "linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)"};
inline constexpr Failure kZeroInD = {ErrorKind::Runtime, "invertible matrices",
                                     "D[%,%] is zero and using it on ldl_solve would result in a division by zero."};
inline constexpr Failure kNoEigenvalues = {ErrorKind::LinAlg, "matrices that can be diagonalised",
                                           "The algorithm failed to converge because the input matrix is "
                                           "ill-conditioned or has too many repeated eigenvalues (error code: %)."};
inline constexpr Failure kNoSingularValues = {
    ErrorKind::LinAlg, "matrices that can be decomposed",
    "The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated singular "
    "values (error code: %)."};
inline constexpr Failure kNotFinite = {
    ErrorKind::LinAlg, "finite matrices",
    "The algorithm failed to converge because the input matrix contained non-finite values."};
// Raises for the first matrix whose info is not 0: which one of the batch, and why.
BOLIDE_API void raise_bad(const char* op, const Tensor& info, const Failure& failure);

// ---- checks --------------------------------------------------------------------------------------------------
BOLIDE_API void check_matrix(const char* op, const Tensor& a);  // two dimensions at least, and one of the four dtypes
BOLIDE_API void check_square(const char* op, const Tensor& a);  // and square
inline Tensor transposed(const Tensor& x) { return transpose(x, -2, -1); }
inline Tensor adjoint(const Tensor& x) { return conj(transposed(x)); }

// ---- LU, LDL and Cholesky (linalg_solve.cpp, linalg_ldl.cpp) -------------------------------------------------
BOLIDE_API TensorList lu_factor(const char* op, const Tensor& a);  // L and U in one, pivots from 1 (int32), info
BOLIDE_API TensorList lu_unpack(const Tensor& lu, const Tensor& pivots, bool data, bool permutation);  // P, L, U
BOLIDE_API Tensor lu_solve(const char* op, const Tensor& lu, const Tensor& pivots, const Tensor& b, bool left,
                           bool adjoint);
BOLIDE_API TensorList ldl_factor(const char* op, const Tensor& a, bool hermitian);  // L and D in one, pivots, info
BOLIDE_API Tensor ldl_solve(const Tensor& ld, const Tensor& pivots, const Tensor& b, bool hermitian);
BOLIDE_API TensorList solve(const char* op, const Tensor& a, const Tensor& b, bool left);  // solution, info
BOLIDE_API TensorList inverse(const char* op, const Tensor& a);  // inverse, info
BOLIDE_API Tensor solve_triangular(const char* op, const Tensor& a, const Tensor& b, bool upper, bool left, bool unit);
BOLIDE_API Tensor det(const char* op, const Tensor& a);
BOLIDE_API TensorList slogdet(const char* op, const Tensor& a);  // sign, log |det|
BOLIDE_API TensorList cholesky(const char* op, const Tensor& a, bool upper);  // factor, info
BOLIDE_API Tensor cholesky_solve(const Tensor& b, const Tensor& factor, bool upper);
BOLIDE_API Tensor cholesky_inverse(const Tensor& factor, bool upper);

// ---- QR, eigenvalues, singular values (linalg_spectral.cpp) --------------------------------------------------
BOLIDE_API TensorList geqrf(const char* op, const Tensor& a);  // R with reflectors below it, their factors
BOLIDE_API Tensor householder_product(const char* op, const Tensor& a, const Tensor& tau);
// other multiplied by the product of the reflectors that geqrf gives, or by its adjoint; from the left or the right.
BOLIDE_API Tensor ormqr(const Tensor& a, const Tensor& tau, const Tensor& other, bool left, bool adjoint_of);
enum class QrMode : uint8_t { reduced, complete, r };
BOLIDE_API TensorList qr(const char* op, const Tensor& a, QrMode mode);  // q, r
BOLIDE_API TensorList eigh(const char* op, const Tensor& a, bool upper, bool vectors = true);  // values, vectors
BOLIDE_API TensorList eig(const char* op, const Tensor& a, bool vectors = true);  // values, vectors
BOLIDE_API TensorList svd(const char* op, const Tensor& a, bool full_matrices);  // u, s, v adjoint
BOLIDE_API Tensor svdvals(const char* op, const Tensor& a);
// Singular values up to max(atol, rtol * largest) count as zero; unset ones have PyTorch's defaults.
BOLIDE_API Tensor pinv(const char* op, const Tensor& a, const Tensor& atol, const Tensor& rtol, bool hermitian);
BOLIDE_API Tensor matrix_rank(const char* op, const Tensor& a, const Tensor& atol, const Tensor& rtol, bool hermitian);

// ---- products (linalg_products.cpp) ----------------------------------------------------------------------------
BOLIDE_API Tensor matrix_power(const char* op, const Tensor& a, int64_t n);
BOLIDE_API Tensor matrix_exp(const char* op, const Tensor& a);

// ---- norms (linalg_norms.cpp) --------------------------------------------------------------------------------
BOLIDE_API Tensor vector_norm(const char* op, const Tensor& x, double order, const OptionalDims& dims, bool keepdim,
                              std::optional<DType> dtype = {});
// order: a number, "fro" or "nuc".
struct NormOrder {
  double number = 2;
  std::string_view name;  // empty: the number counts
  std::string text() const { return name.empty() ? str(number) : std::string(name); }
};
BOLIDE_API Tensor matrix_norm(const char* op, const Tensor& a, const NormOrder& order, const Dims& dims, bool keepdim,
                              std::optional<DType> dtype = {});
BOLIDE_API Tensor cond(const Tensor& a, const NormOrder& order);
BOLIDE_API Tensor cdist(const Tensor& a, const Tensor& b, double p, bool by_products);
BOLIDE_API Tensor pdist(const Tensor& x, double p);

}  // namespace bolide::linalg

// ops_linalg.cpp - linear algebra: bolide.linalg's functions, and those that are names of bolide or methods too.
//
// bolide/linalg.py gives the rows that begin with _linalg_ their public names. To add one: its row here, its name there.
#include <cmath>

#include "bindings/forms.h"
#include "runtime/linalg.h"

namespace bolide::python {
namespace {

using linalg::adjoint, linalg::cdist, linalg::cholesky, linalg::cholesky_inverse, linalg::cholesky_solve, linalg::cond,
    linalg::det, linalg::eig, linalg::eigh, linalg::geqrf, linalg::householder_product, linalg::inverse,
    linalg::kNotPositive, linalg::kSingular, linalg::kUnsolvable, linalg::kZeroInD, linalg::kZeroPivot,
    linalg::ldl_factor, linalg::ldl_solve, linalg::lu_factor, linalg::lu_solve, linalg::lu_unpack, linalg::matrix_exp,
    linalg::matrix_norm, linalg::matrix_power, linalg::matrix_rank, linalg::NormOrder, linalg::ormqr, linalg::pdist,
    linalg::pinv, linalg::qr, linalg::QrMode, linalg::raise_bad, linalg::slogdet, linalg::solve,
    linalg::solve_triangular, linalg::svd, linalg::svdvals, linalg::vector_norm;
using OptionalText = std::optional<std::string_view>;
using OptionalDType = std::optional<DType>;

// ---- results and arguments -----------------------------------------------------------------------------------
// A named tuple of some of the tensors: as many as it has fields.
PyObject* named(const char* type, std::vector<const char*> fields, TensorList&& found) {
  found.resize(fields.size());
  return named_tuple(type, std::move(fields), std::move(found));
}
bool is_upper(const char* op, std::string_view uplo) {
  check(uplo.size() == 1 && std::string_view("LlUu").find(uplo) != uplo.npos, ErrorKind::Runtime, op, "UPLO 'L' or 'U'",
        [&] { return str("'", uplo, "'"); });
  return uplo == "U" || uplo == "u";
}
void check_driver(const char* op, OptionalText driver) {
  check(!driver, ErrorKind::Runtime, op, "no driver on the CPU", [&] { return str("'", *driver, "'"); });
}
void check_pivot(bool pivot) {
  check(pivot, ErrorKind::Runtime, "linalg.lu_factor", "pivot=True: LU without pivoting is not implemented on the CPU",
        [] { return std::string("False"); });
}
// A number or a tensor of them; unset for None.
Tensor limit_of(PyObject* o, const Tensor& a) {
  if (o == Py_None) return {};
  if (is_tensor(o)) return unwrap(o);
  return full({}, Convert<double>::get(o), {real_type(a.dtype()), a.device()});
}
NormOrder order_of(PyObject* o) {
  NormOrder out;
  if (PyUnicode_Check(o)) out.name = Convert<std::string_view>::get(o);
  else if (o != Py_None) out.number = Convert<double>::get(o);
  return out;
}

// ---- solving -------------------------------------------------------------------------------------------------
Tensor solve_of(const Tensor& a, const Tensor& b, bool left) {
  TensorList found = solve("linalg.solve", a, b, left);
  raise_bad("linalg.solve", found[1], kUnsolvable);
  return found[0];
}
PyObject* solve_ex(const Tensor& a, const Tensor& b, bool left, bool check_errors) {
  TensorList found = solve("linalg.solve_ex", a, b, left);
  if (check_errors) raise_bad("linalg.solve_ex", found[1], kUnsolvable);
  return named("linalg_solve_ex", {"result", "info"}, std::move(found));
}
template <int>
Tensor inv(const Tensor& a) {
  TensorList found = inverse("linalg.inv", a);
  raise_bad("linalg.inv", found[1], kSingular);
  return found[0];
}
PyObject* inv_ex(const Tensor& a, bool check_errors) {
  TensorList found = inverse("linalg.inv_ex", a);
  if (check_errors) raise_bad("linalg.inv_ex", found[1], kSingular);
  return named("linalg_inv_ex", {"inverse", "info"}, std::move(found));
}
Tensor triangular(const Tensor& a, const Tensor& b, bool upper, bool left, bool unitriangular) {
  return solve_triangular("linalg.solve_triangular", a, b, upper, left, unitriangular);
}
PyObject* triangular_old(const Tensor& b, const Tensor& a, bool upper, bool transpose, bool unitriangular) {
  const char* op = "triangular_solve";
  const Tensor x =
      solve_triangular(op, transpose ? linalg::transposed(a) : a, b, upper != transpose, true, unitriangular);
  Dims sizes = x.sizes();
  sizes[sizes.rank() - 1] = a.sizes().back();
  return named("triangular_solve", {"solution", "cloned_coefficient"}, {x, clone(expand(a, sizes))});
}
Tensor pinv_of(const Tensor& a, PyObject* rcond, bool hermitian, PyObject* atol, PyObject* rtol) {
  return pinv("linalg.pinv", a, limit_of(atol, a), limit_of(rcond == Py_None ? rtol : rcond, a), hermitian);
}
Tensor pinverse(const Tensor& a, double rcond) {
  return pinv("linalg.pinv", a, {}, full({}, rcond, {real_type(a.dtype()), a.device()}), false);
}
Tensor rank_of(const Tensor& a, PyObject* tol, bool hermitian, PyObject* atol, PyObject* rtol) {
  const char* op = "linalg.matrix_rank";
  if (tol == Py_None) return matrix_rank(op, a, limit_of(atol, a), limit_of(rtol, a), hermitian);
  return matrix_rank(op, a, limit_of(tol, a), full({}, 0.0, {real_type(a.dtype()), a.device()}), hermitian);
}

// ---- determinants and factorisations -------------------------------------------------------------------------
template <int>
Tensor det_of(const Tensor& a) {
  return det("linalg.det", a);
}
PyObject* slogdet_old(const Tensor& a) { return named("slogdet", {"sign", "logabsdet"}, slogdet("linalg.slogdet", a)); }
PyObject* slogdet_new(const Tensor& a) {
  return named("linalg_slogdet", {"sign", "logabsdet"}, slogdet("linalg.slogdet", a));
}
// A negative determinant has no logarithm; of complex numbers every one has.
Tensor logdet(const Tensor& a) {
  const TensorList found = slogdet("logdet", a);
  if (is_complex(a.dtype())) return add(log(found[0]), found[1]);
  return where(eq(found[0], -1.0), double(NAN), found[1]);
}
Tensor cholesky_new(const Tensor& a, bool upper) {
  TensorList found = cholesky("linalg.cholesky", a, upper);
  raise_bad("linalg.cholesky", found[1], kNotPositive);
  return found[0];
}
Tensor cholesky_old(const Tensor& a, bool upper) {
  TensorList found = cholesky("cholesky", a, upper);
  raise_bad("cholesky", found[1], kNotPositive);
  return found[0];
}
PyObject* cholesky_ex(const Tensor& a, bool upper, bool check_errors) {
  TensorList found = cholesky("linalg.cholesky_ex", a, upper);
  if (check_errors) raise_bad("linalg.cholesky_ex", found[1], kNotPositive);
  return named("linalg_cholesky_ex", {"L", "info"}, std::move(found));
}
PyObject* lu_factor_of(const Tensor& a, bool pivot) {
  check_pivot(pivot);
  TensorList found = lu_factor("linalg.lu_factor", a);
  raise_bad("linalg.lu_factor", found[2], kZeroPivot);
  return named("linalg_lu_factor", {"LU", "pivots"}, std::move(found));
}
PyObject* lu_factor_ex(const Tensor& a, bool pivot, bool check_errors) {
  check_pivot(pivot);
  TensorList found = lu_factor("linalg.lu_factor_ex", a);
  if (check_errors) raise_bad("linalg.lu_factor_ex", found[2], kZeroPivot);
  return named("linalg_lu_factor_ex", {"LU", "pivots", "info"}, std::move(found));
}
PyObject* lu_of(const Tensor& a, bool pivot) {
  check_pivot(pivot);
  const TensorList found = lu_factor("linalg.lu", a);
  return named("linalg_lu", {"P", "L", "U"}, lu_unpack(found[0], found[1], true, true));
}
TensorList lu_old(const Tensor& a, bool pivot, bool get_infos) {
  check_pivot(pivot);
  TensorList found = lu_factor("lu", a);
  if (!get_infos) raise_bad("lu", found[2], kZeroPivot), found.resize(2);
  return found;
}
PyObject* lu_unpack_of(const Tensor& lu, const Tensor& pivots, bool unpack_data, bool unpack_pivots) {
  return named("lu_unpack", {"P", "L", "U"}, lu_unpack(lu, pivots, unpack_data, unpack_pivots));
}
Tensor lu_solve_new(const Tensor& lu, const Tensor& pivots, const Tensor& b, bool left, bool adjoint) {
  return lu_solve("linalg.lu_solve", lu, pivots, b, left, adjoint);
}
Tensor lu_solve_old(const Tensor& b, const Tensor& lu, const Tensor& pivots) {
  return lu_solve("linalg.lu_solve", lu, pivots, b, true, false);
}
PyObject* ldl_factor_of(const Tensor& a, bool hermitian) {
  TensorList found = ldl_factor("linalg.ldl_factor", a, hermitian);
  raise_bad("linalg.ldl_factor", found[2], kZeroInD);
  return named("linalg_ldl_factor", {"LD", "pivots"}, std::move(found));
}
PyObject* ldl_factor_ex(const Tensor& a, bool hermitian, bool check_errors) {
  TensorList found = ldl_factor("linalg.ldl_factor_ex", a, hermitian);
  if (check_errors) raise_bad("linalg.ldl_factor_ex", found[2], kZeroInD);
  return named("linalg_ldl_factor_ex", {"LD", "pivots", "info"}, std::move(found));
}
PyObject* qr_new(const Tensor& a, std::string_view mode) {
  const char* op = "linalg.qr";
  check(mode == "reduced" || mode == "complete" || mode == "r", ErrorKind::Runtime, op,
        "mode 'reduced' (default), 'r' or 'complete'", [&] { return str("'", mode, "'"); });
  const QrMode which = mode == "r" ? QrMode::r : mode == "complete" ? QrMode::complete : QrMode::reduced;
  return named("linalg_qr", {"Q", "R"}, qr(op, a, which));
}
PyObject* qr_old(const Tensor& a, bool some) {
  return named("qr", {"Q", "R"}, qr("linalg.qr", a, some ? QrMode::reduced : QrMode::complete));
}
PyObject* geqrf_of(const Tensor& a) { return named("geqrf", {"a", "tau"}, geqrf("geqrf", a)); }
Tensor orgqr(const Tensor& a, const Tensor& tau) { return householder_product("linalg.householder_product", a, tau); }
Tensor householder(const Tensor& a, const Tensor& tau) {
  return householder_product("linalg.householder_product", a, tau);
}
PyObject* eigh_of(const Tensor& a, std::string_view uplo) {
  const char* op = "linalg.eigh";
  return named("linalg_eigh", {"eigenvalues", "eigenvectors"}, eigh(op, a, is_upper(op, uplo)));
}
Tensor eigvalsh(const Tensor& a, std::string_view uplo) {
  const char* op = "linalg.eigh";
  return eigh(op, a, is_upper(op, uplo), false)[0];
}
PyObject* eig_of(const Tensor& a) { return named("linalg_eig", {"eigenvalues", "eigenvectors"}, eig("linalg.eig", a)); }
Tensor eigvals(const Tensor& a) { return eig("linalg.eig", a, false)[0]; }
PyObject* svd_new(const Tensor& a, bool full_matrices, OptionalText driver) {
  check_driver("linalg.svd", driver);
  return named("linalg_svd", {"U", "S", "Vh"}, svd("linalg.svd", a, full_matrices));
}
// With V itself; without vectors it has zeros for them.
PyObject* svd_old(const Tensor& a, bool some, bool compute_uv) {
  TensorList f;
  if (compute_uv) {
    f = svd("linalg.svd", a, !some);
    f[2] = adjoint(f[2]);
  } else {
    const Tensor s = svdvals("linalg.svd", a);
    Dims square = a.sizes();
    const int last = a.rank() - 1;
    square[last] = a.size(last - 1);
    const Tensor u = zeros(square, {a.dtype(), a.device()});
    square[last] = square[last - 1] = a.size(last);
    f = {u, s, zeros(square, {a.dtype(), a.device()})};
  }
  return named("svd", {"U", "S", "V"}, std::move(f));
}
Tensor svdvals_of(const Tensor& a, OptionalText driver) {
  check_driver("linalg.svd", driver);
  return svdvals("linalg.svd", a);
}

// ---- norms and distances -------------------------------------------------------------------------------------
Tensor vector_norm_of(const Tensor& x, double order, const OptionalDims& dims, bool keepdim, OptionalDType dtype) {
  return vector_norm("linalg.vector_norm", x, order, dims, keepdim, dtype);
}
Tensor matrix_norm_of(const Tensor& a, PyObject* order, const Dims& dims, bool keepdim, OptionalDType dtype) {
  return matrix_norm("linalg.matrix_norm", a, order_of(order), dims, keepdim, dtype);
}
Tensor norm_of(const Tensor& a, PyObject* order, const OptionalDims& dims, bool keepdim, OptionalDType dtype) {
  const char* op = "linalg.norm";
  const bool given = order != Py_None;
  check(!dims || dims->rank() == 1 || dims->rank() == 2, ErrorKind::Runtime, op, "a dim of one or two numbers",
        [&] { return dims->text(); });
  check(dims || !given || a.rank() == 1 || a.rank() == 2, ErrorKind::Runtime, op,
        "1 or 2 dimensions where ord is given and dim is not", [&] { return describe(a); });
  const bool of_matrix = given && (PyUnicode_Check(order) || (dims ? dims->rank() : a.rank()) == 2);
  if (of_matrix)
    return matrix_norm("linalg.matrix_norm", a, order_of(order), dims.value_or(Dims{-2, -1}), keepdim, dtype);
  return vector_norm("linalg.vector_norm", a, given ? Convert<double>::get(order) : 2, dims, keepdim, dtype);
}
Tensor frobenius_norm(const Tensor& x, const Dims& dims, bool keepdim) {
  return vector_norm("frobenius_norm", x, 2, dims, keepdim);
}
Tensor nuclear_norm(const Tensor& a, const Dims& dims, bool keepdim) {
  return matrix_norm("nuclear_norm", a, {0, "nuc"}, dims, keepdim);
}
Tensor nuclear_norm_of_all(const Tensor& a, bool keepdim) { return nuclear_norm(a, {-2, -1}, keepdim); }
Tensor cond_of(const Tensor& a, PyObject* p) { return cond(a, order_of(p)); }
Tensor dist(const Tensor& a, const Tensor& b, double p) { return vector_norm("dist", sub(a, b), p, {}, false); }
Tensor cdist_of(const Tensor& a, const Tensor& b, double p, std::string_view mode) {
  check(mode == "use_mm_for_euclid_dist_if_necessary" || mode == "use_mm_for_euclid_dist" ||
            mode == "donot_use_mm_for_euclid_dist",
        ErrorKind::Value, "cdist", "a valid value for compute_mode", [&] { return str("'", mode, "'"); });
  const bool many = a.rank() >= 2 && b.rank() >= 2 && (a.size(a.rank() - 2) > 25 || b.size(b.rank() - 2) > 25);
  return cdist(a, b, p, mode == "use_mm_for_euclid_dist" || (many && mode[0] == 'u'));
}

// ---- products ------------------------------------------------------------------------------------------------
template <int>
Tensor matrix_power_of(const Tensor& a, int64_t n) {
  return matrix_power("linalg.matrix_power", a, n);
}
template <int>
Tensor matrix_exp_of(const Tensor& a) {
  return matrix_exp("linalg.matrix_exp", a);
}
Tensor vecdot(const Tensor& x, const Tensor& y, int64_t dim) {
  const char* op = "linalg.vecdot";
  check(is_differentiable(x.dtype()), ErrorKind::DType, op, "a floating point or complex tensor as input",
        [&] { return std::string(name_of(x.dtype())); });
  check(x.dtype() == y.dtype(), ErrorKind::Runtime, op, "x and y to have the same dtype",
        [&] { return str(name_of(x.dtype()), " and ", name_of(y.dtype())); });
  return sum(mul(conj(x), y), Dims{dim});
}

// ---- rows ----------------------------------------------------------------------------------------------------
template <auto F>
void add_linalg(std::vector<Op>& rows, const char* name, const char* arguments, const char* doc) {
  const std::string text = str(doc, "\n\nReference: torch.linalg.", name, ".");
  add_function<F>(rows, str("_linalg_", name).c_str(), arguments, text.c_str(), kFunction);
}

void add_solvers(std::vector<Op>& rows) {
  add_linalg<&solve_of>(rows, "solve", "A, B, *, left=True",
                        "X with A @ X = B, or X @ A = B where left is False.\n\nA is [..., n, n]; B is [..., n, k], or "
                        "vectors [..., n]. Batches broadcast.\nRaises: LinAlgError for a singular A.\n"
                        "Example: >>> bolide.linalg.solve(bolide.eye(2) * 2, bolide.ones(2))");
  add_linalg<&solve_ex>(rows, "solve_ex", "A, B, *, left=True, check_errors=False",
                        "The named tuple (result, info): solve() that raises only with check_errors.");
  add_linalg<&inv<0>>(rows, "inv", "A",
                      "The inverse of each matrix [..., n, n].\n\nRaises: LinAlgError for a singular one.");
  add_linalg<&inv_ex>(rows, "inv_ex", "A, *, check_errors=False",
                      "The named tuple (inverse, info): inv() that raises only with check_errors.");
  add_linalg<&triangular>(rows, "solve_triangular", "A, B, *, upper, left=True, unitriangular=False",
                          "X with A @ X = B (left) or X @ A = B of a triangular A, whose other triangle is not read.");
  add_function<&triangular_old>(
      rows, "triangular_solve", "input, A, upper=True, transpose=False, unitriangular=False",
      "The named tuple (solution, cloned_coefficient): X with A @ X = input of a triangular A, or A.mT @ X = input, "
      "and\n"
      "a copy of A.\n\nReference: torch.triangular_solve; linalg.solve_triangular() is its successor.");
  add_linalg<&pinv_of>(
      rows, "pinv", "A, rcond=None, hermitian=False, *, atol=None, rtol=None",
      "The Moore-Penrose inverse of [..., m, n]: [..., n, m].\n\nSingular values up to max(atol, rtol * "
      "the largest) count as zero; rtol is max(m, n) * eps unless atol is given.");
  add_linalg<&rank_of>(rows, "matrix_rank", "A, tol=None, hermitian=False, *, atol=None, rtol=None",
                       "How many singular values are above max(atol, rtol * the largest): int64.");
  add_function<&inv<1>>(rows, "inverse", "input",
                        "The inverse matrix.\n\nRaises: LinAlgError for a singular one.\n"
                        "Reference: torch.linalg.inv.");
  add_function<&pinverse>(rows, "pinverse", "input, rcond=1e-15", "Pseudo-inverse.\n\nReference: torch.linalg.pinv.");
  add_function<&cholesky_solve>(rows, "cholesky_solve", "input, L, upper=False",
                                "X with A @ X = input, where L is the Cholesky factor of A.\n\n"
                                "Reference: torch.cholesky_solve.");
  add_function<&cholesky_inverse>(rows, "cholesky_inverse", "input, upper=False",
                                  "The inverse of A, whose Cholesky factor input is.\n\nRaises: LinAlgError for a "
                                  "singular one.\nReference: torch.cholesky_inverse.");
}
void add_factorisations(std::vector<Op>& rows) {
  add_linalg<&det_of<0>>(rows, "det", "A", "The determinant of each matrix [..., n, n].");
  add_function<&det_of<1>>(rows, "det", "input", "The determinant of each matrix.\n\nReference: torch.linalg.det.");
  add_linalg<&slogdet_new>(rows, "slogdet", "A",
                           "The named tuple (sign, logabsdet) of the determinant; (0, -inf) for 0.");
  add_function<&slogdet_old>(rows, "slogdet", "input",
                             "The named tuple (sign, logabsdet) of the determinant.\n\nReference: "
                             "torch.linalg.slogdet.");
  add_function<&logdet>(rows, "logdet", "input",
                        "Logarithm of the determinant; NaN of a negative one.\n\nReference: "
                        "torch.logdet.");
  add_linalg<&cholesky_new>(rows, "cholesky", "A, *, upper=False",
                            "The lower triangular L with L @ L.mH = A, or the upper U with U.mH @ U = A.\n\n"
                            "Raises: LinAlgError unless A is positive definite.");
  add_function<&cholesky_old>(rows, "cholesky", "input, upper=False",
                              "linalg.cholesky().\n\nReference: torch.cholesky.");
  add_linalg<&cholesky_ex>(rows, "cholesky_ex", "A, *, upper=False, check_errors=False",
                           "The named tuple (L, info): cholesky() that raises only with check_errors.");
  add_linalg<&lu_factor_of>(rows, "lu_factor", "A, *, pivot=True",
                            "The named tuple (LU, pivots) of [..., m, n]: what lu_solve() takes.");
  add_linalg<&lu_factor_ex>(rows, "lu_factor_ex", "A, *, pivot=True, check_errors=False",
                            "The named tuple (LU, pivots, info).");
  add_linalg<&lu_of>(rows, "lu", "A, *, pivot=True", "The named tuple (P, L, U) with A = P @ L @ U.");
  add_linalg<&lu_solve_new>(rows, "lu_solve", "LU, pivots, B, *, left=True, adjoint=False",
                            "solve() with what lu_factor() gives; adjoint: with the adjoint of A.");
  add_function<&lu_old>(rows, "lu", "A, pivot=True, get_infos=False", "linalg.lu_factor().\n\nReference: torch.lu.");
  add_function<&lu_solve_old>(rows, "lu_solve", "b, LU_data, LU_pivots",
                              "linalg.lu_solve().\n\nReference: torch.lu_solve.");
  add_function<&lu_unpack_of>(rows, "lu_unpack", "LU_data, LU_pivots, unpack_data=True, unpack_pivots=True",
                              "The named tuple (P, L, U) of what lu_factor() gives.\n\nReference: torch.lu_unpack.",
                              kFunction);
  add_linalg<&ldl_factor_of>(
      rows, "ldl_factor", "A, *, hermitian=False",
      "The named tuple (LD, pivots) of a symmetric or Hermitian A, whose lower triangle is read: L below the\n"
      "diagonal, D on it (Bunch, Kaufman 1977). A pair of equal negative pivots marks a block of two rows of D, with\n"
      "its other element below the diagonal. Without a gradient.\n\nRaises: BolideError where D has a zero.");
  add_linalg<&ldl_factor_ex>(rows, "ldl_factor_ex", "A, *, hermitian=False, check_errors=False",
                             "The named tuple (LD, pivots, info): ldl_factor() that raises only with check_errors.");
  add_linalg<&ldl_solve>(rows, "ldl_solve", "LD, pivots, B, *, hermitian=False",
                         "X with A @ X = B, of what ldl_factor() gives. B is [..., n, k]; batches broadcast.\n\n"
                         "Raises: ShapeError, BolideError for pivots that are none.");
  add_linalg<&qr_new>(rows, "qr", "A, mode='reduced'",
                      "The named tuple (Q, R) with A = Q @ R; mode 'reduced', 'complete', or 'r' without Q.");
  add_function<&qr_old>(rows, "qr", "input, some=True", "linalg.qr().\n\nReference: torch.qr.");
  add_function<&geqrf_of>(rows, "geqrf", "input",
                          "The named tuple (a, tau): R, with the reflectors of Q below it.\n\n"
                          "Reference: torch.geqrf.");
  add_linalg<&householder>(
      rows, "householder_product", "A, tau",
      "The first columns of the product of reflectors, which lie below the diagonal of A [..., m, n].");
  add_function<&orgqr>(rows, "orgqr", "input, input2", "linalg.householder_product().\n\nReference: torch.orgqr.");
  add_function<&ormqr>(
      rows, "ormqr", "input, tau, other, left=True, transpose=False",
      "Q @ other, or other @ Q where left is False, of the square Q whose reflectors geqrf() gives: it is not made.\n"
      "transpose: by the adjoint of Q. input [..., m, n], tau [..., min(m, n)]; other has m rows, or m columns.\n\n"
      "Raises: ShapeError for sizes that do not fit.\nReference: torch.ormqr.");
}
void add_spectra(std::vector<Op>& rows) {
  add_linalg<&eigh_of>(
      rows, "eigh", "A, UPLO='L'",
      "The named tuple (eigenvalues, eigenvectors) of a Hermitian matrix, of which the lower or the upper "
      "triangle is read; ascending.");
  add_linalg<&eigvalsh>(rows, "eigvalsh", "A, UPLO='L'", "The eigenvalues that eigh() gives.");
  add_linalg<&eig_of>(rows, "eig", "A", "The named tuple (eigenvalues, eigenvectors) of any square matrix: complex.");
  add_linalg<&eigvals>(rows, "eigvals", "A", "The eigenvalues that eig() gives.");
  add_linalg<&svd_new>(rows, "svd", "A, full_matrices=True, *, driver=None",
                       "The named tuple (U, S, Vh) with A = U @ diag(S) @ Vh; S descending.");
  add_linalg<&svdvals_of>(rows, "svdvals", "A, *, driver=None", "The singular values, descending.");
  add_function<&svd_old>(rows, "svd", "input, some=True, compute_uv=True",
                         "The named tuple (U, S, V).\n\nReference: torch.svd.");
}
void add_norms(std::vector<Op>& rows) {
  add_linalg<&vector_norm_of>(
      rows, "vector_norm", "x, ord=2, dim=None, keepdim=False, *, dtype=None",
      "The ord-norm of the elements along dim, or of all: any number, inf, -inf, or 0 (how many "
      "are not 0).");
  add_linalg<&matrix_norm_of>(rows, "matrix_norm", "A, ord='fro', dim=(-2,-1), keepdim=False, *, dtype=None",
                              "The norm of matrices: 'fro', 'nuc', 2, -2, 1, -1, inf or -inf.");
  add_linalg<&norm_of>(rows, "norm", "A, ord=None, dim=None, keepdim=False, *, dtype=None",
                       "matrix_norm() along two dims, vector_norm() along one, the 2-norm of all without ord.");
  add_linalg<&cond_of>(rows, "cond", "A, p=None", "The condition number in the p-norm; None is 2.");
  add_function<&frobenius_norm>(rows, "frobenius_norm", "input, dim, keepdim=False",
                                "The root of the sum of squares along dim.\n\nReference: torch.frobenius_norm.",
                                kFunction);
  rows.push_back(op<&nuclear_norm_of_all, &nuclear_norm>(
      "nuclear_norm", "input, keepdim=False | input, dim, keepdim=False",
      "The sum of the singular values of a matrix, or of those along two dims.\n\nReference: torch.nuclear_norm.",
      kFunction));
  add_function<&dist>(rows, "dist", "input, other, p=2", "The p-norm of the difference.\n\nReference: torch.dist.");
  add_function<&cdist_of>(
      rows, "cdist", "x1, x2, p=2.0, compute_mode='use_mm_for_euclid_dist_if_necessary'",
      "The p-norm distance of each row of x1 from each of x2: [..., m, k], [..., n, k] give [..., m, "
      "n].\n\nReference: torch.cdist.",
      kFunction);
  add_function<&pdist>(rows, "pdist", "input, p=2.0",
                       "The distances of each row from those behind it.\n\n"
                       "Reference: torch.nn.functional.pdist.",
                       kFunction);
  add_linalg<&matrix_power_of<0>>(rows, "matrix_power", "A, n",
                                  "The product of n equal matrices, of inverses for n < 0.");
  add_function<&matrix_power_of<1>>(rows, "matrix_power", "input, n",
                                    "linalg.matrix_power().\n\nReference: "
                                    "torch.linalg.matrix_power.");
  add_linalg<&matrix_exp_of<0>>(rows, "matrix_exp", "A", "The matrix exponential.");
  add_function<&matrix_exp_of<1>>(rows, "matrix_exp", "input",
                                  "linalg.matrix_exp().\n\nReference: torch.linalg.matrix_exp.");
  add_linalg<&vecdot>(rows, "vecdot", "x, y, *, dim=-1", "Sums of products of conj(x) and y along dim.");
}

}  // namespace

std::vector<Op> linalg_rows() {
  std::vector<Op> rows;
  add_solvers(rows), add_factorisations(rows), add_spectra(rows), add_norms(rows);
  return rows;
}

}  // namespace bolide::python

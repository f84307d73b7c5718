// lapack.cpp - LAPACK's routines from the OpenBLAS library, one matrix of the batch after the other.
//
// Matrices lie column after column. What the kinds read (in) and write (out), of the call's dtype unless said:
//   Lu              a m x n in, L and U out; pivots; info > 0: U has a zero on its diagonal
//   LuSolve         a and pivots of Lu in, b n x k in, the solution out
//   Ldl             a n x n in (the lower triangle), L and D out; pivots; info > 0: D has a zero on its diagonal
//   LdlSolve        a and pivots of Ldl in, b n x k in, the solution out
//   Cholesky        a n x n in, the factor in the triangle out; info > 0: not positive definite
//   CholeskyInverse a the factor in, the triangle of the inverse out; info > 0: singular
//   Triangular      a n x n in, b n x k in, the solution out
//   Qr              a m x n in, R in its upper triangle and reflectors below out; b min(m, n) factors of those out
//   Householder     a m x n reflectors in, n columns of their product out; b k factors in
//   Eigh            a n x n in (the triangle), vectors out; b n real values out
//   Eig             a n x n in; b n complex values, c n x n complex vectors out
//   Svd             a m x n in; b k real values, c U (m x m if full, else m x k), d V adjoint out, k = min(m, n)
// Of numbers that are not finite Eigh and Svd say so (info -4) and compute nothing.
// To add a kind: its arguments here, its routine below. Fortran takes everything by address, so one function serves all
// four dtypes; the lengths of texts come last, by value.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu/openblas.h"
#include "kernels/threads.h"

namespace bolide {
namespace {

using Size = int32_t;  // of this LAPACK
constexpr Size kAsk = -1;  // as a length of work: how much is wanted?
constexpr Size kNotFinite = -4;  // as info: what gesdd itself says of NaN

struct Matrix {  // what every kind has: one of the batch
  char *a, *b, *c, *d;
  Size *pivots, *info;
};

class Batch {
 public:
  explicit Batch(const LapackCall& call)
      : call(call), m(Size(call.m)), n(Size(call.n)), k(Size(call.k)), small(std::min(m, n)),
        item(item_size(call.dtype)), real_item(item_size(real_type(call.dtype))), complex(is_complex(call.dtype)) {}

  const LapackCall& call;
  const Size m, n, k, small;
  const int64_t item, real_item;
  const bool complex;

  // A routine by its name without the letter of the type.
  template <class... A>
  auto routine(const char* name) const -> void (*)(A...) {
    const char letter = "sdcz"[2 * complex + (real_item == 8)];
    void* found = openblas_symbol(str("scipy_", letter, name, "_").c_str());
    if (!found) raise(ErrorKind::Runtime, name, "LAPACK in the OpenBLAS library (scipy-openblas32)", "none");
    return reinterpret_cast<void (*)(A...)>(found);
  }
  bool is_double() const { return real_item == 8; }
  // What a routine that was asked said.
  Size length(const void* wish) const {
    return std::max<Size>(
        1, is_double() ? Size(*static_cast<const double*>(wish)) : Size(*static_cast<const float*>(wish)));
  }
  // Is every number of a finite? Iterations may not end where one is not.
  bool is_finite(const char* a) const {
    const int64_t count = call.m * call.n * (1 + complex);
    auto all = [&]<class T>(const T* p) { return std::all_of(p, p + count, [](T v) { return std::isfinite(v); }); };
    return is_double() ? all(reinterpret_cast<const double*>(a)) : all(reinterpret_cast<const float*>(a));
  }
  // f(matrix) for each; b, c and d lie this many bytes apart.
  template <class F>
  void each(int64_t b, int64_t c, int64_t d, const F& f) const {
    const int64_t a = call.m * call.n * item;
    const int64_t grain = std::max<int64_t>(1, 32768 / (call.m * call.n * (small + 1) + 1));
    parallel_rows(call.batch, grain, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; i++) {
        auto at = [i](void* p, int64_t bytes) { return p ? static_cast<char*>(p) + i * bytes : nullptr; };
        f(Matrix{at(call.a, a), at(call.b, b), at(call.c, c), at(call.d, d),
                 call.pivots ? call.pivots + i * small : nullptr, call.info + i});
      }
    });
  }
};

char* memory(int64_t bytes) { return static_cast<char*>(scratch(7, bytes + 64)); }
const char* triangle(const LapackCall& call) { return call.upper ? "U" : "L"; }

void lu(const Batch& x) {
  auto getrf = x.routine<const Size*, const Size*, void*, const Size*, Size*, Size*>("getrf");
  x.each(0, 0, 0, [&](const Matrix& w) { getrf(&x.m, &x.n, w.a, &x.m, w.pivots, w.info); });
}
void lu_solve(const Batch& x) {
  auto getrs = x.routine<const char*, const Size*, const Size*, const void*, const Size*, const Size*, void*,
                         const Size*, Size*, size_t>("getrs");
  x.each(x.call.n * x.call.k * x.item, 0, 0,
         [&](const Matrix& w) { getrs(&x.call.trans, &x.n, &x.k, w.a, &x.n, w.pivots, w.b, &x.n, w.info, 1); });
}
// A = L D L^T, or L D L^H where call.trans is 'C'.
const char* hermitian_or(const Batch& x, const char* hermitian, const char* symmetric) {
  return x.complex && x.call.trans == 'C' ? hermitian : symmetric;
}
void ldl(const Batch& x) {
  auto sytrf = x.routine<const char*, const Size*, void*, const Size*, Size*, void*, const Size*, Size*, size_t>(
      hermitian_or(x, "hetrf", "sytrf"));
  double wish[2] = {};
  Size info = 0;
  sytrf("L", &x.n, nullptr, &x.n, nullptr, wish, &kAsk, &info, 1);
  const Size length = x.length(wish);
  x.each(0, 0, 0,
         [&](const Matrix& w) { sytrf("L", &x.n, w.a, &x.n, w.pivots, memory(length * x.item), &length, w.info, 1); });
}
void ldl_solve(const Batch& x) {
  auto sytrs = x.routine<const char*, const Size*, const Size*, const void*, const Size*, const Size*, void*,
                         const Size*, Size*, size_t>(hermitian_or(x, "hetrs", "sytrs"));
  x.each(x.call.n * x.call.k * x.item, 0, 0,
         [&](const Matrix& w) { sytrs("L", &x.n, &x.k, w.a, &x.n, w.pivots, w.b, &x.n, w.info, 1); });
}
void cholesky(const Batch& x, const char* name) {
  auto potrf = x.routine<const char*, const Size*, void*, const Size*, Size*, size_t>(name);
  x.each(0, 0, 0, [&](const Matrix& w) { potrf(triangle(x.call), &x.n, w.a, &x.n, w.info, 1); });
}
void triangular(const Batch& x) {
  auto trsm = x.routine<const char*, const char*, const char*, const char*, const Size*, const Size*, const void*,
                        const void*, const Size*, void*, const Size*, size_t, size_t, size_t, size_t>("trsm");
  static constexpr double kOne[2] = {1, 0};
  static constexpr float kOneFloat[2] = {1, 0};
  const void* one = x.is_double() ? static_cast<const void*>(kOne) : kOneFloat;
  x.each(x.call.n * x.call.k * x.item, 0, 0, [&](const Matrix& w) {
    trsm("L", triangle(x.call), &x.call.trans, x.call.unit ? "U" : "N", &x.n, &x.k, one, w.a, &x.n, w.b, &x.n, 1, 1, 1,
         1);
  });
}

void qr(const Batch& x) {
  auto geqrf = x.routine<const Size*, const Size*, void*, const Size*, void*, void*, const Size*, Size*>("geqrf");
  double wish[2] = {};
  Size info = 0;
  geqrf(&x.m, &x.n, nullptr, &x.m, nullptr, wish, &kAsk, &info);
  const Size length = x.length(wish);
  x.each(x.small * x.item, 0, 0,
         [&](const Matrix& w) { geqrf(&x.m, &x.n, w.a, &x.m, w.b, memory(length * x.item), &length, w.info); });
}
void householder(const Batch& x) {
  auto orgqr =
      x.routine<const Size*, const Size*, const Size*, void*, const Size*, const void*, void*, const Size*, Size*>(
          x.complex ? "ungqr" : "orgqr");
  double wish[2] = {};
  Size info = 0;
  orgqr(&x.m, &x.n, &x.k, nullptr, &x.m, nullptr, wish, &kAsk, &info);
  const Size length = x.length(wish);
  x.each(x.call.k * x.item, 0, 0,
         [&](const Matrix& w) { orgqr(&x.m, &x.n, &x.k, w.a, &x.m, w.b, memory(length * x.item), &length, w.info); });
}

// The complex routine has one more array, of reals, with its length.
void eigh(const Batch& x) {
  const char *job = x.call.vectors ? "V" : "N", *uplo = triangle(x.call);
  double wish[2] = {}, real_wish[2] = {};
  Size whole_wish = 0, info = 0;
  if (x.complex) {
    auto heevd = x.routine<const char*, const char*, const Size*, void*, const Size*, void*, void*, const Size*, void*,
                           const Size*, Size*, const Size*, Size*, size_t, size_t>("heevd");
    heevd(job, uplo, &x.n, nullptr, &x.n, nullptr, wish, &kAsk, real_wish, &kAsk, &whole_wish, &kAsk, &info, 1, 1);
    const Size length = x.length(wish), reals = x.length(real_wish), whole = std::max<Size>(1, whole_wish);
    x.each(x.call.n * x.real_item, 0, 0, [&](const Matrix& w) {
      if (!x.is_finite(w.a)) return void(*w.info = kNotFinite);
      char* work = memory(length * x.item + reals * x.real_item + whole * int64_t(sizeof(Size)));
      char *more = work + length * x.item, *last = more + reals * x.real_item;
      heevd(job, uplo, &x.n, w.a, &x.n, w.b, work, &length, more, &reals, reinterpret_cast<Size*>(last), &whole, w.info,
            1, 1);
    });
    return;
  }
  auto syevd = x.routine<const char*, const char*, const Size*, void*, const Size*, void*, void*, const Size*, Size*,
                         const Size*, Size*, size_t, size_t>("syevd");
  syevd(job, uplo, &x.n, nullptr, &x.n, nullptr, wish, &kAsk, &whole_wish, &kAsk, &info, 1, 1);
  const Size length = x.length(wish), whole = std::max<Size>(1, whole_wish);
  x.each(x.call.n * x.real_item, 0, 0, [&](const Matrix& w) {
    if (!x.is_finite(w.a)) return void(*w.info = kNotFinite);
    char* work = memory(length * x.item + whole * int64_t(sizeof(Size)));
    syevd(job, uplo, &x.n, w.a, &x.n, w.b, work, &length, reinterpret_cast<Size*>(work + length * x.item), &whole,
          w.info, 1, 1);
  });
}

// Of a real matrix LAPACK gives real and imaginary parts apart, and of two conjugate vectors their two parts.
template <class T>
void unpack_eig(Size n, bool vectors, const T* re, const T* im, const T* v, T* values, T* out) {
  for (Size j = 0; j < n; j++) values[2 * j] = re[j], values[2 * j + 1] = im[j];
  for (Size j = 0; vectors && j < n; j++) {
    const bool pair = im[j] != 0 && j + 1 < n;
    const T *a = v + int64_t(j) * n, *b = a + n;
    T *x = out + 2 * int64_t(j) * n, *y = x + 2 * n;
    for (Size i = 0; i < n; i++) {
      x[2 * i] = a[i], x[2 * i + 1] = pair ? b[i] : T(0);
      if (pair) y[2 * i] = a[i], y[2 * i + 1] = -b[i];
    }
    j += pair;
  }
}
void eig(const Batch& x) {
  const char* job = x.call.vectors ? "V" : "N";
  const Size n = x.n, one = 1, rows = x.call.vectors ? n : 1;
  const int64_t square = x.call.n * x.call.n;
  double wish[2] = {}, real_wish[2] = {};
  Size info = 0;
  if (x.complex) {
    auto geev = x.routine<const char*, const char*, const Size*, void*, const Size*, void*, void*, const Size*, void*,
                          const Size*, void*, const Size*, void*, Size*, size_t, size_t>("geev");
    geev("N", job, &n, nullptr, &n, nullptr, nullptr, &one, nullptr, &rows, wish, &kAsk, real_wish, &info, 1, 1);
    const Size length = x.length(wish);
    x.each(x.call.n * x.item, square * x.item, 0, [&](const Matrix& w) {
      char* work = memory(length * x.item + 2 * n * x.real_item);
      geev("N", job, &n, w.a, &n, w.b, nullptr, &one, w.c, &rows, work, &length, work + length * x.item, w.info, 1, 1);
    });
    return;
  }
  auto geev = x.routine<const char*, const char*, const Size*, void*, const Size*, void*, void*, void*, const Size*,
                        void*, const Size*, void*, const Size*, Size*, size_t, size_t>("geev");
  geev("N", job, &n, nullptr, &n, nullptr, nullptr, nullptr, &one, nullptr, &rows, wish, &kAsk, &info, 1, 1);
  const Size length = x.length(wish);
  x.each(2 * x.call.n * x.item, 2 * square * x.item, 0, [&](const Matrix& w) {
    char *work = memory((length + 2 * n + (x.call.vectors ? square : 0)) * x.item), *re = work + length * x.item,
         *im = re + n * x.item, *v = im + n * x.item;
    geev("N", job, &n, w.a, &n, re, im, nullptr, &one, v, &rows, work, &length, w.info, 1, 1);
    auto unpack = [&]<class T>(T*) {
      unpack_eig(n, x.call.vectors, reinterpret_cast<T*>(re), reinterpret_cast<T*>(im), reinterpret_cast<T*>(v),
                 reinterpret_cast<T*>(w.b), reinterpret_cast<T*>(w.c));
    };
    if (x.is_double()) unpack(static_cast<double*>(nullptr));
    else unpack(static_cast<float*>(nullptr));
  });
}

void svd(const Batch& x) {
  const LapackCall& call = x.call;
  const char* job = !call.vectors ? "N" : call.full ? "A" : "S";
  const Size m = x.m, n = x.n, small = x.small, large = std::max(m, n), rows = call.full ? n : small;
  const int64_t u = call.m * (call.full ? m : small) * x.item, v = call.n * rows * x.item;
  const int64_t whole = 8 * int64_t(small) * int64_t(sizeof(Size));
  double wish[2] = {};
  Size info = 0;
  if (x.complex) {
    const int64_t most = std::max<int64_t>(5 * int64_t(small) + 7, 2 * int64_t(large) + 2 * int64_t(small) + 1);
    const int64_t reals = std::max<int64_t>(1, call.vectors ? small * most : 7 * int64_t(small));
    auto gesdd = x.routine<const char*, const Size*, const Size*, void*, const Size*, void*, void*, const Size*, void*,
                           const Size*, void*, const Size*, void*, Size*, Size*, size_t>("gesdd");
    gesdd(job, &m, &n, nullptr, &m, nullptr, nullptr, &m, nullptr, &rows, wish, &kAsk, nullptr, nullptr, &info, 1);
    const Size length = x.length(wish);
    x.each(small * x.real_item, u, v, [&](const Matrix& w) {
      if (!x.is_finite(w.a)) return void(*w.info = kNotFinite);
      char *work = memory(length * x.item + reals * x.real_item + whole), *more = work + length * x.item;
      gesdd(job, &m, &n, w.a, &m, w.b, w.c, &m, w.d, &rows, work, &length, more,
            reinterpret_cast<Size*>(more + reals * x.real_item), w.info, 1);
    });
    return;
  }
  auto gesdd = x.routine<const char*, const Size*, const Size*, void*, const Size*, void*, void*, const Size*, void*,
                         const Size*, void*, const Size*, Size*, Size*, size_t>("gesdd");
  gesdd(job, &m, &n, nullptr, &m, nullptr, nullptr, &m, nullptr, &rows, wish, &kAsk, nullptr, &info, 1);
  const Size length = x.length(wish);
  x.each(small * x.real_item, u, v, [&](const Matrix& w) {
    if (!x.is_finite(w.a)) return void(*w.info = kNotFinite);
    char* work = memory(length * x.item + whole);
    gesdd(job, &m, &n, w.a, &m, w.b, w.c, &m, w.d, &rows, work, &length,
          reinterpret_cast<Size*>(work + length * x.item), w.info, 1);
  });
}

}  // namespace

void lapack(const LapackCall& call) {
  if (std::max({call.m, call.n, call.k}) > std::numeric_limits<Size>::max())
    raise(ErrorKind::Runtime, "linalg", "sizes below 2^31", str(call.m, " x ", call.n));
  const Batch batch(call);
  switch (call.kind) {
    case LapackCall::Lu: return lu(batch);
    case LapackCall::LuSolve: return lu_solve(batch);
    case LapackCall::Ldl: return ldl(batch);
    case LapackCall::LdlSolve: return ldl_solve(batch);
    case LapackCall::Cholesky: return cholesky(batch, "potrf");
    case LapackCall::CholeskyInverse: return cholesky(batch, "potri");
    case LapackCall::Triangular: return triangular(batch);
    case LapackCall::Qr: return qr(batch);
    case LapackCall::Householder: return householder(batch);
    case LapackCall::Eigh: return eigh(batch);
    case LapackCall::Eig: return eig(batch);
    case LapackCall::Svd: return svd(batch);
  }
}

}  // namespace bolide

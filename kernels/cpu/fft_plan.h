// fft_plan.h - how a length is transformed: its factors, roots of unity, and what lengths of large primes need.
//
// A length of small primes is a chain of Stockham's stages (no bit reversal: each stage reads one buffer and writes
// another, in order). They work on kLanes transforms side by side, element i of lane l at [i * kLanes + l], real and
// imaginary parts apart, so that all is vector code for every length. A long length n = a * b is
// transformed as a x b matrix (Bailey 1990): all columns, times roots, all rows; both are lanes. A length with a prime
// above kLargestRadix is a convolution with a chirp (Bluestein 1970), of a longer, smooth length.
#pragma once
#include <atomic>
#include <cmath>
#include <list>
#include <mutex>
#include <vector>

#include "kernels/cpu/cpu_kernels.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

constexpr int kLargestRadix = 31;
constexpr int64_t kShort = 512;  // lengths up to this stay whole when there are rows enough to fill the lanes

template <class T>
struct Complex {
  T re, im;
};
template <class T>
Complex<T> operator*(Complex<T> a, Complex<T> b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

// e^(-2 pi i k / n), exact to a rounding: the angle is reduced to an eighth of the circle first.
inline Complex<double> root_of_unity(int64_t k, int64_t n) {
  const int64_t eighths = 8 * k / n, rest = 8 * k - eighths * n;
  const bool back = eighths & 1;
  const double angle = (back ? double(n - rest) : double(rest)) / double(n) * 0.785398163397448309616;
  double c = std::cos(angle), s = std::sin(angle);
  if (back) std::swap(c, s);
  switch (eighths >> 1 & 3) {
    case 0: return {c, -s};
    case 1: return {-s, -c};
    case 2: return {-c, s};
    default: return {s, c};
  }
}

// A pointer that counts: std::shared_ptr has code under names that all ISAs would share (tools/check_symbols.sh).
template <class P>
class Shared {
 public:
  Shared() = default;
  explicit Shared(P* made) : p_(made) {}
  Shared(const Shared& other) : p_(other.p_) {
    if (p_) p_->owners.fetch_add(1, std::memory_order_relaxed);
  }
  Shared& operator=(Shared other) {
    std::swap(p_, other.p_);
    return *this;
  }
  ~Shared() {
    if (p_ && p_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) delete p_;
  }
  P* operator->() const { return p_; }
  P& operator*() const { return *p_; }
  explicit operator bool() const { return p_; }

 private:
  P* p_ = nullptr;
};

struct Radix {
  int value;
};

template <class T>
struct Plan {
  std::atomic<int> owners = 1;
  int64_t n = 1;
  std::vector<Radix> radices;
  std::vector<Complex<T>> roots;               // of n
  Shared<Plan> columns, rows;   // of a long length: n = columns->n * rows->n
  std::vector<T> turn_re, turn_im;  // what lies between: root k * l at [k * rows->n + l]
  Shared<Plan> longer;          // Bluestein's
  std::vector<Complex<T>> chirp, spectrum;     // e^(-pi i k^2 / n), and the longer transform of its inverse
};

// The radices of n, as few as can be: of the powers of two a 2 only where there is no 4 to make of an 8; empty if a prime
// is too large (and for 1).
inline std::vector<Radix> radices_of(int64_t n) {
  std::vector<Radix> found;
  for (; n % 8 == 0 && n % 32 != 16; n /= 8) found.push_back({8});
  for (int r : {4, 2, 3, 5})
    for (; n % r == 0; n /= r) found.push_back({r});
  for (int r = 7; r <= kLargestRadix; r += 2)
    for (; n % r == 0; n /= r) found.push_back({r});
  return n == 1 ? found : std::vector<Radix>();
}

inline int64_t smooth_length(int64_t least) {  // 2^a, 3 * 2^a or 5 * 2^a
  int64_t best = 1;
  while (best < least) best *= 2;
  for (int64_t odd : {3, 5}) {
    int64_t m = odd;
    while (m < least) m *= 2;
    best = std::min(best, m);
  }
  return best;
}

template <class T>
Shared<Plan<T>> plan_of(int64_t n);

template <class T>
Shared<Plan<T>> make_plan(int64_t n) {
  Shared<Plan<T>> plan(new Plan<T>);
  plan->n = n, plan->radices = radices_of(n);
  for (int64_t k = 0; k < n; k++) {
    const auto w = root_of_unity(k, n);
    plan->roots.push_back({T(w.re), T(w.im)});
  }
  if (n > 1 && plan->radices.empty()) {
    plan->longer = plan_of<T>(smooth_length(2 * n - 1));
    for (int64_t k = 0; k < n; k++) {
      const auto w = root_of_unity(int64_t(__int128(k) * k % (2 * n)), 2 * n);
      plan->chirp.push_back({T(w.re), T(w.im)});
    }
    return plan;  // the spectrum: by whoever can transform
  }
  if (plan->radices.size() > 1) {
    int64_t a = 1;
    for (size_t i = 0; i < plan->radices.size() && a * a < n; i++) a *= plan->radices[i].value;
    if (a < n) {
      plan->columns = plan_of<T>(a), plan->rows = plan_of<T>(n / a);
      for (int64_t k = 0; k < a; k++)
        for (int64_t l = 0; l < n / a; l++)
          plan->turn_re.push_back(plan->roots[k * l].re), plan->turn_im.push_back(plan->roots[k * l].im);
    }
  }
  return plan;
}

template <class T>
void finish_plan(Plan<T>& plan);  // Bluestein's spectrum

// The last few plans are kept: making one costs as much as some transforms.
template <class T>
Shared<Plan<T>> plan_of(int64_t n) {
  static std::mutex mutex;
  static auto& kept = *new std::list<Shared<Plan<T>>>;  // leaked: threads may run until the process has ended
  {
    std::lock_guard lock(mutex);
    for (auto i = kept.begin(); i != kept.end(); ++i) {
      if ((*i)->n != n) continue;
      kept.splice(kept.begin(), kept, i);
      return kept.front();
    }
  }
  auto made = make_plan<T>(n);
  if (made->longer) finish_plan(*made);
  std::lock_guard lock(mutex);
  kept.push_front(made);
  if (kept.size() > 24) kept.pop_back();
  return made;
}

}  // namespace
}  // namespace bolide::inline BOLIDE_ISA

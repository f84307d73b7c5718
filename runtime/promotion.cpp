// promotion.cpp - the promotion lattice: by category, then by width.
#include "runtime/promotion.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>

#include "runtime/errors.h"

namespace bolide {
namespace {

int category(DType t) { return t == DType::Bool ? 0 : is_integer(t) ? 1 : is_float(t) ? 2 : 3; }
std::atomic<DType> g_default{DType::F32};

DType complex_of(DType t) { return t == DType::F64 || t == DType::C128 ? DType::C128 : DType::C64; }

}  // namespace

DType default_dtype() { return g_default.load(std::memory_order_relaxed); }
void set_default_dtype(DType dtype) {
  check(is_float(dtype), ErrorKind::Type, "set_default_dtype", "a floating-point dtype",
        [&] { return std::string(name_of(dtype)); });
  g_default = dtype;
}

bool can_cast(DType from, DType to) { return category(from) <= category(to); }

Scalar fitting(const char* op, Scalar value, DType dtype) {
  if (dtype == DType::Bool || value.kind == Scalar::Complex) return value;
  bool fits = true;
  if (is_integer(dtype)) {
    if (value.beyond) raise_beyond(op, value);
    const int bits = int(8 * item_size(dtype)) - (dtype == DType::U8 ? 0 : 1);
    const double end = std::ldexp(1.0, bits), low = dtype == DType::U8 ? 0 : -end;
    if (value.kind == Scalar::Float) fits = value.real >= low && value.real < end;
    else if (dtype == DType::U8) fits = std::abs(value.real) < end;  // negative ones wrap around
    else if (bits < 63) fits = value.real >= low && value.real < end;
    if (fits && dtype == DType::U8 && value.integer < 0) value = Scalar(value.integer + 256);
  } else if (is_float(dtype) && std::isfinite(value.real)) {
    fits = std::abs(value.real) <= (dtype == DType::F16    ? 65504.0
                                    : dtype == DType::BF16 ? 0x1.FEp127
                                    : dtype == DType::F32  ? 0x1.FFFFFEp127
                                                           : INFINITY);
  }
  if (!fits)
    raise(ErrorKind::Runtime, op, str("a number that fits ", name_of(dtype)),
          value.kind == Scalar::Float ? str(value.real) : str(value.integer));
  return value;
}

int64_t wrapped(int64_t value, DType dtype) {
  switch (dtype) {
    case DType::Bool: return value != 0;
    case DType::U8: return uint8_t(value);
    case DType::I8: return int8_t(value);
    case DType::I16: return int16_t(value);
    case DType::I32: return int32_t(value);
    default: return value;
  }
}

DType promote(DType a, DType b) {
  if (a == b) return a;
  if (category(a) > category(b)) std::swap(a, b);  // now b's category is not lower
  switch (category(b)) {
    case 0: return DType::Bool;
    case 1:
      if (category(a) == 0) return b;
      // uint8 with a signed type of 8 bits needs 16; otherwise the wider one holds both.
      if (a != DType::U8 && b != DType::U8) return std::max(a, b);
      return std::max({a, b, DType::I16});
    case 2:
      if (category(a) < 2) return b;
      return (a == DType::F16 && b == DType::BF16) || (a == DType::BF16 && b == DType::F16) ? DType::F32
                                                                                            : std::max(a, b);
    default: return category(a) < 2 ? b : std::max(complex_of(a), complex_of(b));
  }
}

DType Scalar::default_dtype() const {
  switch (kind) {
    case Bool: return DType::Bool;
    case Int: return DType::I64;
    case Float: return bolide::default_dtype();
    default: return complex_of(bolide::default_dtype());
  }
}

void raise_beyond(const char* op, const Scalar& s) {
  char digits[400];
  const int length = std::snprintf(digits, sizeof digits, "%.0f", s.real);
  raise(ErrorKind::Overflow, op, "an integer that fits 64 bits",
        length <= 40 ? std::string(digits) : str(std::string(digits, 20), "... (", length, " digits)"));
}

void Promotion::add(DType dtype, int group) {
  dtypes_[group] = seen_[group] ? promote(dtypes_[group], dtype) : dtype;
  seen_[group] = true;
}

DType Promotion::result() const {
  bool any = false;
  DType result = DType::Bool;
  for (int group = 0; group < 3; group++) {
    if (!seen_[group]) continue;
    if (!any) result = dtypes_[group];
    else if (category(dtypes_[group]) > category(result))
      // A number of a higher category brings that category, in the width of what decided so far.
      result = category(dtypes_[group]) == 3 && is_float(result) ? complex_of(result) : dtypes_[group];
    any = true;
  }
  return result;
}

}  // namespace bolide

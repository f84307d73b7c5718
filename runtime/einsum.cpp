// einsum.cpp - Einstein's summation: letters become labels, pairs of operands become batched matrix products.
#include <array>

#include "runtime/products.h"

namespace bolide {
namespace {

// Letters are labels 0 to 51, dimensions of the ellipsis 52 and on, counted from the last one.
constexpr int kLetters = 52, kLabels = kLetters + kMaxRank;
using Labels = std::vector<int>;

struct Term {
  Tensor tensor;
  Labels labels;  // of its dimensions
  bool has(int label) const { return std::find(labels.begin(), labels.end(), label) != labels.end(); }
};

int label_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  return -1;
}
[[noreturn]] void bad_equation(std::string_view wanted, std::string_view got) {
  raise(ErrorKind::Runtime, "einsum", std::string(wanted), str("'", got, "'"));
}

// The labels of a subscript like "i...j", where the ellipsis stands for `hidden` dimensions.
Labels read_labels(std::string_view text, int hidden) {
  Labels out;
  bool seen = false;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] == ' ') continue;
    if (text.substr(i, 3) == "...") {
      if (seen) bad_equation("at most one ellipsis in a subscript", text);
      for (int k = hidden; k-- > 0;) out.push_back(kLetters + k);
      seen = true, i += 2;
      continue;
    }
    const int label = label_of(text[i]);
    if (label < 0) bad_equation("subscripts of letters and '...'", text);
    out.push_back(label);
  }
  return out;
}
int letters_in(std::string_view text) {
  int n = 0;
  for (char c : text) n += label_of(c) >= 0;
  return n;
}

// Dimensions of one label become their diagonal.
void take_diagonals(Term& term) {
  for (size_t i = 0; i < term.labels.size(); i++)
    for (size_t j = term.labels.size(); --j > i;) {
      if (term.labels[j] != term.labels[i]) continue;
      const int64_t a = term.tensor.size(int(i)), b = term.tensor.size(int(j));
      check(a == b, ErrorKind::Shape, "einsum", "one size for a subscript that repeats",
            [&] { return str(a, " and ", b); });
      const int label = term.labels[i];
      term.tensor = diagonal(term.tensor, 0, int64_t(i), int64_t(j));  // to the end
      term.labels.erase(term.labels.begin() + int64_t(j)), term.labels.erase(term.labels.begin() + int64_t(i));
      term.labels.push_back(label);
      return take_diagonals(term);
    }
}
// A dimension of size 1 where others have more is as if it were not there.
void drop_broadcast(Term& term, const std::array<int64_t, kLabels>& sizes) {
  Dims dims;
  Labels kept;
  for (size_t i = 0; i < term.labels.size(); i++) {
    const int64_t size = term.tensor.size(int(i)), wanted = sizes[size_t(term.labels[i])];
    if (size == wanted) kept.push_back(term.labels[i]);
    else if (size == 1) dims.push_back(int64_t(i));
    else raise(ErrorKind::Shape, "einsum", str("sizes that broadcast"), str(size, " and ", wanted));
  }
  if (!dims.empty()) term.tensor = squeeze(term.tensor, dims);
  term.labels = kept;
}
void sum_out(Term& term, const std::array<int, kLabels>& uses) {
  Dims dims;
  Labels kept;
  for (size_t i = 0; i < term.labels.size(); i++) {
    if (uses[size_t(term.labels[i])] > 1) kept.push_back(term.labels[i]);
    else dims.push_back(int64_t(i));
  }
  if (!dims.empty()) term.tensor = reduce(ReductionOp::sum, term.tensor, dims, false);
  term.labels = kept;
}
// A view with these labels in this order; ones that it has not are of size 1.
Tensor arranged(const Term& term, const Labels& order) {
  Dims dims;
  for (int label : order) {
    const auto at = std::find(term.labels.begin(), term.labels.end(), label);
    if (at != term.labels.end()) dims.push_back(at - term.labels.begin());
  }
  Tensor out = dims.rank() ? permute(term.tensor, dims) : term.tensor;
  for (size_t i = 0; i < order.size(); i++)
    if (!term.has(order[i])) out = unsqueeze(out, int64_t(i));
  return out;
}

Term contract(const Term& a, const Term& b, const std::array<int, kLabels>& uses,
              const std::array<int64_t, kLabels>& sizes) {
  Labels batch, summed, of_a, of_b;
  for (int label : a.labels) {
    if (!b.has(label)) of_a.push_back(label);
    else (uses[size_t(label)] > 2 ? batch : summed).push_back(label);
  }
  for (int label : b.labels)
    if (!a.has(label)) of_b.push_back(label);
  Labels out = batch;
  out.insert(out.end(), of_a.begin(), of_a.end()), out.insert(out.end(), of_b.begin(), of_b.end());
  if (summed.empty()) return {mul(arranged(a, out), arranged(b, out)), out};
  auto product = [&](const Labels& labels) {
    int64_t n = 1;
    for (int label : labels) n *= sizes[size_t(label)];
    return n;
  };
  auto joined = [](Labels x, const Labels& y, const Labels& z) {
    x.insert(x.end(), y.begin(), y.end()), x.insert(x.end(), z.begin(), z.end());
    return x;
  };
  const int64_t n = product(batch), m = product(of_a), p = product(of_b), k = product(summed);
  Tensor left = reshape(arranged(a, joined(batch, of_a, summed)), {n, m, k});
  Tensor right = reshape(arranged(b, joined(batch, summed, of_b)), {n, k, p});
  const DType common = promote(left.dtype(), right.dtype());
  if (contains(Int, common)) left = to(left, common), right = to(right, common);  // one was summed, in int64
  Dims shape;
  for (int label : out) shape.push_back(sizes[size_t(label)]);
  return {reshape(bmm(left, right), shape), out};
}

struct Equation {
  std::vector<Term> terms;
  Labels output;
};
Labels implicit_output(const std::vector<Term>& terms, int hidden) {
  std::array<int, kLabels> count{};
  for (const Term& t : terms)
    for (int label : t.labels) count[size_t(label)]++;
  Labels out;
  for (int k = hidden; k-- > 0;) out.push_back(kLetters + k);
  for (int label = 0; label < kLetters; label++)
    if (count[size_t(label)] == 1) out.push_back(label);
  return out;
}
Equation read_equation(std::string_view equation, const TensorList& operands) {
  const size_t arrow = equation.find("->");
  std::string_view rest = equation.substr(0, arrow);
  std::vector<std::string_view> subscripts;
  for (;;) {
    const size_t comma = rest.find(',');
    subscripts.push_back(rest.substr(0, comma));
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  check(subscripts.size() == operands.size(), ErrorKind::Runtime, "einsum",
        str(subscripts.size(), " operands, as the equation says"), [&] { return str(operands.size()); });
  Equation out;
  int hidden = 0;
  for (size_t i = 0; i < operands.size(); i++) {
    const bool dots = subscripts[i].find("...") != std::string_view::npos;
    const int own = operands[i].rank() - letters_in(subscripts[i]);
    if (own < 0 || (!dots && own > 0))
      raise(ErrorKind::Runtime, "einsum",
            str("a subscript for each of ", operands[i].rank(), " dimensions of operand ", i),
            str("'", subscripts[i], "'"));
    hidden = std::max(hidden, own);
    out.terms.push_back({operands[i], read_labels(subscripts[i], own)});
  }
  if (arrow == std::string_view::npos) {
    out.output = implicit_output(out.terms, hidden);
  } else {
    out.output = read_labels(equation.substr(arrow + 2), hidden);
    if (equation.substr(arrow + 2).find("...") == std::string_view::npos) hidden = 0;
  }
  return out;
}

}  // namespace

Tensor einsum(std::string_view equation, const TensorList& operands) {
  check(!operands.empty(), ErrorKind::Runtime, "einsum", "at least one operand", [] { return std::string("none"); });
  auto [terms, output] = read_equation(equation, operands);
  std::array<int64_t, kLabels> sizes;
  sizes.fill(1);
  std::array<int, kLabels> uses{};  // by operands still to come, and by the result
  for (Term& term : terms) {
    take_diagonals(term);
    for (size_t i = 0; i < term.labels.size(); i++) {
      int64_t& size = sizes[size_t(term.labels[i])];
      if (size == 1) size = term.tensor.size(int(i));
    }
  }
  std::array<int, kLabels> given{};
  for (Term& term : terms) {
    for (int label : term.labels) given[size_t(label)]++;
    drop_broadcast(term, sizes);
    for (int label : term.labels) uses[size_t(label)]++;
  }
  for (size_t i = 0; i < output.size(); i++) {
    const int label = output[i];
    if (!given[size_t(label)] && label < kLetters)
      bad_equation("subscripts of the result that some operand has", equation);
    if (std::find(output.begin(), output.begin() + int64_t(i), label) != output.begin() + int64_t(i))
      bad_equation("every subscript of the result once", equation);
    uses[size_t(label)]++;
  }
  Term result = terms[0];
  sum_out(result, uses);
  for (size_t i = 1; i < terms.size(); i++) {
    sum_out(terms[i], uses);
    const Term next = contract(result, terms[i], uses, sizes);
    for (int label : terms[i].labels)  // one operand less has it
      if (result.has(label)) uses[size_t(label)]--;
    result = next;
  }
  return arranged(result, output);
}

Tensor tensordot(const Tensor& a_given, const Tensor& b_given, const Dims& a_dims, const Dims& b_dims) {
  check(a_dims.rank() == b_dims.rank(), ErrorKind::Runtime, "tensordot", "as many dimensions of both",
        [&] { return str(a_dims.text(), " and ", b_dims.text()); });
  Tensor a = a_given, b = b_given;
  for (int i = 0; i < a_dims.rank(); i++) {  // a size of 1 broadcasts: the other one is summed over first
    const int da = wrap_dim("tensordot", a_dims[i], a.rank()), db = wrap_dim("tensordot", b_dims[i], b.rank());
    if (!a.rank() || !b.rank() || a.size(da) == b.size(db)) continue;
    if (a.size(da) == 1) b = reduce(ReductionOp::sum, b, Dims{db}, true, b.dtype());
    else if (b.size(db) == 1) a = reduce(ReductionOp::sum, a, Dims{da}, true, a.dtype());
  }
  uint64_t in_a = 0, in_b = 0;
  Dims left, right, shape;
  int64_t m = 1, k = 1, n = 1;
  for (int i = 0; i < a_dims.rank(); i++) {
    const int da = wrap_dim("tensordot", a_dims[i], a.rank()), db = wrap_dim("tensordot", b_dims[i], b.rank());
    check(!(in_a >> da & 1) && !(in_b >> db & 1), ErrorKind::Runtime, "tensordot", "every dimension once",
          [&] { return str(a_dims.text(), " and ", b_dims.text()); });
    check(a.size(da) == b.size(db), ErrorKind::Shape, "tensordot", "sizes that agree",
          [&] { return str(a.size(da), " and ", b.size(db)); });
    in_a |= uint64_t(1) << da, in_b |= uint64_t(1) << db;
    k *= a.size(da);
    right.push_back(db);
  }
  for (int d = 0; d < a.rank(); d++)
    if (!(in_a >> d & 1)) left.push_back(d), shape.push_back(a.size(d)), m *= a.size(d);
  for (int i = 0; i < a_dims.rank(); i++) left.push_back(wrap_dim("tensordot", a_dims[i], a.rank()));
  for (int d = 0; d < b.rank(); d++)
    if (!(in_b >> d & 1)) right.push_back(d), shape.push_back(b.size(d)), n *= b.size(d);
  const Tensor rows = reshape(a.rank() ? permute(a, left) : a, {m, k});
  return reshape(mm(rows, reshape(b.rank() ? permute(b, right) : b, {k, n})), shape);
}

}  // namespace bolide

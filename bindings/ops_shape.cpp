// ops_shape.cpp - views and rearrangements.
#include "bindings/ops_table.h"

namespace bolide::python {
namespace {

Tensor view_as(const Tensor& x, const Tensor& other) { return view(x, other.sizes()); }
Tensor reshape_as(const Tensor& x, const Tensor& other) { return reshape(x, other.sizes()); }
Tensor expand_as(const Tensor& x, const Tensor& other) { return expand(x, other.sizes()); }
Tensor broadcast_to(const Tensor& x, const Dims& size) { return expand(x, size); }
Tensor ravel(const Tensor& x) { return reshape(x, {-1}); }
Tensor view_dims(const Tensor& x, const Dims& shape) { return view(x, shape); }
Tensor reshape_dims(const Tensor& x, const Dims& shape) { return reshape(x, shape); }
Tensor narrow_dims(const Tensor& x, int64_t dim, int64_t start, int64_t length) {
  return narrow(x, dim, start, length);
}
Tensor view_strided(const Tensor& x, const Dims& size, const Dims& stride, std::optional<int64_t> offset) {
  return as_strided(x, size, stride, offset.value_or(x->offset));
}

TensorList split_any(const Tensor& x, PyObject* size, int64_t dim) {
  if (is_list(size)) return split_sizes(x, Convert<Dims>::get(size), dim);
  return split(x, Convert<int64_t>::get(size), dim);
}

// Each dimension repeated: [s] becomes [r, s], expanded, and is flattened again.
Tensor repeat(const Tensor& x, const Dims& times) {
  check(times.rank() >= x.rank(), ErrorKind::Shape, "repeat", str("at least ", x.rank(), " numbers"),
        [&] { return times.text(); });
  for (int64_t n : times)
    check(n >= 0, ErrorKind::Shape, "repeat", "numbers of zero or more", [&] { return times.text(); });
  Dims split_sizes, expanded, result;
  for (int i = 0; i < times.rank(); i++) {
    const int d = i - (times.rank() - x.rank());
    const int64_t size = d < 0 ? 1 : x.size(d);
    int64_t total;
    if (__builtin_mul_overflow(size, times[i], &total))
      raise(ErrorKind::Overflow, "repeat", "sizes that fit 64 bits", str(size, " * ", times[i]));
    split_sizes.push_back(1), split_sizes.push_back(size);
    expanded.push_back(times[i]), expanded.push_back(size);
    result.push_back(total);
  }
  if (!times.rank()) return clone(x);
  return reshape(contiguous(expand(reshape(x, split_sizes), expanded)), result);
}
Tensor repeat_interleave(const Tensor& x, int64_t repeats, std::optional<int64_t> dim) {
  check(repeats >= 0, ErrorKind::Value, "repeat_interleave", "repeats of zero or more", [&] { return str(repeats); });
  const Tensor source = dim ? x : ravel(x);
  const int d = wrap_dim("repeat_interleave", dim.value_or(0), source.rank());
  Dims expanded = source.sizes(), result = source.sizes();
  expanded.insert(d + 1, repeats);
  if (__builtin_mul_overflow(result[d], repeats, &result[d]))
    raise(ErrorKind::Overflow, "repeat_interleave", "sizes that fit 64 bits", str(source.size(d), " * ", repeats));
  return reshape(contiguous(expand(unsqueeze(source, d + 1), expanded)), result);
}

}  // namespace

std::vector<Op> shape_rows() {
  std::vector<Op> rows = {
      op<&view_dims>("view", "input, shape...",
                     "The same elements with other sizes, without a copy; one -1 is inferred.\n\nRaises: ShapeError if "
                     "the sizes do not fit, or the strides allow no view (reshape() copies then).\n"
                     "Example: >>> bolide.arange(6).view(2, 3)\nReference: torch.Tensor.view.",
                     kMethod),
      op<&reshape_dims>(
          "reshape", "input, shape...",
          "The same elements with other sizes: a view where possible, else a copy; one -1 is inferred.\n\n"
          "Raises: ShapeError if the sizes do not fit.\nExample: >>> bolide.arange(6).reshape(2, -1)\n"
          "Reference: torch.reshape."),
      op<&view_as>("view_as", "input, other", "view() with the sizes of other.", kMethod),
      op<&reshape_as>("reshape_as", "input, other", "reshape() with the sizes of other.", kMethod),
      op<&flatten>("flatten", "input, start_dim=0, end_dim=-1",
                   "Dimensions start_dim to end_dim joined into one.\n\nReference: torch.flatten."),
      op<&unflatten>("unflatten", "input, dim, sizes",
                     "One dimension split into several.\n\nReference: torch.unflatten."),
      op<&ravel>("ravel", "input", "As one dimension.\n\nReference: torch.ravel."),
      op<&transpose>("transpose", "input, dim0, dim1",
                     "Two dimensions swapped: a view.\n\nRaises: IndexError for a dim that is not there.\n"
                     "Example: >>> bolide.ones(2, 3).transpose(0, 1).shape\nReference: torch.transpose."),
      op<&bolide::t>("t", "input", "Transposed, of at most two dimensions: a view.\n\nReference: torch.t."),
      op<&permute>("permute", "input, dims...",
                   "Dimensions in another order: a view.\n\nExample: >>> bolide.ones(2, 3, 4).permute(2, 0, 1).shape\n"
                   "Reference: torch.permute."),
      op<&movedim>("movedim", "input, source, destination",
                   "Dimensions moved to other places: a view.\n\nReference: torch.movedim."),
      op<&squeeze>("squeeze", "input, dim=None",
                   "Without dimensions of size 1, all or those in dim: a view.\n\nReference: torch.squeeze."),
      op<&unsqueeze>("unsqueeze", "input, dim",
                     "With a new dimension of size 1: a view.\n\nReference: torch.unsqueeze."),
      op<&expand>("expand", "input, size...",
                  "Dimensions of size 1 repeated without a copy; -1 keeps a size.\n\nReference: torch.Tensor.expand.",
                  kMethod),
      op<&expand_as>("expand_as", "input, other", "expand() to the sizes of other.", kMethod),
      op<&broadcast_to>("broadcast_to", "input, size", "expand() to size.\n\nReference: torch.broadcast_to."),
      op<&bolide::select>("select", "input, dim, index", "One place along dim: a view.\n\nReference: torch.select."),
      op<&narrow_dims>("narrow", "input, dim, start, length", "A range along dim: a view.\n\nReference: torch.narrow."),
      op<&diagonal>("diagonal", "input, offset=0, dim1=0, dim2=1", "A diagonal: a view.\n\nReference: torch.diagonal."),
      op<&view_strided>("as_strided", "input, size, stride, storage_offset=None",
                        "A view with these strides, in elements.\n\nRaises: ShapeError beyond the storage.\n"
                        "Reference: torch.as_strided."),
      op<&split_any>("split", "tensor, split_size_or_sections, dim=0",
                     "Parts of a size, or of the listed sizes, along dim: views.\n\nReference: torch.split."),
      op<&chunk>("chunk", "input, chunks, dim=0",
                 "At most `chunks` equal parts along dim: views.\n\nReference: torch.chunk."),
      op<&unbind>("unbind", "input, dim=0", "All places along dim: views.\n\nReference: torch.unbind."),
      op<&flip>("flip", "input, dims...", "A copy with dimensions reversed.\n\nReference: torch.flip."),
      op<&repeat>("repeat", "input, repeats...",
                  "A copy with every dimension repeated.\n\nReference: torch.Tensor.repeat.", kMethod),
      op<&repeat_interleave>("repeat_interleave", "input, repeats, dim=None",
                             "Every place along dim repeated; flattened without dim.\n\nReference: "
                             "torch.repeat_interleave."),
      op<&tril>("tril", "input, diagonal=0", "The lower triangle, zeros above it.\n\nReference: torch.tril."),
      op<&triu>("triu", "input, diagonal=0", "The upper triangle, zeros below it.\n\nReference: torch.triu."),
  };
  auto add_alias = [&](const char* of, const char* name) {
    for (const Op& row : rows)
      if (row.name == of) {
        rows.push_back(alias_of(row, name));
        return;
      }
  };
  add_alias("transpose", "swapaxes");
  add_alias("transpose", "swapdims");
  add_alias("movedim", "moveaxis");
  return rows;
}

}  // namespace bolide::python

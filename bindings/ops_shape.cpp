// ops_shape.cpp - views and rearrangements.
#include "bindings/ops_table.h"
#include "runtime/rearrange.h"

namespace bolide::python {
namespace {

Tensor view_as(const Tensor& x, const Tensor& other) { return view(x, other.sizes()); }
Tensor reshape_as(const Tensor& x, const Tensor& other) { return reshape(x, other.sizes()); }
Tensor expand_as(const Tensor& x, const Tensor& other) { return expand(x, other.sizes()); }
Tensor broadcast_to(const Tensor& x, const Dims& size) { return expand(x, size); }
Tensor ravel(const Tensor& x) {  // contiguous, where reshape() may be a view with gaps
  if (x.is_contiguous()) return reshape(x, {-1});
  const Tensor y = view(contiguous(x), {-1});
  y->base = {}, y->view_kind = ViewKind::Normal;
  return y;
}
Tensor view_dims(const Tensor& x, const Dims& shape) { return view(x, shape); }
Tensor reshape_dims(const Tensor& x, const Dims& shape) { return reshape(x, shape); }
Tensor view_as_dtype(const Tensor& x, DType dtype) { return view_dtype(x, dtype); }
Tensor narrow_dims(const Tensor& x, int64_t dim, int64_t start, int64_t length) {
  return narrow(x, dim, start, length);
}
Tensor narrow_from(const Tensor& x, int64_t dim, const Tensor& start, int64_t length) {
  check(start.rank() == 0 && is_integer(start.dtype()), ErrorKind::Runtime, "narrow", "a start of one integer",
        [&] { return describe(start); });
  return narrow(x, dim, item(start).integer, length);
}
Tensor transpose_dims(const Tensor& x, int64_t dim0, int64_t dim1) { return transpose(x, dim0, dim1); }
Tensor view_strided(const Tensor& x, const Dims& size, const Dims& stride, std::optional<int64_t> offset) {
  return as_strided(x, size, stride, offset.value_or(x->offset));
}

TensorList split_list(const Tensor& x, const Dims& sizes, int64_t dim) { return split_sizes(x, sizes, dim); }
// Sections as a number, a list of places, or a tensor of either.
TensorList split_at(const char* op, const Tensor& x, PyObject* at, int64_t dim) {
  if (is_list(at)) return tensor_split_at(x, Convert<Dims>::get(at), dim);
  if (!is_tensor(at)) return tensor_split(x, Convert<int64_t>::get(at), dim);
  const Tensor places = contiguous(to(unwrap(at), {}, Device{}));
  check(places.dtype() == DType::I64 && places.rank() <= 1, ErrorKind::DType, op,
        "an int64 tensor of at most one dimension", [&] { return describe(places); });
  if (places.rank() == 0) return tensor_split(x, item(places).integer, dim);
  Dims dims(int(places.numel()));
  std::copy_n(places.data<int64_t>(), places.numel(), dims.begin());
  return tensor_split_at(x, dims, dim);
}
TensorList tensor_split_any(const Tensor& x, PyObject* at, int64_t dim) { return split_at("tensor_split", x, at, dim); }
TensorList split_evenly(const char* op, const Tensor& x, PyObject* at, int64_t dim, int rank) {
  check(x.rank() >= rank, ErrorKind::Shape, op, str("at least ", rank, " dimensions"), [&] { return describe(x); });
  if (!is_list(at)) {
    const int64_t n = Convert<int64_t>::get(at);
    if (n <= 0 || x.size(int(dim)) % n)
      raise(ErrorKind::Shape, op, str("a number of parts that divides ", x.size(int(dim))), str(n));
  }
  return split_at(op, x, at, dim);
}
TensorList hsplit(const Tensor& x, PyObject* at) { return split_evenly("hsplit", x, at, x.rank() == 1 ? 0 : 1, 1); }
TensorList vsplit(const Tensor& x, PyObject* at) { return split_evenly("vsplit", x, at, 0, 2); }
TensorList dsplit(const Tensor& x, PyObject* at) { return split_evenly("dsplit", x, at, 2, 3); }

Tensor adjoint(const Tensor& x) {
  check(x.rank() != 1, ErrorKind::Shape, "adjoint", "at least two dimensions", [&] { return describe(x); });
  return conj(x.rank() ? transpose(x, -2, -1) : x);
}

// ---- in place: the tensor itself looks at its memory otherwise ------------------------------------------------
void t_(const Tensor& x) { become_view("t_", x, t(x)); }
void transpose_(const Tensor& x, int64_t dim0, int64_t dim1) { become_view("transpose_", x, transpose(x, dim0, dim1)); }
void squeeze_(const Tensor& x, const OptionalDims& dim) { become_view("squeeze_", x, squeeze(x, dim)); }
void unsqueeze_(const Tensor& x, int64_t dim) { become_view("unsqueeze_", x, unsqueeze(x, dim)); }
void as_strided_(const Tensor& x, const Dims& size, const Dims& stride, std::optional<int64_t> offset) {
  become_view("as_strided_", x, view_strided(x, size, stride, offset));
}
void resize_dims(const Tensor& x, const Dims& size, PyObject*) { resize_(x, size); }
void resize_as_(const Tensor& x, const Tensor& other, PyObject*) { resize_(x, other.sizes()); }

// ---- rearrangements ------------------------------------------------------------------------------------------
Tensor tile_dims(const Tensor& x, const Dims& dims) { return tile(x, dims); }
Tensor flip_side(const char* op, const Tensor& x, int dim) {
  check(x.rank() > dim, ErrorKind::Shape, op, str("at least ", dim + 1, " dimensions"), [&] { return describe(x); });
  return flip(x, {dim});
}
Tensor fliplr(const Tensor& x) { return flip_side("fliplr", x, 1); }
Tensor flipud(const Tensor& x) { return flip_side("flipud", x, 0); }
Tensor diagflat(const Tensor& x, int64_t offset) { return diag_embed(reshape(x, {-1}), offset); }
Tensor trace(const Tensor& x) {
  check(x.rank() == 2, ErrorKind::Shape, "trace", "a matrix", [&] { return describe(x); });
  return sum(diagonal(x));
}
void fill_diagonal_(const Tensor& x, const Scalar& value, bool wrap) {
  check(x.rank() >= 2, ErrorKind::Shape, "fill_diagonal_", "at least two dimensions", [&] { return describe(x); });
  int64_t length = x.size(0), stride = 0;
  for (int d = 0; d < x.rank(); d++) {
    check(x.rank() == 2 || x.size(d) == x.size(0), ErrorKind::Shape, "fill_diagonal_", "dimensions of one size",
          [&] { return describe(x); });
    length = std::min(length, x.size(d)), stride += x.stride(d);
  }
  fill_(as_strided(x, {length}, {stride}, x->offset), value);
  if (!wrap || x.rank() != 2) return;
  for (int64_t row = x.size(1) + 1; row < x.size(0); row += x.size(1) + 1)  // again below the square, after a gap
    fill_(diagonal(narrow(x, 0, row, std::min(x.size(1), x.size(0) - row))), value);
}
void tril_(const Tensor& x, int64_t diagonal) { copy_(x, tril(x, diagonal)); }
void triu_(const Tensor& x, int64_t diagonal) { copy_(x, triu(x, diagonal)); }
Tensor lower_indices(int64_t row, int64_t column, int64_t offset, std::optional<DType> dtype,
                     std::optional<Device> device) {
  return triangle_indices("tril_indices", row, column, offset, false,
                          {dtype.value_or(DType::I64), device.value_or(Device{})});
}
Tensor upper_indices(int64_t row, int64_t column, int64_t offset, std::optional<DType> dtype,
                     std::optional<Device> device) {
  return triangle_indices("triu_indices", row, column, offset, true,
                          {dtype.value_or(DType::I64), device.value_or(Device{})});
}

Tensor select_scatter(const Tensor& x, const Tensor& source, int64_t dim, int64_t at) {
  return scattered("select_scatter", x, source, [&](const Tensor& y) { return select(y, dim, at); });
}
Tensor slice_scatter(const Tensor& x, const Tensor& source, int64_t dim, std::optional<int64_t> start,
                     std::optional<int64_t> end, int64_t step) {
  return scattered("slice_scatter", x, source,
                   [&](const Tensor& y) { return slice(y, dim, start.value_or(0), end.value_or(INT64_MAX), step); });
}
Tensor diagonal_scatter(const Tensor& x, const Tensor& source, int64_t offset, int64_t dim1, int64_t dim2) {
  return scattered("diagonal_scatter", x, source, [&](const Tensor& y) { return diagonal(y, offset, dim1, dim2); });
}
Tensor as_strided_scatter(const Tensor& x, const Tensor& source, const Dims& size, const Dims& stride,
                          std::optional<int64_t> offset) {
  return scattered("as_strided_scatter", x, source,
                   [&](const Tensor& y) { return as_strided(y, size, stride, offset.value_or(y->offset)); });
}

// ---- of several tensors --------------------------------------------------------------------------------------
template <Tensor (*join)(std::span<const Tensor>)>
Tensor joined(const TensorList& tensors) {
  return join(tensors);
}
template <int rank>
PyObject* atleast(const Tensors& tensors) {
  TensorList out;
  for (const Tensor& t : tensors.list) out.push_back(at_least(t, rank));
  return tensors.single ? wrap(std::move(out[0])) : tuple_of(std::move(out));
}
Tensor roll_over(const Tensor& x, const Dims& shifts, const OptionalDims& dims) {
  return roll(x, shifts, dims.value_or(Dims()));
}
Tensor block_diag_of(const Tensors& tensors) { return block_diag(tensors.list); }
Tensor cartesian(const Tensors& tensors) { return cartesian_prod(tensors.list); }
Tensor combinations_of(const Tensor& x, int64_t r, bool with_replacement) {
  return combinations(x, r, with_replacement);
}
TensorList broadcast_all(const Tensors& tensors) { return broadcast_tensors(tensors.list); }
TensorList mesh(const Tensors& tensors, std::string_view indexing) {
  check(indexing == "ij" || indexing == "xy", ErrorKind::Runtime, "meshgrid", "indexing 'ij' or 'xy'",
        [&] { return str("'", indexing, "'"); });
  return meshgrid(tensors.list, indexing == "xy");
}

TensorList split_any(const Tensor& x, PyObject* size, int64_t dim) {
  if (is_list(size)) return split_sizes(x, Convert<Dims>::get(size), dim);
  return split(x, Convert<int64_t>::get(size), dim);
}

Tensor repeat_places(const Tensor& x, const Tensor& repeats, std::optional<int64_t> dim,
                     std::optional<int64_t> output_size) {
  return repeat_interleave(x, repeats, dim, output_size);
}
Tensor repeat_each(const Tensor& x, int64_t repeats, std::optional<int64_t> dim, std::optional<int64_t> output_size) {
  const Tensor y = repeat_interleave(x, repeats, dim);
  const int64_t size = y.size(dim ? wrap_dim("repeat_interleave", *dim, y.rank()) : 0);
  if (output_size && *output_size != size)
    raise(ErrorKind::Shape, "repeat_interleave", str("an output_size of ", size), str(*output_size));
  return y;
}
Tensor repeat_numbers(const Tensor& repeats, std::optional<int64_t> output_size) {
  check(repeats.rank() == 1, ErrorKind::Shape, "repeat_interleave", "repeats of one dimension",
        [&] { return describe(repeats); });
  const Tensor places = arange(int64_t(0), repeats.numel(), int64_t(1), DType::I64, repeats.device());
  if (repeats.numel() == 1) return repeat_interleave(places, item(repeats).integer, 0);
  return repeat_interleave(places, repeats, 0, output_size);
}

}  // namespace

static std::vector<Op> view_rows() {
  return {
      op<&view_dims, &view_as_dtype>(
          "view", "input, shape... | input, dtype",
          "The same elements with other sizes, without a copy; one -1 is inferred.\n\nRaises: ShapeError if "
          "the sizes do not fit, or the strides allow no view (reshape() copies then).\n"
          "With a dtype: the same bytes as elements of it, without a gradient.\n"
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
      op<&transpose_dims>("transpose", "input, dim0, dim1",
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
      op<&narrow_dims, &narrow_from>("narrow", "input, dim, start, length | input, dim, start, length",
                                     "A range along dim: a view. start may be a tensor of one integer.\n\nReference: "
                                     "torch.narrow."),
      op<&unfold>("unfold", "input, dimension, size, step",
                  "All windows of a size along a dimension, `step` apart, as a last dimension: a view.\n\n"
                  "Example: >>> bolide.arange(7).unfold(0, 3, 2)\nReference: torch.Tensor.unfold.",
                  kMethod),
      op<&diagonal>("diagonal", "input, offset=0, dim1=0, dim2=1", "A diagonal: a view.\n\nReference: torch.diagonal."),
      op<&view_strided>("as_strided", "input, size, stride, storage_offset=None",
                        "A view with these strides, in elements.\n\nRaises: ShapeError beyond the storage.\n"
                        "Reference: torch.as_strided."),
      op<&split_any>("split", "tensor, split_size_or_sections, dim=0",
                     "Parts of a size, or of the listed sizes, along dim: views.\n\nReference: torch.split."),
      op<&chunk>("chunk", "input, chunks, dim=0",
                 "At most `chunks` equal parts along dim: views.\n\nReference: torch.chunk."),
      op<&unbind>("unbind", "input, dim=0", "All places along dim: views.\n\nReference: torch.unbind."),
      op<&split_list>("split_with_sizes", "input, split_sizes, dim=0", "split() into parts of the listed sizes."),
      op<&tensor_split_any>("tensor_split", "input, indices_or_sections, dim=0",
                            "So many parts whose sizes differ by at most 1, or parts between places: views.\n\n"
                            "Reference: torch.tensor_split."),
      op<&hsplit>("hsplit", "input, indices_or_sections",
                  "tensor_split() of columns, into equal parts.\n\nReference: torch.hsplit."),
      op<&vsplit>("vsplit", "input, indices_or_sections",
                  "tensor_split() of rows, into equal parts.\n\nReference: torch.vsplit."),
      op<&dsplit>("dsplit", "input, indices_or_sections",
                  "tensor_split() along the third dimension, into equal parts.\n\nReference: torch.dsplit."),
      op<&adjoint>("adjoint", "input", "mH.\n\nReference: torch.adjoint."),
      op<&t_>("t_", "input", "In-place form of t().", kMethod),
      op<&transpose_>("transpose_", "input, dim0, dim1", "In-place form of transpose().", kMethod),
      op<&squeeze_>("squeeze_", "input, dim=None", "In-place form of squeeze().", kMethod),
      op<&unsqueeze_>("unsqueeze_", "input, dim", "In-place form of unsqueeze().", kMethod),
      op<&as_strided_>("as_strided_", "input, size, stride, storage_offset=None", "In-place form of as_strided()."),
      op<&resize_dims>("resize_", "input, size..., *, memory_format=None",
                       "Other sizes in place; new elements are not set. Memory that is too small is replaced, and no "
                       "longer shared.\n\nReference: torch.Tensor.resize_.",
                       kMethod),
      op<&resize_as_>("resize_as_", "input, the_template, *, memory_format=None", "resize_() to the sizes of another."),
  };
}

static std::vector<Op> rearranged_rows() {
  return {
      op<&flip>("flip", "input, dims...", "A copy with dimensions reversed.\n\nReference: torch.flip."),
      op<&repeat>("repeat", "input, repeats...",
                  "A copy with every dimension repeated.\n\nReference: torch.Tensor.repeat.", kMethod),
      op<&repeat_each, &repeat_places, &repeat_numbers>(
          "repeat_interleave",
          "input, repeats, dim=None, *, output_size=None | input, repeats, dim=None, *, output_size=None | "
          "repeats, *, output_size=None",
          "Every place along dim repeated, by one number or one each; flattened without dim. With repeats alone: the "
          "places themselves.\n\nReference: torch.repeat_interleave."),
      op<&tile_dims>("tile", "input, dims...",
                     "repeat(), with ones in front where numbers are missing.\n\nReference: torch.tile."),
      op<&roll_over>("roll", "input, shifts, dims=None",
                     "Places moved along dims, round the end; of the flattened tensor without dims.\n\n"
                     "Example: >>> bolide.arange(5).roll(2)\nReference: torch.roll."),
      op<&rot90>("rot90", "input, k=1, dims=(0,1)", "Turned by k right angles.\n\nReference: torch.rot90."),
      op<&fliplr>("fliplr", "input", "flip() of columns.\n\nReference: torch.fliplr."),
      op<&flipud>("flipud", "input", "flip() of rows.\n\nReference: torch.flipud."),
      op<&diag>("diag", "input, diagonal=0",
                "A matrix with this diagonal, or a copy of a matrix's diagonal.\n\nReference: torch.diag."),
      op<&diagflat>("diagflat", "input, offset=0", "diag() of the flattened tensor.\n\nReference: torch.diagflat."),
      op<&diag_embed>("diag_embed", "input, offset=0, dim1=-2, dim2=-1",
                      "Matrices whose diagonals are the last dimension.\n\nReference: torch.diag_embed."),
      op<&trace>("trace", "input", "The sum of a matrix's diagonal.\n\nReference: torch.trace."),
      op<&fill_diagonal_>("fill_diagonal_", "input, fill_value, wrap=False",
                          "Sets the main diagonal; wrap: again below it in a tall matrix.\n\nReference: "
                          "torch.Tensor.fill_diagonal_.",
                          kMethod),
      op<&lower_indices>("tril_indices", "row, col, offset=0, *, dtype=None, device=None",
                         "The places of a lower triangle, two rows of indices.\n\nReference: torch.tril_indices.",
                         kFunction),
      op<&upper_indices>("triu_indices", "row, col, offset=0, *, dtype=None, device=None",
                         "The places of an upper triangle, two rows of indices.\n\nReference: torch.triu_indices.",
                         kFunction),
      op<&select_scatter>("select_scatter", "input, src, dim, index",
                          "A copy with select(dim, index) replaced by src.\n\nReference: torch.select_scatter."),
      op<&slice_scatter>("slice_scatter", "input, src, dim=0, start=None, end=None, step=1",
                         "A copy with a slice along dim replaced by src.\n\nReference: torch.slice_scatter."),
      op<&diagonal_scatter>("diagonal_scatter", "input, src, offset=0, dim1=0, dim2=1",
                            "A copy with a diagonal replaced by src.\n\nReference: torch.diagonal_scatter."),
      op<&as_strided_scatter>("as_strided_scatter", "input, src, size, stride, storage_offset=None",
                              "A copy with as_strided(size, stride, storage_offset) replaced by src.\n\n"
                              "Reference: torch.as_strided_scatter."),
      op<&tril>("tril", "input, diagonal=0", "The lower triangle, zeros above it.\n\nReference: torch.tril."),
      op<&tril_>("tril_", "input, diagonal=0", "In-place form of tril().", kMethod),
      op<&triu_>("triu_", "input, diagonal=0", "In-place form of triu().", kMethod),
      op<&triu>("triu", "input, diagonal=0", "The upper triangle, zeros below it.\n\nReference: torch.triu."),
  };
}

static std::vector<Op> joined_rows() {
  return {
      op<&joined<hstack>>("hstack", "tensors", "Side by side: cat() along the columns.\n\nReference: torch.hstack.",
                          kFunction),
      op<&joined<vstack>>("vstack", "tensors", "One below the other: cat() of rows.\n\nReference: torch.vstack.",
                          kFunction),
      op<&joined<dstack>>("dstack", "tensors", "cat() along the third dimension.\n\nReference: torch.dstack.",
                          kFunction),
      op<&joined<column_stack>>("column_stack", "tensors", "hstack() of columns.\n\nReference: torch.column_stack.",
                                kFunction),
      op<&atleast<1>>("atleast_1d", "tensors...=()",
                      "With at least one dimension: views.\n\nReference: torch.atleast_1d.", kFunction),
      op<&atleast<2>>("atleast_2d", "tensors...=()",
                      "With at least two dimensions: views.\n\nReference: torch.atleast_2d.", kFunction),
      op<&atleast<3>>("atleast_3d", "tensors...=()",
                      "With at least three dimensions: views.\n\nReference: torch.atleast_3d.", kFunction),
      op<&block_diag_of>("block_diag", "tensors...=()",
                         "A matrix of blocks along the diagonal.\n\nReference: torch.block_diag.", kFunction),
      op<&broadcast_all>("broadcast_tensors", "tensors...=()",
                         "All expanded to their common sizes: views.\n\nReference: torch.broadcast_tensors.",
                         kFunction),
      op<&mesh>("meshgrid", "tensors..., *, indexing='ij'",
                "Grids of coordinates, one per tensor: views.\n\nReference: torch.meshgrid.", kFunction),
      op<&cartesian>("cartesian_prod", "tensors...",
                     "All pairs, triples, ... with one element of each, as rows.\n\nReference: torch.cartesian_prod.",
                     kFunction),
      op<&combinations_of>("combinations", "input, r=2, with_replacement=False",
                           "All choices of r elements, as rows, in lexical order.\n\nReference: torch.combinations.",
                           kFunction),
  };
}

std::vector<Op> shape_rows() {
  std::vector<Op> rows = view_rows();
  for (auto* more : {rearranged_rows, joined_rows})
    for (Op& row : more()) rows.push_back(std::move(row));
  auto add_alias = [&](const char* of, const char* name) {
    for (const Op& row : rows)
      if (row.name == of) {
        rows.push_back(alias_of(row, name));
        return;
      }
  };
  add_alias("transpose", "swapaxes");
  add_alias("transpose", "swapdims");
  add_alias("transpose_", "swapaxes_");
  add_alias("transpose_", "swapdims_");
  add_alias("movedim", "moveaxis");
  add_alias("vstack", "row_stack");
  for (const char* name : {"chunk", "split", "split_with_sizes"}) add_alias(name, str("unsafe_", name).c_str());
  return rows;
}

}  // namespace bolide::python

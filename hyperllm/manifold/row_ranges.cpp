#include "hyperllm/manifold/row_ranges.h"

#include <torch/csrc/autograd/custom_function.h>

#include "hyperllm/kernels/elementwise.h"
#include "hyperllm/manifold/fused.h"

namespace hyperllm::manifold {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Rows of x's memory as a tensor that autograd does not take for a view of x.
Tensor rows_in_place(const Tensor& x, std::int64_t first, std::int64_t count) {
  return torch::empty({0}, x.options().requires_grad(false))
      .set_(x.storage(), x.storage_offset() + first * x.size(1), {count, x.size(1)}, {x.size(1), 1});
}

struct RowRanges : public torch::autograd::Function<RowRanges> {
  static variable_list forward(AutogradContext* context, const Tensor& x,
                               const std::vector<RowRange>& ranges) {
    context->set_materialize_grads(false);
    std::vector<std::int64_t> firsts;
    variable_list views;
    for (const RowRange& range : ranges) {
      firsts.push_back(range.first);
      views.push_back(rows_in_place(x, range.first, range.count));
    }
    context->saved_data["firsts"] = firsts;
    context->saved_data["rows"] = x.size(0);
    context->saved_data["dim"] = x.size(1);
    return views;
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const std::vector<std::int64_t> firsts = context->saved_data["firsts"].toIntVector();
    const std::int64_t rows = context->saved_data["rows"].toInt(), dim = context->saved_data["dim"].toInt();
    std::vector<kernels::Piece> pieces;
    for (std::size_t i = 0; i < grads.size(); ++i) {
      if (!grads[i].defined()) continue;
      grads[i] = grads[i].contiguous();
      pieces.push_back({firsts[i] * dim, const_floats(grads[i])});
    }
    Tensor sum = torch::empty({rows, dim});
    kernels::sum_pieces(pieces, floats(sum));
    return {sum, Tensor()};
  }
};

struct StackedRows : public torch::autograd::Function<StackedRows> {
  static Tensor forward(AutogradContext* context, const Tensor& above, const Tensor& below) {
    context->saved_data["above"] = above.size(0);
    context->saved_data["below"] = below.size(0);
    const std::int64_t rows = above.size(0) + below.size(0), dim = above.size(1);
    if (above.storage().is_alias_of(below.storage()) &&
        below.data_ptr<float>() == above.data_ptr<float>() + above.numel())
      return rows_in_place(above, 0, rows);
    Tensor all = torch::empty({rows, dim});
    const kernels::Piece pieces[] = {{0, const_floats(above)}, {above.numel(), const_floats(below)}};
    kernels::sum_pieces(pieces, floats(all));
    return all;
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const std::int64_t above = context->saved_data["above"].toInt(),
                       below = context->saved_data["below"].toInt();
    const Tensor grad = grads[0].contiguous();
    return {rows_in_place(grad, 0, above), rows_in_place(grad, above, below)};
  }
};

}  // namespace

std::vector<Tensor> row_ranges(const Tensor& x, const std::vector<RowRange>& ranges) {
  if (use_kernel(x)) return RowRanges::apply(x.contiguous(), ranges);
  std::vector<Tensor> views;
  for (const RowRange& range : ranges) views.push_back(x.narrow(0, range.first, range.count));
  return views;
}

Tensor stacked_rows(const Tensor& above, const Tensor& below) {
  if (use_kernel(above)) return StackedRows::apply(above.contiguous(), below.contiguous());
  return torch::cat({above, below});
}

}  // namespace hyperllm::manifold

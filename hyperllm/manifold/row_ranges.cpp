#include "hyperllm/manifold/row_ranges.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <functional>
#include <span>

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

// One thread moves the rows: a batch has few of them.
struct GatheredRows : public torch::autograd::Function<GatheredRows> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const std::vector<std::int32_t>& ids) {
    context->save_for_backward({torch::tensor(ids, torch::kInt)});
    context->saved_data["rows"] = x.size(0);
    const std::int64_t dim = x.size(1);
    Tensor out = torch::empty({std::ssize(ids), dim});
    const float* from = const_floats(x).data();
    float* to = floats(out).data();
    for (const std::int32_t id : ids) to = std::copy_n(from + id * dim, dim, to);
    return out;
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const Tensor ids = context->get_saved_variables()[0], grad = grads[0].contiguous();
    const std::int64_t dim = grad.size(1);
    Tensor sum = torch::empty({context->saved_data["rows"].toInt(), dim});
    kernels::sum_pieces({}, floats(sum));
    const float* from = const_floats(grad).data();
    for (const std::int32_t id : std::span(ids.data_ptr<std::int32_t>(), ids.numel())) {
      float* to = floats(sum).data() + id * dim;
      std::transform(from, from + dim, to, to, std::plus<>());
      from += dim;
    }
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

Tensor gathered_rows(const Tensor& x, const std::vector<std::int32_t>& ids) {
  if (use_kernel(x)) return GatheredRows::apply(x.contiguous(), ids);
  return x.index_select(0, torch::tensor(ids, torch::kInt).to(torch::kLong).to(x.device()));
}

Tensor stacked_rows(const Tensor& above, const Tensor& below) {
  if (use_kernel(above)) return StackedRows::apply(above.contiguous(), below.contiguous());
  return torch::cat({above, below});
}

}  // namespace hyperllm::manifold

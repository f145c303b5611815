#include <gtest/gtest.h>

#include "tests/laws/laws.h"

namespace hyperllm::manifold {
namespace {

template <typename M, torch::ScalarType kType, int kHalfCurvatures>
struct Case {
  using Manifold = M;
  static constexpr torch::ScalarType type = kType;
  static Manifold manifold() { return Manifold(Curvature(kHalfCurvatures / 2.0)); }
};

template <typename T>
class ManifoldLaws : public ::testing::Test {
 protected:
  using Manifold = typename T::Manifold;
  Manifold manifold = T::manifold();
  laws::Samples samples = laws::make_samples(manifold, T::type);
};

constexpr auto kF = torch::kFloat;
constexpr auto kD = torch::kDouble;
using Cases = ::testing::Types<Case<Lorentz, kF, 1>, Case<Lorentz, kF, 2>, Case<Lorentz, kF, 4>,
                               Case<Lorentz, kD, 1>, Case<Lorentz, kD, 2>, Case<Lorentz, kD, 4>,
                               Case<Poincare, kF, 1>, Case<Poincare, kF, 2>, Case<Poincare, kF, 4>,
                               Case<Poincare, kD, 1>, Case<Poincare, kD, 2>, Case<Poincare, kD, 4>>;
TYPED_TEST_SUITE(ManifoldLaws, Cases);

#define LAW(law) \
  TYPED_TEST(ManifoldLaws, law) { EXPECT_EQ(laws::law(this->manifold, this->samples), ""); }

LAW(exp_and_log_are_inverse)
LAW(maps_at_the_origin_are_special_cases)
LAW(distance_is_the_length_of_the_logarithm)
LAW(distance_is_a_metric)
LAW(distance_is_the_textbook_one)
LAW(geodesics_have_constant_speed)
LAW(transport_is_an_isometry)
LAW(transport_back_undoes_it)
LAW(transport_carries_the_geodesic_along_itself)
LAW(riemannian_gradient_represents_the_differential)
LAW(norm_belongs_to_the_inner_product)
LAW(operations_stay_on_the_manifold)
LAW(broadcasting_is_a_loop)
LAW(close_pairs_keep_their_digits)
LAW(squared_distance_has_finite_gradients)
LAW(the_models_are_isometric)

TEST(Curvature, IsAPositiveNumber) {
  for (double bad : {0.0, -1.0, 1e7, std::nan("")}) EXPECT_THROW(Curvature{bad}, Error) << bad;
}

}  // namespace
}  // namespace hyperllm::manifold

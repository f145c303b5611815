// The laws reject manifolds with one fault each.
#include <gtest/gtest.h>

#include "tests/laws/laws.h"

namespace hyperllm::manifold {
namespace {

using torch::Tensor;

template <typename M>
laws::Samples samples(const M& m) {
  return laws::make_samples(m, torch::kDouble);
}

struct FlippedTransport : Lorentz {
  using Lorentz::Lorentz;
  Tensor transp(const Tensor& x, const Tensor& y, const Tensor& u) const {
    return 2 * u - Lorentz::transp(x, y, u);
  }
};

TEST(PlantedFault, FlippedSignInTransport) {
  const FlippedTransport m;
  EXPECT_NE(laws::transport_is_an_isometry(m, samples(m)), "");
  EXPECT_NE(laws::transport_back_undoes_it(m, samples(m)), "");
  EXPECT_NE(laws::transport_carries_the_geodesic_along_itself(m, samples(m)), "");
  EXPECT_EQ(laws::exp_and_log_are_inverse(m, samples(m)), "");
}

// Lengths, angles and the way back survive; geodesics do not.
struct TurnedTransport : Lorentz {
  using Lorentz::Lorentz;
  Tensor transp(const Tensor& x, const Tensor& y, const Tensor& u) const { return -Lorentz::transp(x, y, u); }
};

TEST(PlantedFault, TurnedTransport) {
  const TurnedTransport m;
  EXPECT_NE(laws::transport_carries_the_geodesic_along_itself(m, samples(m)), "");
  EXPECT_EQ(laws::transport_back_undoes_it(m, samples(m)), "");
}

struct DoubledExponent : Poincare {
  using Poincare::Poincare;
  Tensor expmap(const Tensor& x, const Tensor& u) const { return Poincare::expmap(x, 2 * u); }
};

TEST(PlantedFault, WrongFactorInExpmap) {
  const DoubledExponent m;
  EXPECT_NE(laws::exp_and_log_are_inverse(m, samples(m)), "");
  EXPECT_NE(laws::maps_at_the_origin_are_special_cases(m, samples(m)), "");
  EXPECT_NE(laws::geodesics_have_constant_speed(m, samples(m)), "");
}

struct DroppedCurvature : Lorentz {
  using Lorentz::Lorentz;
  Tensor dist(const Tensor& x, const Tensor& y) const { return Lorentz::dist(x, y) * std::sqrt(c()); }
};

TEST(PlantedFault, DistanceWithoutTheCurvature) {
  const DroppedCurvature wrong{Curvature(2)}, harmless{Curvature(1)};
  EXPECT_NE(laws::distance_is_the_length_of_the_logarithm(wrong, samples(wrong)), "");
  EXPECT_NE(laws::distance_is_the_textbook_one(wrong, samples(wrong)), "");
  EXPECT_NE(
      laws::the_models_are_isometric(
          Poincare{Curvature(2)}, laws::Samples{samples(wrong).x, samples(wrong).y, {}, {}, {}, {}, 1e-10}),
      "");  // points of the other model
  EXPECT_EQ(laws::distance_is_the_textbook_one(harmless, samples(harmless)), "");
}

struct SquaredDistance : Poincare {
  using Poincare::Poincare;
  Tensor dist(const Tensor& x, const Tensor& y) const { return Poincare::dist2(x, y); }
};

TEST(PlantedFault, SquaredDistanceBreaksTheTriangleInequality) {
  const SquaredDistance m;
  EXPECT_NE(laws::distance_is_a_metric(m, samples(m)), "");
}

struct LopsidedDistance : Lorentz {
  using Lorentz::Lorentz;
  Tensor dist(const Tensor& x, const Tensor& y) const { return Lorentz::dist(x, y) * (1 + 1e-6 * dist0(x)); }
};

TEST(PlantedFault, LopsidedDistance) {
  const LopsidedDistance m;
  EXPECT_NE(laws::distance_is_a_metric(m, samples(m)), "");
}

struct EuclideanGradient : Lorentz {
  using Lorentz::Lorentz;
  Tensor egrad2rgrad(const Tensor& x, const Tensor& grad) const {
    return Lorentz::egrad2rgrad(x, grad) - 2 * (grad * x).sum(-1, true) * x;
  }
};

TEST(PlantedFault, GradientWithTheWrongSign) {
  const EuclideanGradient m;
  EXPECT_NE(laws::riemannian_gradient_represents_the_differential(m, samples(m)), "");
}

struct UnscaledNorm : Poincare {
  using Poincare::Poincare;
  Tensor norm(const Tensor& x, const Tensor& u) const { return Poincare::norm(x, u) / 2; }
};

TEST(PlantedFault, NormOfAnotherMetric) {
  const UnscaledNorm m;
  EXPECT_NE(laws::norm_belongs_to_the_inner_product(m, samples(m)), "");
}

struct LeavesTheBall : Poincare {
  using Poincare::Poincare;
  Tensor retr(const Tensor& x, const Tensor& u) const { return x + 10 * u; }
};
struct EuclideanStep : Lorentz {
  using Lorentz::Lorentz;
  Tensor expmap(const Tensor& x, const Tensor& u) const { return x + u; }
};

TEST(PlantedFault, ResultsOffTheManifold) {
  const LeavesTheBall ball;
  EXPECT_NE(laws::operations_stay_on_the_manifold(ball, samples(ball)), "");
  const EuclideanStep step;
  EXPECT_NE(laws::operations_stay_on_the_manifold(step, samples(step)), "");
}

struct MixesRows : Lorentz {
  using Lorentz::Lorentz;
  Tensor dist(const Tensor& x, const Tensor& y) const {
    const Tensor d = Lorentz::dist(x, y);
    return d.dim() == 2 ? d.t() : d;
  }
};

TEST(PlantedFault, BroadcastInTheWrongOrder) {
  const MixesRows m;
  EXPECT_NE(laws::broadcasting_is_a_loop(m, samples(m)), "");
}

// The textbook formula: exact enough far apart, without digits and with unbounded gradients nearby.
struct NaiveDistance : Lorentz {
  using Lorentz::Lorentz;
  Tensor dist2(const Tensor& x, const Tensor& y) const {
    return torch::acosh((c() * (time(x) * time(y) - (x * y).sum(-1, true))).clamp_min(1))
               .square()
               .squeeze(-1) /
           c();
  }
  Tensor dist(const Tensor& x, const Tensor& y) const { return dist2(x, y).sqrt(); }
};

TEST(PlantedFault, NaiveDistance) {
  const NaiveDistance m;
  EXPECT_EQ(laws::distance_is_the_textbook_one(m, samples(m)), "");
  EXPECT_NE(laws::close_pairs_keep_their_digits(m, samples(m)), "");
  EXPECT_NE(laws::squared_distance_has_finite_gradients(m, samples(m)), "");
}

}  // namespace
}  // namespace hyperllm::manifold

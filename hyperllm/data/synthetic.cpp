#include "hyperllm/data/synthetic.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "hyperllm/base/error.h"
#include "hyperllm/base/parallel.h"
#include "hyperllm/base/random.h"

namespace hyperllm::data {
namespace {

using Pair = std::pair<std::int32_t, std::int32_t>;

constexpr std::int64_t kTop = 8;          // tags of the broadest level: the hubs
constexpr std::int64_t kLeast = 3;        // interactions of a user
constexpr double kActive = 6;             // how much more the active fifth does
constexpr std::int64_t kGrain = 1 << 12;  // users a thread takes at a time

void require(bool holds, const char* message) {
  HYPERLLM_CHECK(holds, ErrorCode::kInvalidArgument, std::string("synthetic data: expected ") + message);
}

std::int32_t narrow(std::int64_t value) { return static_cast<std::int32_t>(value); }

void sort_unique(std::vector<Pair>& pairs) {
  std::sort(pairs.begin(), pairs.end());
  pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
}

// Tags top, middle, leaf; items by their place in the tree (`item` turns a place into an id).
class Tree {
 public:
  explicit Tree(const SyntheticShape& shape)
      : shape_(shape), branches_(std::max<std::int64_t>(shape.tags / 16, kTop)), item_(shape.items) {
    leaves_ = shape.tags - kTop - branches_;
    for (std::int64_t i = 0; i < shape.items; ++i) item_[i] = narrow(i);
    Random(shape.seed, "synthetic items").shuffle(std::span<std::int32_t>(item_));
  }

  std::int64_t branches() const { return branches_; }

  // An item of the branch, low ranks more often.
  std::int32_t draw(std::int64_t branch, Random& random) const {
    const std::int64_t begin = first_place(branch), size = first_place(branch + 1) - begin;
    const double u = random.uniform();
    if (size == 0) return item_[random.below(item_.size())];
    return item_[begin + static_cast<std::int64_t>(static_cast<double>(size) * u * u * u)];
  }
  std::int64_t draw_branch(Random& random) const {
    const double u = random.uniform();
    return static_cast<std::int64_t>(static_cast<double>(branches_) * u * u);
  }

  TagGraph tags() const {
    TagGraph graph;
    for (std::int64_t tag = 0; tag < shape_.tags; ++tag)
      graph.tags.push_back({"tag " + std::to_string(tag), tag < kTop ? 1 : tag < kTop + branches_ ? 2 : 3});
    Random random(shape_.seed, "synthetic tags");
    for (std::int64_t b = 0; b < branches_; ++b) graph.edges.emplace_back(top_of(b), middle(b));
    for (std::int64_t l = 0; l < leaves_; ++l) graph.edges.emplace_back(middle(branch_of(l)), leaf(l));
    while (std::ssize(graph.edges) < shape_.tag_edges)
      graph.edges.emplace_back(middle(draw_branch(random)), leaf(narrow(random.below(leaves_))));
    sort_unique(graph.edges);

    const std::int64_t extra = shape_.tag_items - 3 * shape_.items;
    for (std::int64_t place = 0; place < shape_.items; ++place) {
      const std::int32_t item = item_[place];
      const std::int64_t l = place * leaves_ / shape_.items, b = branch_of(l);
      graph.tag_items.insert(graph.tag_items.end(), {{top_of(b), item}, {middle(b), item}, {leaf(l), item}});
      for (std::int64_t i = extra * place / shape_.items; i < extra * (place + 1) / shape_.items; ++i)
        graph.tag_items.emplace_back(leaf((l + 1 + narrow(random.below(32))) % leaves_), item);
    }
    sort_unique(graph.tag_items);
    return graph;
  }

 private:
  std::int64_t branch_of(std::int64_t l) const { return l * branches_ / leaves_; }
  std::int64_t first_place(std::int64_t branch) const { return branch * shape_.items / branches_; }
  std::int32_t top_of(std::int64_t branch) const { return narrow(branch * kTop / branches_); }
  std::int32_t middle(std::int64_t branch) const { return narrow(kTop + branch); }
  std::int32_t leaf(std::int64_t l) const { return narrow(kTop + branches_ + l); }

  const SyntheticShape& shape_;
  std::int64_t branches_, leaves_ = 0;
  std::vector<std::int32_t> item_;
};

class Users {
 public:
  Users(const SyntheticShape& shape, const Tree& tree) : shape_(shape), tree_(tree) {}

  // The user's items in the order of time, all different.
  std::vector<std::int32_t> items(std::int64_t user) const {
    Random random(shape_.seed, "synthetic user " + std::to_string(user));
    const double mean = static_cast<double>(shape_.interactions) / static_cast<double>(shape_.users);
    const double scale = (mean - kLeast + 0.5) / (0.8 + 0.2 * kActive) * (random.below(5) == 0 ? kActive : 1);
    const std::int64_t count = std::min(
        kLeast + static_cast<std::int64_t>(-scale * std::log(1 - random.uniform())), shape_.items / 4);
    std::vector<std::int64_t> liked(2 + count / 10);
    for (std::int64_t& branch : liked) branch = tree_.draw_branch(random);
    std::vector<std::int32_t> items;
    for (std::int64_t tries = 0; std::ssize(items) < count; ++tries) {
      std::int32_t item = narrow(random.below(shape_.items));
      if (tries < 8 * count)
        item = tree_.draw(random.below(5) > 0 ? liked[random.below(liked.size())] : tree_.draw_branch(random),
                          random);
      if (std::find(items.begin(), items.end(), item) == items.end()) items.push_back(item);
    }
    return items;
  }

 private:
  const SyntheticShape& shape_;
  const Tree& tree_;
};

void resize(Interactions& part, std::int64_t size) {
  part.user.resize(size);
  part.item.resize(size);
  part.rating.assign(size, 1);
  part.timestamp.resize(size);
}

void put(Interactions& part, std::int64_t at, std::int64_t user, std::span<const std::int32_t> items,
         std::int64_t time) {
  for (const std::int32_t item : items) {
    part.user[at] = narrow(user);
    part.item[at] = item;
    part.timestamp[at++] = static_cast<double>(++time);
  }
}

// What of `count` items goes to valid, and likewise to test.
std::int64_t held_out(std::int64_t count) { return std::max<std::int64_t>(1, count / 8); }

}  // namespace

Synthetic make_synthetic(const SyntheticShape& shape) {
  require(shape.users >= 1 && shape.items >= 64 && shape.tags >= 32, "at least 1 user, 64 items and 32 tags");
  require(shape.tag_edges >= shape.tags && shape.tag_items >= 3 * shape.items,
          "at least as many tag edges as tags and three times as many tag-item pairs as items");
  require(shape.interactions >= 4 * shape.users && shape.interactions <= shape.users * (shape.items / 8),
          "at least 4 interactions a user, and not more than an eighth of the items");
  const Tree tree(shape);
  const Users users(shape, tree);
  Synthetic result;
  result.tags = tree.tags();
  Dataset& data = result.dataset;
  data.name = "synthetic";
  for (std::int64_t u = 0; u < shape.users; ++u) data.users.push_back("u" + std::to_string(u));
  for (std::int64_t i = 0; i < shape.items; ++i) data.items.push_back("i" + std::to_string(i));

  std::vector<std::vector<std::int32_t>> items(shape.users);
  parallel_ranges(shape.users, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t u = begin; u < end; ++u) items[u] = users.items(u);
  });
  std::vector<std::int64_t> first(shape.users + 1, 0), first_held(shape.users + 1, 0);
  for (std::int64_t u = 0; u < shape.users; ++u) {
    const std::int64_t count = std::ssize(items[u]), held = held_out(count);
    first[u + 1] = first[u] + count - 2 * held;
    first_held[u + 1] = first_held[u] + held;
  }
  resize(data.train, first.back());
  resize(data.valid, first_held.back());
  resize(data.test, first_held.back());
  parallel_ranges(shape.users, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t u = begin; u < end; ++u) {
      const std::span<const std::int32_t> all = items[u];
      const std::int64_t held = held_out(std::ssize(all)), kept = std::ssize(all) - 2 * held;
      put(data.train, first[u], u, all.first(kept), 0);
      put(data.valid, first_held[u], u, all.subspan(kept, held), kept);
      put(data.test, first_held[u], u, all.last(held), kept + held);
    }
  });
  return result;
}

}  // namespace hyperllm::data

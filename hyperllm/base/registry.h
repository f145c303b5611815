// What is chosen by name (models, objectives, frameworks): one file and one line each, options included.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hyperllm/base/error.h"
#include "hyperllm/base/fields.h"

namespace hyperllm {

// One thing that can be chosen. Its options are its members; a copy has their values.
class Configurable {
 public:
  virtual ~Configurable() = default;
  virtual FieldList fields() { return {}; }
};

// Things of one kind by name. T derives from Configurable.
template <typename T>
class Registry {
 public:
  struct Entry {
    std::string help, prefix;
    std::function<std::unique_ptr<T>()> make;
    std::function<std::unique_ptr<T>(const Configurable&)> copy;
  };

  explicit Registry(std::string kind) : kind_(std::move(kind)) {}

  // `help`: a few words. Its options are called prefix + their name, everywhere; a prefix of other things'
  // names must not lead to one name twice. A later addition of the same name replaces the earlier.
  template <typename Concrete>
  void add(const std::string& name, std::string help, Concrete prototype, std::string prefix) {
    entries_[name] = {std::move(help), std::move(prefix),
                      [prototype] { return std::make_unique<Concrete>(prototype); },
                      [](const Configurable& from) {
                        return std::make_unique<Concrete>(static_cast<const Concrete&>(from));
                      }};
  }
  template <typename Concrete>
  void add(const std::string& name, std::string help, Concrete prototype) {
    add(name, std::move(help), std::move(prototype), name + "_");
  }

  // With its options at their defaults. Throws kInvalidArgument naming the nearest name if there is none.
  std::unique_ptr<T> make(const std::string& name) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) unknown(kind_, name, names());
    return found->second.make();
  }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& [name, entry] : entries_) names.push_back(name);
    return names;
  }
  // "ease (a linear item-item model), hgcf (...), ..."
  std::string help() const {
    std::string text;
    for (const auto& [name, entry] : entries_)
      text += (text.empty() ? "" : ", ") + name + " (" + entry.help + ")";
    return text;
  }
  const std::string& kind() const { return kind_; }
  const std::map<std::string, Entry>& entries() const { return entries_; }

  [[noreturn]] static void unknown(const std::string& kind, const std::string& name,
                                   const std::vector<std::string>& names) {
    const std::string near = nearest_word(name, names);
    throw Error(ErrorCode::kInvalidArgument, "unknown " + kind + " '" + name + "'" +
                                                 (near.empty() ? "" : "; did you mean '" + near + "'?"));
  }

 private:
  std::string kind_;
  std::map<std::string, Entry> entries_;
};

// The options of everything that a registry held when this was made: a value, to be a member of a stage's
// options.
class OwnOptions {
 public:
  template <typename T>
  explicit OwnOptions(const Registry<T>& registry) : kind_(registry.kind()) {
    for (const auto& [name, entry] : registry.entries())
      owners_.push_back({name, entry.prefix, entry.make(), entry.make(), entry.copy});
  }
  OwnOptions(const OwnOptions& other) : kind_(other.kind_) { *this = other; }
  OwnOptions& operator=(const OwnOptions& other) {
    if (this == &other) return *this;
    kind_ = other.kind_;
    owners_.clear();
    for (const Owner& owner : other.owners_)
      owners_.push_back(
          {owner.name, owner.prefix, owner.copy(*owner.now), owner.copy(*owner.untouched), owner.copy});
    return *this;
  }

  // All options under their full names, each counting only while one of the fields `chosen_by` holds its
  // owner's name, or "auto" where that stands for it.
  FieldList fields(const std::vector<std::string>& chosen_by,
                   const std::function<std::string()>& automatic = {}) {
    FieldList all;
    for (Owner& owner : owners_) {
      const FieldList untouched = owner.untouched->fields();
      for (Field& field : owner.now->fields()) {
        std::string before = field_text(find_field(untouched, field.name, owner.name));
        field.name = owner.prefix + field.name;
        field.owner = FieldOwner{kind_, owner.name, chosen_by, std::move(before), automatic};
        all.push_back(std::move(field));
      }
    }
    return all;
  }

  bool has(const std::string& name) const {
    return std::any_of(owners_.begin(), owners_.end(),
                       [&](const Owner& owner) { return owner.name == name; });
  }
  // The thing called `name` with these options. Throws kInvalidArgument if there is none.
  template <typename T>
  std::unique_ptr<T> take(const std::string& name) const {
    for (const Owner& owner : owners_)
      if (owner.name == name) {
        std::unique_ptr<Configurable> copy = owner.copy(*owner.now);
        return std::unique_ptr<T>(static_cast<T*>(copy.release()));
      }
    std::vector<std::string> names;
    for (const Owner& owner : owners_) names.push_back(owner.name);
    Registry<T>::unknown(kind_, name, names);
  }

 private:
  struct Owner {
    std::string name, prefix;
    std::unique_ptr<Configurable> now, untouched;
    std::function<std::unique_ptr<Configurable>(const Configurable&)> copy;
  };
  std::string kind_;
  std::vector<Owner> owners_;
};

}  // namespace hyperllm

#include "host/tables/value_words.h"

#include <fmt/format.h>

#include <vector>

namespace sparsepush {
namespace {

struct Words {
  bool exact;

  std::string operator()(const bool* v) const { return *v ? "true" : "false"; }
  std::string operator()(const std::string* v) const { return *v; }
  std::string operator()(const double* v) const { return exact ? fmt::format("{}", *v) : fmt::format("{:g}", *v); }
  template <class Integer>
  std::string operator()(const Integer* v) const {
    return fmt::format("{}", *v);
  }
  template <class Number>
  std::string operator()(const std::optional<Number>* v) const {
    return *v ? (*this)(&**v) : "auto";
  }
  template <class Number>
  std::string operator()(const std::vector<Number>* v) const {
    std::vector<std::string> words;
    for (const Number& number : *v) words.push_back((*this)(&number));
    return fmt::format("[{}]", fmt::join(words, ", "));
  }
};

std::string words(const Field& field, const Config& config, bool exact) {
  Config copy = config;
  return std::visit([&](const auto* member) { return Words{exact}(member); }, field.member(copy));
}

}  // namespace

std::string words_of_value(const Field& field, const Config& config) { return words(field, config, false); }

std::string exact_words_of_value(const Field& field, const Config& config) { return words(field, config, true); }

}  // namespace sparsepush

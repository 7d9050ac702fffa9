#include "data/files/pickle.h"

#include <map>
#include <utility>

#include "data/files/input_error.h"

namespace sparsepush {

/// The machine that makes the values: a stack, marks in it, and a memo.
class Pickle::Reader {
 public:
  Reader(Pickle& pickle, std::span<const std::byte> data, std::size_t most_values)
      : pickle_(pickle), data_(reinterpret_cast<const char*>(data.data()), data.size()), most_values_(most_values) {}

  std::size_t read() {
    expect(byte() == 0x80 && byte() == 2, "it does not begin as a pickle of protocol 2");
    for (char code = take(1)[0]; code != '.'; code = take(1)[0]) step(code);
    return pop();
  }

 private:
  using Numbers = std::vector<std::size_t>;
  using Kind = PickleValue::Kind;

  void expect(bool holds, std::string_view otherwise) const {
    if (!holds) throw InputError("{}: at byte {}: {}", pickle_.path_, at_, otherwise);
  }
  std::string_view take(std::uint64_t bytes) {
    expect(bytes <= data_.size() - at_, "it ends too early");
    at_ += bytes;
    return data_.substr(at_ - bytes, bytes);
  }
  std::uint8_t byte() { return static_cast<std::uint8_t>(take(1)[0]); }
  std::uint32_t little_endian(int bytes) {
    std::uint32_t number = 0;
    for (int i = 0; i < bytes; ++i) number |= std::uint32_t{byte()} << (8 * i);
    return number;
  }
  std::string_view line() {
    const std::size_t end = data_.find('\n', at_);
    expect(end != std::string_view::npos, "it ends too early");
    const std::string_view text = take(end - at_);
    take(1);
    return text;
  }

  void push(PickleValue value) {
    expect(pickle_.values_.size() < most_values_, "it has more values than such a file");
    pickle_.values_.push_back(std::move(value));
    stack_.push_back(pickle_.values_.size() - 1);
  }
  void push_integer(std::int64_t value) { push({.kind = Kind::kInteger, .integer = value}); }
  void push_sequence(Numbers items) { push({.kind = Kind::kSequence, .items = std::move(items)}); }
  std::size_t pop() {
    expect(stack_.size() > (marks_.empty() ? 0 : marks_.back()), "a value is missing");
    const std::size_t number = stack_.back();
    stack_.pop_back();
    return number;
  }
  Numbers pop_many(std::size_t count) {
    expect(stack_.size() >= count + (marks_.empty() ? 0 : marks_.back()), "a value is missing");
    Numbers items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }
  Numbers pop_to_mark() {
    expect(!marks_.empty(), "a mark is missing");
    Numbers items = pop_many(stack_.size() - marks_.back());
    marks_.pop_back();
    return items;
  }
  PickleValue& top(Kind kind) {
    expect(!stack_.empty() && pickle_.values_[stack_.back()].kind == kind, "a value is of another kind");
    return pickle_.values_[stack_.back()];
  }
  void extend(Kind kind, const Numbers& items) {
    PickleValue& value = top(kind);
    expect(kind == Kind::kSequence || items.size() % 2 == 0, "a key has no value");
    value.items.insert(value.items.end(), items.begin(), items.end());
  }
  void recall(std::uint32_t place) {
    const auto found = memo_.find(place);
    expect(found != memo_.end(), "it recalls what it has not");
    stack_.push_back(found->second);
  }
  void memorize(std::uint32_t place) {
    expect(!stack_.empty(), "a value is missing");
    memo_[place] = stack_.back();
  }

  const PickleValue& item(const PickleValue& sequence, std::size_t i, Kind kind) const {
    expect(sequence.kind == Kind::kSequence && i < sequence.items.size() &&
               pickle_.values_[sequence.items[i]].kind == kind,
           "an array is not as NumPy writes it");
    return pickle_.values_[sequence.items[i]];
  }

  void push_global() {
    const std::string_view module = line(), name = line();
    const bool makes_arrays =
        name == "_reconstruct" && (module == "numpy.core.multiarray" || module == "numpy._core.multiarray");
    expect(makes_arrays || (module == "numpy" && (name == "ndarray" || name == "dtype")),
           "it names what has no place in such a file");
    push({.kind = Kind::kGlobal, .bytes = name});
  }

  /// Makes what a call returns: NumPy's empty array, or a type of elements.
  void reduce() {
    const PickleValue arguments = pickle_.values_[pop()], function = pickle_.values_[pop()];
    expect(function.kind == Kind::kGlobal, "it calls what is no function");
    if (function.bytes == "_reconstruct") return push({.kind = Kind::kArray});
    expect(function.bytes == "dtype", "it calls what is no function");
    push({.kind = Kind::kType, .bytes = item(arguments, 0, Kind::kBytes).bytes});
  }

  /// Takes the state of an array, (version, shape, type, is in Fortran's order, bytes), or of a type, which does not
  /// matter.
  void build() {
    const PickleValue state = pickle_.values_[pop()];
    if (!stack_.empty() && pickle_.values_[stack_.back()].kind == Kind::kType) return;
    PickleValue& array = top(Kind::kArray);
    const std::string_view type = item(state, 2, Kind::kType).bytes;
    expect((type == "u1" || type == "|u1") && item(state, 3, Kind::kInteger).integer == 0,
           "an array has other elements than unsigned bytes, or another order");
    array.bytes = item(state, 4, Kind::kBytes).bytes;
    array.items = item(state, 1, Kind::kSequence).items;
  }

  void step(char code) {
    switch (code) {
      case '}':
        return push({.kind = Kind::kDict});
      case ']':
      case ')':
        return push_sequence({});
      case '(':
        return marks_.push_back(stack_.size());
      case 'N':
        return push({});
      case '\x88':
        return push_integer(1);
      case '\x89':
        return push_integer(0);
      case 'K':
        return push_integer(byte());
      case 'M':
        return push_integer(little_endian(2));
      case 'J':
        return push_integer(static_cast<std::int32_t>(little_endian(4)));
      case 'U':
        return push({.kind = Kind::kBytes, .bytes = take(byte())});
      case 'T':
      case 'X':
        return push({.kind = Kind::kBytes, .bytes = take(little_endian(4))});
      case 'q':
        return memorize(byte());
      case 'r':
        return memorize(little_endian(4));
      case 'h':
        return recall(byte());
      case 'j':
        return recall(little_endian(4));
      case 'a':
        return extend(Kind::kSequence, pop_many(1));
      case 'e':
        return extend(Kind::kSequence, pop_to_mark());
      case 's':
        return extend(Kind::kDict, pop_many(2));
      case 'u':
        return extend(Kind::kDict, pop_to_mark());
      case 't':
        return push_sequence(pop_to_mark());
      case '\x85':
        return push_sequence(pop_many(1));
      case '\x86':
        return push_sequence(pop_many(2));
      case '\x87':
        return push_sequence(pop_many(3));
      case 'c':
        return push_global();
      case 'R':
        return reduce();
      case 'b':
        return build();
      default:
        expect(false, "it has what such a file has not");
    }
  }

  Pickle& pickle_;
  std::string_view data_;
  std::size_t most_values_, at_ = 0;
  Numbers stack_, marks_;
  std::map<std::uint32_t, std::size_t> memo_;
};

Pickle::Pickle(std::span<const std::byte> data, const std::string& path, std::size_t most_values) : path_(path) {
  top_ = Reader(*this, data, most_values).read();
}

const PickleValue& Pickle::operator[](std::string_view key) const {
  const PickleValue& dict = values_[top_];
  if (dict.kind == PickleValue::kDict)
    for (std::size_t i = 0; i < dict.items.size(); i += 2)
      if (values_[dict.items[i]].kind == PickleValue::kBytes && values_[dict.items[i]].bytes == key)
        return values_[dict.items[i + 1]];
  throw InputError("{}: expected a dict with the key {}", path_, key);
}

}  // namespace sparsepush

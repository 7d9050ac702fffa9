// The little of Python's pickles that data files of NumPy arrays, lists and words are made of.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sparsepush {

/// A value of a pickle. Words and bytes stand in the pickle's memory; `items` are numbers for Pickle::value.
struct PickleValue {
  enum Kind { kNone, kInteger, kBytes, kGlobal, kSequence, kDict, kArray, kType };
  Kind kind = kNone;
  std::int64_t integer = 0;             ///< also True, as 1, and False, as 0
  std::string_view bytes = {};          ///< a word, bytes or an array's elements; the name of a global or a type
  std::vector<std::size_t> items = {};  ///< a sequence's values; a dict's keys and values in turn; an array's shape
};

/// A pickle of protocol 2, as Python 2 wrote data sets: dicts, lists and tuples of whole numbers, words and arrays of
/// unsigned bytes. Reading it runs nothing: of all names only those by which NumPy makes arrays are known. Throws
/// InputError that names the file where there is anything else. Memory is bounded by the number of values, of which at
/// most `most_values` are read.
class Pickle {
 public:
  /// Reads `data`, which must outlive it; `path` names the file in errors.
  Pickle(std::span<const std::byte> data, const std::string& path, std::size_t most_values);

  /// Returns the value under `key` of the dict that the pickle holds. Throws InputError where there is none.
  const PickleValue& operator[](std::string_view key) const;
  /// Returns the value that PickleValue::items calls `number`.
  const PickleValue& value(std::size_t number) const { return values_[number]; }

 private:
  class Reader;
  std::string path_;
  std::vector<PickleValue> values_;
  std::size_t top_ = 0;
};

}  // namespace sparsepush

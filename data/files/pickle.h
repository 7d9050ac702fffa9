// The little of Python's pickles that data files of NumPy arrays, lists and words are made of.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sparsepush {

/// A value of a pickle. Words and bytes stand in the pickle's memory, other values in the list of all.
struct PickleValue {
  enum Kind { kNone, kInteger, kBytes, kGlobal, kSequence, kDict, kArray, kType };
  Kind kind = kNone;
  std::int64_t integer = 0;     ///< also of True and False
  std::string_view bytes = {};  ///< of words, bytes and array elements; the name of a global or of an array's type
  std::vector<std::size_t> items = {};  ///< of a sequence; of a dict keys and values in turn; an array's shape
};

/// A pickle of protocol 2, as Python 2 wrote those of data sets: dicts, lists and tuples of whole numbers, words and
/// arrays of unsigned bytes. It runs nothing: of all names only those by which NumPy makes arrays are known. Throws
/// InputError that names the file where there is anything else. Memory is bounded by the number of values, of which at
/// most `most_values` are read.
class Pickle {
 public:
  /// `data` must stay.
  Pickle(std::span<const std::byte> data, const std::string& path, std::size_t most_values);

  /// The value under `key` of the dict that the pickle holds.
  const PickleValue& operator[](std::string_view key) const;
  const PickleValue& value(std::size_t number) const { return values_[number]; }

 private:
  class Reader;
  std::string path_;
  std::vector<PickleValue> values_;
  std::size_t top_ = 0;
};

}  // namespace sparsepush

// The safetensors file format: an 8-byte little-endian header size, a JSON header, the tensors' bytes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "data/files/durable_file.h"
#include "data/files/mapped_file.h"

namespace sparsepush {

/// Name, type and shape of one tensor of a file. dtype is one of "F32", "F64", "I64", "U8".
struct TensorInfo {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
};

/// A file opened for reading, mapped into memory. Everything its header claims is checked against the file's size when
/// it is opened: a truncated, overlapping, oversized or malformed file throws InputError that names the file.
class SafetensorsReader {
 public:
  explicit SafetensorsReader(const std::string& path);

  const std::string& path() const { return path_; }
  const std::vector<TensorInfo>& tensors() const { return infos_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  bool contains(const std::string& name) const;
  const TensorInfo& info(const std::string& name) const;  ///< throws InputError if there is none

  /// Reads the elements of a tensor, row-major. Throws InputError unless it exists with T's dtype (float F32, double
  /// F64, std::int64_t I64, std::uint8_t U8).
  template <class T>
  std::vector<T> read(const std::string& name) const;
  /// Reads elements [first, first + out.size()) of a tensor. Throws InputError unless it has them, with T's dtype.
  template <class T>
  void read_part(const std::string& name, std::int64_t first, std::span<T> out) const;

 private:
  std::size_t index_of(const std::string& name) const;
  template <class T>
  std::span<const std::byte> bytes_of(const std::string& name) const;

  std::string path_;
  MappedFile file_;
  std::vector<TensorInfo> infos_;                  ///< in the order of their bytes in the file
  std::vector<std::span<const std::byte>> bytes_;  ///< each tensor's, inside file_; not aligned
  std::map<std::string, std::string> metadata_;
};

/// Writes a file under a temporary name beside `path`; `commit` syncs it and renames it to `path`, so that `path` is
/// always either the old file or the complete new one. Without commit the temporary file is removed.
/// Throws std::runtime_error naming the file when the disk is full or a call fails.
class SafetensorsWriter {
 public:
  /// Creates the file with its header. Each tensor's bytes begin at a multiple of its element's size.
  SafetensorsWriter(const std::string& path, const std::vector<TensorInfo>& tensors,
                    const std::map<std::string, std::string>& metadata);

  /// Writes elements [first, first + values.size()) of a tensor. May be called from several threads at once.
  template <class T>
  void write(const std::string& name, std::int64_t first, std::span<const T> values);
  void commit() { file_->commit(); }

 private:
  struct Place {
    TensorInfo info;
    std::int64_t begin = 0;  ///< where the tensor's bytes begin in the file
    std::int64_t elements = 0;
  };
  std::map<std::string, Place> places_;
  std::unique_ptr<ReplacingFile> file_;
};

}  // namespace sparsepush

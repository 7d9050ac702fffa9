// Files that are read as memory.
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "data/files/durable_file.h"

namespace sparsepush {

/// The content of a file, mapped into memory as long as this lives.
class MappedFile {
 public:
  /// Maps the first `bytes` bytes, at least one, of `file`, which need not stay open. Throws std::runtime_error that
  /// names `path`.
  MappedFile(const OpenFile& file, std::size_t bytes, const std::string& path);

  std::span<const std::byte> bytes() const { return {data_.get(), data_.get_deleter().bytes}; }

 private:
  struct Unmap {
    std::size_t bytes;
    void operator()(const std::byte* data) const noexcept;
  };
  std::unique_ptr<const std::byte, Unmap> data_;
};

}  // namespace sparsepush

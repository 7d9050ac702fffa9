#include "data/files/mapped_file.h"

#include <sys/mman.h>

#include <cerrno>

namespace sparsepush {

MappedFile::MappedFile(const OpenFile& file, std::size_t bytes, const std::string& path)
    : data_(nullptr, Unmap{bytes}) {
  void* const data = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
  if (data == MAP_FAILED) throw_file_error("map", path, errno);
  data_.reset(static_cast<const std::byte*>(data));
}

void MappedFile::Unmap::operator()(const std::byte* data) const noexcept {
  munmap(const_cast<std::byte*>(data), bytes);
}

}  // namespace sparsepush

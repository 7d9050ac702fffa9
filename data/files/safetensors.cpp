#include "data/files/safetensors.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>
#include <type_traits>

#include "data/files/input_error.h"
#include "data/files/quotes.h"
#include "data/files/safetensors_header.h"
#include "kernels/backend/check.h"

namespace sparsepush {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are copied to the file as they are");

constexpr std::int64_t kSizeBytes = 8;                 // the number before the header
constexpr std::int64_t kMaxHeaderBytes = 100'000'000;  // the limit of the format's reference implementation
constexpr std::int64_t kAlignment = 8;                 // the data part begins at a multiple of it

template <class T>
constexpr const char* dtype_of() {
  if constexpr (std::is_same_v<T, float>) return "F32";
  if constexpr (std::is_same_v<T, double>) return "F64";
  if constexpr (std::is_same_v<T, std::int64_t>) return "I64";
  if constexpr (std::is_same_v<T, std::uint8_t>) return "U8";
}

/// Maps a whole regular file, which must have at least kSizeBytes bytes.
MappedFile map_file(const std::string& path) {
  // O_NONBLOCK: a named pipe must be refused, not waited for.
  const OpenFile file(path, O_RDONLY | O_NONBLOCK);
  struct stat status;
  if (fstat(file.descriptor(), &status) != 0) throw_file_error("examine", path, errno);
  if (!S_ISREG(status.st_mode)) {
    throw InputError("{}: expected a safetensors file, this is a {}", path,
                     S_ISDIR(status.st_mode) ? "folder" : "special file");
  }
  if (status.st_size < kSizeBytes) {
    throw InputError("{}: expected a safetensors file, this has only {} bytes", path, status.st_size);
  }
  return MappedFile(file, status.st_size, path);
}

MappedFile open_for_reading(const std::string& path) {
  try {
    return map_file(path);
  } catch (const InputError&) {
    throw;
  } catch (const std::runtime_error& error) {
    throw InputError(error.what());
  }
}

/// Returns the size of the JSON header that `file` begins with.
std::int64_t header_bytes(std::span<const std::byte> file, const std::string& path) {
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, file.data(), kSizeBytes);
  if (bytes > kMaxHeaderBytes) {
    throw InputError("{}: not a safetensors file: it claims a header of {} bytes; expected at most {}", path, bytes,
                     kMaxHeaderBytes);
  }
  if (bytes > file.size() - kSizeBytes) {
    throw InputError("{}: truncated: it claims a header of {} bytes, but has only {} bytes in all", path, bytes,
                     file.size());
  }
  return static_cast<std::int64_t>(bytes);
}

std::string header_text(const std::vector<HeaderTensor>& tensors, const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  for (const HeaderTensor& tensor : tensors) {
    header[tensor.info.name] = {
        {"dtype", tensor.info.dtype}, {"shape", tensor.info.shape}, {"data_offsets", {tensor.begin, tensor.end}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  return text;
}

/// Places the tensors one after the other, the widest elements first, so that each begins at a multiple of its
/// element's size.
std::vector<HeaderTensor> lay_out(const std::vector<TensorInfo>& tensors) {
  std::vector<HeaderTensor> placed;
  for (const TensorInfo& info : tensors) placed.push_back({.info = info});
  std::ranges::stable_sort(placed, std::greater{}, [](const HeaderTensor& t) { return dtype_bytes(t.info.dtype); });
  std::int64_t end = 0;
  for (HeaderTensor& tensor : placed) {
    const std::int64_t item_bytes = dtype_bytes(tensor.info.dtype);
    CHECK(item_bytes > 0, "tensor ", tensor.info.name, " has dtype ", tensor.info.dtype);
    const auto elements = element_count(tensor.info.shape, (INT64_MAX - end) / item_bytes);
    CHECK(elements.has_value(), "the shape of tensor ", tensor.info.name, " is negative or too large");
    tensor.begin = end;
    tensor.end = end += *elements * item_bytes;
  }
  return placed;
}

}  // namespace

SafetensorsReader::SafetensorsReader(const std::string& path) : path_(path), file_(open_for_reading(path)) {
  const std::span<const std::byte> file = file_.bytes();
  const std::int64_t json_bytes = header_bytes(file, path);
  const std::string_view json(reinterpret_cast<const char*>(file.data()) + kSizeBytes, json_bytes);
  const auto data = file.subspan(kSizeBytes + json_bytes);
  SafetensorsHeader header = parse_safetensors_header(json, static_cast<std::int64_t>(data.size()), path);
  for (HeaderTensor& tensor : header.tensors) {
    infos_.push_back(std::move(tensor.info));
    bytes_.push_back(data.subspan(tensor.begin, tensor.end - tensor.begin));
  }
  metadata_ = std::move(header.metadata);
}

bool SafetensorsReader::contains(const std::string& name) const {
  return std::ranges::find(infos_, name, &TensorInfo::name) != infos_.end();
}

std::size_t SafetensorsReader::index_of(const std::string& name) const {
  const auto found = std::ranges::find(infos_, name, &TensorInfo::name);
  if (found == infos_.end()) throw InputError("{}: expected a tensor {}; there is none", path_, in_quotes_short(name));
  return found - infos_.begin();
}

const TensorInfo& SafetensorsReader::info(const std::string& name) const { return infos_[index_of(name)]; }

template <class T>
std::span<const std::byte> SafetensorsReader::bytes_of(const std::string& name) const {
  const std::size_t index = index_of(name);
  if (infos_[index].dtype != dtype_of<T>()) {
    throw InputError("{}: tensor {} has dtype {}; expected {}", path_, in_quotes_short(name), infos_[index].dtype,
                     dtype_of<T>());
  }
  return bytes_[index];
}

template <class T>
std::vector<T> SafetensorsReader::read(const std::string& name) const {
  std::vector<T> values(bytes_of<T>(name).size() / sizeof(T));
  read_part<T>(name, 0, values);
  return values;
}

template <class T>
void SafetensorsReader::read_part(const std::string& name, std::int64_t first, std::span<T> out) const {
  const auto bytes = bytes_of<T>(name);
  const auto elements = static_cast<std::int64_t>(bytes.size() / sizeof(T));
  const auto count = static_cast<std::int64_t>(out.size());
  if (first < 0 || count > elements || first > elements - count) {
    throw InputError("{}: tensor {} has {} elements; expected {} from number {} on", path_, in_quotes_short(name),
                     elements, count, first);
  }
  if (!out.empty()) std::memcpy(out.data(), bytes.data() + first * sizeof(T), out.size_bytes());
}

SafetensorsWriter::SafetensorsWriter(const std::string& path, const std::vector<TensorInfo>& tensors,
                                     const std::map<std::string, std::string>& metadata) {
  const std::vector<HeaderTensor> placed = lay_out(tensors);
  const std::string text = header_text(placed, metadata);
  const std::int64_t data_begin = kSizeBytes + static_cast<std::int64_t>(text.size());
  for (const HeaderTensor& tensor : placed) {
    const std::int64_t elements = (tensor.end - tensor.begin) / dtype_bytes(tensor.info.dtype);
    const bool is_new =
        places_.emplace(tensor.info.name, Place{tensor.info, data_begin + tensor.begin, elements}).second;
    CHECK(is_new, "tensor ", tensor.info.name, " is there twice");
  }
  file_ = std::make_unique<ReplacingFile>(path, data_begin + (placed.empty() ? 0 : placed.back().end));
  const std::uint64_t json_bytes = text.size();
  file_->write_at(0, std::as_bytes(std::span(&json_bytes, 1)));
  file_->write_at(kSizeBytes, std::as_bytes(std::span(text)));
}

template <class T>
void SafetensorsWriter::write(const std::string& name, std::int64_t first, std::span<const T> values) {
  const auto found = places_.find(name);
  CHECK(found != places_.end(), "there is no tensor ", name);
  const Place& place = found->second;
  CHECK(place.info.dtype == dtype_of<T>(), name, " has dtype ", place.info.dtype);
  const auto count = static_cast<std::int64_t>(values.size());
  CHECK(first >= 0 && count <= place.elements && first <= place.elements - count, name, ": elements ", first, " to ",
        first + count, " of ", place.elements);
  file_->write_at(place.begin + first * static_cast<std::int64_t>(sizeof(T)), std::as_bytes(values));
}

template std::vector<float> SafetensorsReader::read(const std::string&) const;
template std::vector<double> SafetensorsReader::read(const std::string&) const;
template std::vector<std::int64_t> SafetensorsReader::read(const std::string&) const;
template std::vector<std::uint8_t> SafetensorsReader::read(const std::string&) const;
template void SafetensorsReader::read_part(const std::string&, std::int64_t, std::span<float>) const;
template void SafetensorsReader::read_part(const std::string&, std::int64_t, std::span<double>) const;
template void SafetensorsReader::read_part(const std::string&, std::int64_t, std::span<std::int64_t>) const;
template void SafetensorsReader::read_part(const std::string&, std::int64_t, std::span<std::uint8_t>) const;
template void SafetensorsWriter::write(const std::string&, std::int64_t, std::span<const float>);
template void SafetensorsWriter::write(const std::string&, std::int64_t, std::span<const double>);
template void SafetensorsWriter::write(const std::string&, std::int64_t, std::span<const std::int64_t>);
template void SafetensorsWriter::write(const std::string&, std::int64_t, std::span<const std::uint8_t>);

}  // namespace sparsepush

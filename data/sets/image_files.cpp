#include "data/sets/image_files.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "data/files/gzip.h"
#include "data/files/input_error.h"
#include "kernels/backend/check.h"

namespace sparsepush {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPacked = ".gz";
constexpr std::int64_t kMostOverhead = 1 << 20;  // bytes of headers, and of what does not get smaller

ByteScale standardizing(const ChannelStatistics& of) {
  return {.scale = static_cast<float>(1 / (255 * of.deviation)), .offset = static_cast<float>(-of.mean / of.deviation)};
}

}  // namespace

void set_image(Dataset* set, const ImageShape& image, std::span<const ChannelStatistics> channels) {
  CHECK(channels.size() == static_cast<std::size_t>(image.channels), "channels ", image.channels, ", statistics of ",
        channels.size());
  set->image = image;
  set->features = image.size();
  for (const ChannelStatistics& channel : channels) set->channel.push_back(standardizing(channel));
}

SetFolder::SetFolder(const std::string& name, const std::string& path)
    : path_(path), command_("data/fetch.sh " + name) {
  if (path != "data/" + name) command_ += " " + path;
  std::error_code error;
  if (!fs::exists(path, error))
    throw InputError("data.path: no folder \"{}\" with the files of {}; \"{}\" gets them", path, name, command_);
  if (!fs::is_directory(path, error))
    throw InputError("data.path: expected a folder with the files of {}, got \"{}\"", name, path);
}

void SetFolder::enter(const std::string& subfolder, const std::string& file) {
  std::error_code error;
  if (!fs::exists(find(file), error) && fs::exists(find(subfolder + "/" + file), error)) path_ = path_of(subfolder);
}

std::string SetFolder::find(const std::string& file) const {
  std::string dotted = file;
  if (const std::size_t dash = file.rfind("-idx"); dash != std::string::npos) dotted[dash] = '.';
  std::error_code error;
  for (const std::string& name : {file, dotted, file + kPacked, dotted + kPacked})
    if (fs::exists(path_of(name), error)) return path_of(name);
  return path_of(file);
}

SetFile::SetFile(const SetFolder& folder, const std::string& file, std::int64_t bytes, const std::string& content)
    : path_(folder.find(file)) {
  std::error_code error;
  const fs::file_status status = fs::status(path_, error);
  if (!fs::exists(status)) throw InputError("{}: no such file; \"{}\" gets it", path_, folder.command());
  if (!fs::is_regular_file(status))  // a pipe would be waited for
    throw InputError("{}: expected a regular file", path_);
  const auto size = static_cast<std::int64_t>(fs::file_size(path_, error));
  if (error) throw InputError("{}: cannot be examined: {}", path_, error.message());
  if (path_.ends_with(kPacked)) {
    unpack(bytes);
    return;
  }
  if (size != bytes)
    throw InputError("{}: expected {} bytes, {}; got {}; \"{}\" gets another copy once this one is gone", path_, bytes,
                     content, size, folder.command());
  stream_.open(path_, std::ios::binary);
  if (!stream_) throw InputError("{}: cannot be opened: {}", path_, std::strerror(errno));
}

void SetFile::unpack(std::int64_t bytes) {
  const auto size = static_cast<std::int64_t>(fs::file_size(path_));
  if (size > bytes + kMostOverhead)  // what cannot be packed grows by less
    throw InputError("{}: expected at most {} bytes, got {}", path_, bytes + kMostOverhead, size);
  std::vector<std::uint8_t> packed(size);
  std::ifstream stream(path_, std::ios::binary);
  if (!stream.read(reinterpret_cast<char*>(packed.data()), size))
    throw InputError("{}: cannot be read: {}", path_, std::strerror(errno));
  unpacked_ = gunzip(packed, bytes, path_);
}

void SetFile::read(std::span<std::uint8_t> bytes) {
  if (path_.ends_with(kPacked)) {
    if (unpacked_.size() - at_ < bytes.size()) throw InputError("{}: cannot be read: it ends early", path_);
    std::copy_n(unpacked_.begin() + static_cast<std::ptrdiff_t>(at_), bytes.size(), bytes.begin());
    at_ += bytes.size();
    return;
  }
  if (!stream_.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size())))
    throw InputError("{}: cannot be read: {}", path_, stream_.bad() ? std::strerror(errno) : "it ends early");
}

}  // namespace sparsepush

#include "data/sets/image_files.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "data/files/input_error.h"
#include "kernels/backend/check.h"

namespace sparsepush {
namespace {

namespace fs = std::filesystem;

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
  if (!fs::exists(path_of(file), error) && fs::exists(path_of(subfolder + "/" + file), error))
    path_ = path_of(subfolder);
}

SetFile::SetFile(const SetFolder& folder, const std::string& file, std::int64_t bytes, const std::string& content)
    : path_(folder.path_of(file)) {
  std::error_code error;
  const fs::file_status status = fs::status(path_, error);
  if (!fs::exists(status)) throw InputError("{}: no such file; \"{}\" gets it", path_, folder.command());
  if (!fs::is_regular_file(status))  // a pipe would be waited for
    throw InputError("{}: expected a regular file", path_);
  const auto size = static_cast<std::int64_t>(fs::file_size(path_, error));
  if (error) throw InputError("{}: cannot be examined: {}", path_, error.message());
  if (size != bytes)
    throw InputError("{}: expected {} bytes, {}; got {}; \"{}\" gets another copy once this one is gone", path_, bytes,
                     content, size, folder.command());
  stream_.open(path_, std::ios::binary);
  if (!stream_) throw InputError("{}: cannot be opened: {}", path_, std::strerror(errno));
}

void SetFile::read(std::span<std::uint8_t> bytes) {
  if (!stream_.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size())))
    throw InputError("{}: cannot be read: {}", path_, stream_.bad() ? std::strerror(errno) : "it ends early");
}

}  // namespace sparsepush

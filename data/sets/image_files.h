// What the image sets that are read from files have in common.
#pragma once
#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "data/sets/dataset.h"

namespace sparsepush {

/// Mean and standard deviation of a channel over the training set, of pixels from 0 to 1.
struct ChannelStatistics {
  double mean = 0, deviation = 1;
};

/// Fills in image, features and channel, such that the training set's features have mean 0 and deviation 1 in every
/// channel.
void set_image(Dataset* set, const ImageShape& image, std::span<const ChannelStatistics> channels);

/// The folder of a set, where its files are.
class SetFolder {
 public:
  /// Looks for the folder `path`; `name` is what data/fetch.sh calls the set. Throws InputError if there is no such
  /// folder.
  SetFolder(const std::string& name, const std::string& path);

  /// Goes into `subfolder` if that has the set's file `file` and the folder itself has not.
  void enter(const std::string& subfolder, const std::string& file);

  std::string path_of(const std::string& file) const { return path_ + "/" + file; }
  /// Returns the path of the set's file `file` under any of the names that it has: with a dot instead of the dash
  /// before "idx", and as gzip packs it. Where there is none, returns the path of `file` itself.
  std::string find(const std::string& file) const;
  /// Returns the command that gets the set.
  const std::string& command() const { return command_; }

 private:
  std::string path_, command_;
};

/// A regular file of a set, which may be packed by gzip, read front to back.
class SetFile {
 public:
  /// Opens the file. Throws InputError unless it has `bytes` bytes, which `content` describes. Reads none of them yet,
  /// unless it is packed.
  SetFile(const SetFolder& folder, const std::string& file, std::int64_t bytes, const std::string& content);

  /// Reads the next bytes. Throws InputError if there are too few.
  void read(std::span<std::uint8_t> bytes);
  const std::string& path() const { return path_; }

 private:
  void unpack(std::int64_t bytes);

  std::string path_;
  std::ifstream stream_;
  std::vector<std::uint8_t> unpacked_;  ///< what a packed file holds
  std::size_t at_ = 0;                  ///< position of the next byte in it
};

}  // namespace sparsepush

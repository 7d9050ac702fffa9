#include "host/comparison/compare_files.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/files/same_content.h"
#include "host/listing/aligned.h"

namespace sparsepush {
namespace {
namespace fs = std::filesystem;

std::vector<std::string> files_of(const fs::path& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (auto entry = fs::recursive_directory_iterator(folder, error); !error && entry != fs::end(entry);
       entry.increment(error)) {
    std::error_code unknown;  // a link that leads nowhere
    const bool is_hidden = entry->path().filename().string().starts_with('.');
    if (entry->is_regular_file(unknown) && !is_hidden)
      files.push_back(entry->path().lexically_relative(folder).string());
  }
  std::ranges::sort(files);
  return files;
}

bool is_among(const std::vector<std::string>& files, const std::string& name) {
  return std::ranges::binary_search(files, name);
}

}  // namespace

bool ComparedFiles::are_equal(const std::string& name) const { return is_among(equal, name); }

bool ComparedFiles::are_different(const std::string& name) const { return is_among(different, name); }

ComparedFiles compare_files(const fs::path& a, const fs::path& b) {
  const std::vector<std::string> of_a = files_of(a), of_b = files_of(b);
  ComparedFiles files;
  for (const std::string& name : of_a) {
    if (!is_among(of_b, name))
      files.only_in_a.push_back(name);
    else
      (have_same_content(a / name, b / name) ? files.equal : files.different).push_back(name);
  }
  std::ranges::set_difference(of_b, of_a, std::back_inserter(files.only_in_b));
  return files;
}

std::string describe_files(const ComparedFiles& files) {
  std::string text;
  const auto add = [&](const char* what, std::vector<std::string> names) {
    for (std::string& name : names) name = on_one_line(name);
    if (!names.empty()) text += fmt::format("{}: {}\n", what, fmt::join(names, ", "));
  };
  add("files of equal content", files.equal);
  add("files of different content", files.different);
  add("files of A only", files.only_in_a);
  add("files of B only", files.only_in_b);
  return text;
}

}  // namespace sparsepush

#include "data/files/unsynced_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "data/files/durable_file.h"

namespace sparsepush {

void replace_unsynced(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".tmp";
  try {
    OpenFile(temporary, O_WRONLY | O_CREAT | O_TRUNC).append(text);
    if (rename(temporary.c_str(), path.c_str()) != 0) throw_file_error("replace", path, errno);
  } catch (...) {
    unlink(temporary.c_str());
    throw;
  }
}

}  // namespace sparsepush

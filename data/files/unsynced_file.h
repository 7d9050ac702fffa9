// Files that a kill of the process leaves whole, but perhaps not a crash of the machine.
#pragma once
#include <string>

namespace sparsepush {

/// Replaces the file `path` by `text`, as replace_file does, without waiting for the disk: for what is written often,
/// or synced later. Throws std::runtime_error naming the file.
void replace_unsynced(const std::string& path, const std::string& text);

}  // namespace sparsepush

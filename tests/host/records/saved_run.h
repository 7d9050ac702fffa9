// Checkpoints of runs in tests.
#pragma once
#include <memory>
#include <string>

#include "host/records/checkpoint.h"
#include "tests/temporary_folder.h"

namespace sparsepush {

/// The bytes of the checkpoint that a run would leave now, at `path`. All shards call it with the same `file`.
template <class Backend>
std::string checkpoint_of(Emulator<Backend>& emulator, std::unique_ptr<SafetensorsWriter>& file,
                          const std::string& path) {
  Transport<Backend>& transport = emulator.nodes().transport;
  const bool first = transport.shard().index == 0;
  if (first) file = std::make_unique<SafetensorsWriter>(open_checkpoint(path, emulator));
  write_checkpoint(first ? file.get() : nullptr, emulator, counts_to_save(emulator));
  if (first) file->commit();
  transport.barrier();
  return read_file(path);
}

}  // namespace sparsepush

// A checkpoint's file, which shard 0 alone has, for all shards: rows of the others pass through it.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/files/safetensors.h"
#include "host/transports/transport.h"

namespace sparsepush {

/// What every shard writes to one file, some rows at a time. All shards make one and then call `finish`.
template <class Backend>
class CheckpointWriter {
 public:
  /// `file` is shard 0's, null elsewhere.
  CheckpointWriter(Transport<Backend>& transport, SafetensorsWriter* file) : transport_(transport), file_(file) {}

  /// Writes elements [first, first + values.size()) of a tensor; returns, elsewhere than in shard 0, when that has
  /// them.
  template <class T>
  void write(const std::string& name, std::int64_t first, std::span<const T> values);
  /// Shard 0 writes what the others have, in shard order; returns when they have no more.
  void finish();

 private:
  template <class T>
  void take(int from, const std::string& name, std::int64_t first, std::int64_t count);

  Transport<Backend>& transport_;
  SafetensorsWriter* file_;
};

/// What every shard reads of one file, likewise.
template <class Backend>
class CheckpointReader {
 public:
  CheckpointReader(Transport<Backend>& transport, const SafetensorsReader* file) : transport_(transport), file_(file) {}

  /// Reads elements [first, first + out.size()) of a tensor.
  template <class T>
  void read(const std::string& name, std::int64_t first, std::span<T> out);
  /// Returns the only element of a tensor of integers.
  std::int64_t number(const std::string& name);
  /// Shard 0 reads for the others, in shard order; returns when they want no more.
  void finish();

 private:
  template <class T>
  void serve(int to, const std::string& name, std::int64_t first, std::int64_t count);

  Transport<Backend>& transport_;
  const SafetensorsReader* file_;
};

}  // namespace sparsepush

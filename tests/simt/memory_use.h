// Which memory exchanges between simulated GPUs use, so that others' use of it shows.
#pragma once
#include <cstddef>

namespace simt {

class Stream;

struct MemoryRange {
  const void* first = nullptr;
  std::size_t bytes = 0;
};
bool overlap(const MemoryRange& a, const MemoryRange& b);

enum class Access { kRead, kWrite, kFree };

/// A range that an exchange on `stream` will read or write, until this is destroyed. Constructed, changed and destroyed
/// by who holds `gpu`.
class MemoryUse {
 public:
  MemoryUse(const MemoryRange& range, Access access, const Stream* stream);
  ~MemoryUse();
  MemoryUse(const MemoryUse&) = delete;
  MemoryUse& operator=(const MemoryUse&) = delete;

  /// To be called when the stream has come to it.
  void begin() { has_begun_ = true; }
  bool has_begun() const { return has_begun_; }
  /// Whether access by another stream could meet it; no stream is another one than all.
  bool conflicts(const MemoryRange& range, Access access, const Stream* by) const;

 private:
  MemoryRange range_;
  Access access_;
  const Stream* stream_;
  bool has_begun_ = false;
};

/// Whether an exchange, even one that has not begun, could meet such access by another stream.
bool is_used(const MemoryRange& range, Access access, const Stream* by);
/// Throws Error if an exchange that has begun meets such access; freed memory also if it has not.
void check_unused(const MemoryRange& range, Access access, const Stream* by);

}  // namespace simt

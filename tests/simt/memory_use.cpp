#include "tests/simt/memory_use.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "tests/simt/simt.h"

namespace simt {
namespace {

std::vector<const MemoryUse*> uses;

const unsigned char* end_of(const MemoryRange& range) {
  return static_cast<const unsigned char*>(range.first) + range.bytes;
}

}  // namespace

bool overlap(const MemoryRange& a, const MemoryRange& b) {
  const std::less<const void*> before;
  return a.bytes > 0 && b.bytes > 0 && before(a.first, end_of(b)) && before(b.first, end_of(a));
}

MemoryUse::MemoryUse(const MemoryRange& range, Access access, const Stream* stream)
    : range_(range), access_(access), stream_(stream) {
  uses.push_back(this);
}
MemoryUse::~MemoryUse() { std::erase(uses, this); }

bool MemoryUse::conflicts(const MemoryRange& range, Access access, const Stream* by) const {
  return by != stream_ && (access != Access::kRead || access_ != Access::kRead) && overlap(range, range_);
}

bool is_used(const MemoryRange& range, Access access, const Stream* by) {
  return std::ranges::any_of(uses, [&](const MemoryUse* use) { return use->conflicts(range, access, by); });
}

void check_unused(const MemoryRange& range, Access access, const Stream* by) {
  for (const MemoryUse* use : uses)
    if ((use->has_begun() || access == Access::kFree) && use->conflicts(range, access, by))
      throw Error("simt: memory is used, or freed, that an exchange under way still uses");
}

}  // namespace simt

#include "kernels/backend/queued_array.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/backends.h"

namespace sparsepush {
namespace {

template <class Backend>
class QueuedArrayOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(QueuedArrayOn, Backends);

TYPED_TEST(QueuedArrayOn, OpsSeeWhatWasAssignedBeforeThem) {
  for_each_stream_order<TypeParam>([] {
    const TypeParam backend = tested_backend<TypeParam>();
    QueuedArray<TypeParam, int> array(backend, 3);
    std::vector<std::unique_ptr<Buffer<TypeParam, int>>> seen;
    const auto look = [&] {
      seen.push_back(std::make_unique<Buffer<TypeParam, int>>(backend, 1, 3));
      copy_within(backend, seen.back()->span().data(), array.span().data(), array.span().size_bytes());
    };
    look();
    for (int i = 1; i <= 12; ++i) {  // more than are staged
      array.assign(std::vector<int>{i, 2 * i, 3 * i});
      look();
      if (i % 3 == 0) look();  // nothing new
    }
    std::size_t at = 0;
    for (int i = 0; i <= 12; ++i)
      for (int looks = i > 0 && i % 3 == 0 ? 2 : 1; looks > 0; --looks)
        EXPECT_EQ(seen[at++]->to_host(), (std::vector<int>{i, 2 * i, 3 * i})) << i;
  });
}

}  // namespace
}  // namespace sparsepush

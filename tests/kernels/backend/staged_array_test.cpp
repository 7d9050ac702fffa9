#include "kernels/backend/staged_array.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "kernels/backend/event.h"
#include "tests/backends.h"

namespace sparsepush {
namespace {

template <class Backend>
class StagedArrayOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(StagedArrayOn, Backends);

TYPED_TEST(StagedArrayOn, ReachesTheOpsBehindTheEventOfItsUpload) {
  for_each_stream_order<TypeParam>([] {
    const TypeParam backend = tested_backend<TypeParam>();
    StagedArray<TypeParam, int> array(backend, 4, 3);
    const Buffer<TypeParam, int> seen(backend, 1, 12);
    Event<TypeParam> uploaded(backend), read(backend);
    std::vector<int> expected(12, 0);
    for (int i = 0; i < 5; ++i) {
      wait_for(uploaded);
      for (const int row : {1, 2}) {
        std::fill_n(array.host().row(row), 3, 10 * i + row);
        std::fill_n(expected.begin() + row * 3, 3, 10 * i + row);
      }
      wait_for(Queue::kUploads, read);
      array.upload(1, 2);
      uploaded.record(Queue::kUploads);
      wait_for(Queue::kOps, uploaded);
      copy_within(backend, seen.span().data(), array.span().data(), array.span().size_bytes());
      read.record(Queue::kOps);
    }
    EXPECT_EQ(seen.to_host(), expected);
  });
}

}  // namespace
}  // namespace sparsepush

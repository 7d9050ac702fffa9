#include "host/recipe/message_bytes.h"

#include <gtest/gtest.h>

namespace sparsepush {
namespace {

TEST(MessageBytes, ConventionsCountAsTheirAuthorsDo) {
  const MessageBytes bytes = sparse_message_bytes(269'722, 300);
  EXPECT_EQ(bytes.authors, 1803);
  EXPECT_EQ(bytes.coo32, 2404);
  EXPECT_EQ(bytes.dense, 1'078'892);
  EXPECT_EQ(sparse_message_bytes(3'000'000'000, 1).dense, 12'000'000'004);
}

}  // namespace
}  // namespace sparsepush

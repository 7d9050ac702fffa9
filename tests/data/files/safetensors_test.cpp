#include "data/files/safetensors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <thread>

#include "data/files/input_error.h"
#include "tests/temporary_folder.h"

namespace sparsepush {
namespace {

class Safetensors : public testing::Test {
 protected:
  TemporaryFolder folder_;
  const std::string path_ = folder_ / "state.safetensors";
};

TEST_F(Safetensors, WhatIsWrittenIsRead) {
  const std::vector<float> x = {1.5f, -0.0f, 3e-42f, INFINITY, 5};
  const std::vector<double> u = {0.1, 1e300};
  const std::vector<std::int64_t> step = {INT64_MIN};
  const std::vector<std::uint8_t> flags = {0, 255, 7};
  SafetensorsWriter writer(
      path_,
      {{"flags", "U8", {3}}, {"x", "F32", {1, 5}}, {"u", "F64", {2}}, {"step", "I64", {1}}, {"none", "F32", {0}}},
      {{"hash", "ab\"\n"}, {"layout", "64x10"}});
  writer.write<float>("x", 2, std::span(x).subspan(2));
  writer.write<float>("x", 0, std::span(x).first(2));
  writer.write<double>("u", 0, u);
  writer.write<std::int64_t>("step", 0, step);
  writer.write<std::uint8_t>("flags", 0, flags);
  writer.commit();

  SafetensorsReader opened(path_);
  const SafetensorsReader reader(std::move(opened));
  EXPECT_EQ(reader.path(), path_);
  EXPECT_EQ(reader.tensors().size(), 5u);
  EXPECT_EQ(reader.info("x").shape, (std::vector<std::int64_t>{1, 5}));
  EXPECT_EQ(reader.info("u").dtype, "F64");
  EXPECT_EQ(std::memcmp(reader.read<float>("x").data(), x.data(), x.size() * sizeof(float)), 0);
  EXPECT_EQ(reader.read<double>("u"), u);
  EXPECT_EQ(reader.read<std::int64_t>("step"), step);
  EXPECT_EQ(reader.read<std::uint8_t>("flags"), flags);
  EXPECT_TRUE(reader.read<float>("none").empty());
  EXPECT_FALSE(reader.contains("y"));
  EXPECT_EQ(reader.metadata(), (std::map<std::string, std::string>{{"hash", "ab\"\n"}, {"layout", "64x10"}}));
  EXPECT_EQ(folder_.files(), 1u);
}

TEST_F(Safetensors, PartsOfATensorAreRead) {
  SafetensorsWriter writer(path_, {{"x", "F32", {4}}}, {});
  writer.write<float>("x", 0, std::vector<float>{1, 2, 3, 4});
  writer.commit();
  const SafetensorsReader reader(path_);
  std::vector<float> part(2);
  reader.read_part<float>("x", 1, part);
  EXPECT_EQ(part, (std::vector<float>{2, 3}));
  reader.read_part<float>("x", 2, part);
  EXPECT_EQ(part, (std::vector<float>{3, 4}));
  EXPECT_THROW(reader.read_part<float>("x", 3, part), InputError);
  EXPECT_THROW(reader.read_part<float>("x", -1, part), InputError);
  EXPECT_THROW(reader.read_part<float>("x", INT64_MAX, part), InputError);
}

TEST_F(Safetensors, MissingTensorsAndOtherTypesAreNamed) {
  SafetensorsWriter(path_, {{"x", "F32", {1}}}, {}).commit();
  const SafetensorsReader reader(path_);
  try {
    reader.read<double>("x");
    ADD_FAILURE();
  } catch (const InputError& error) {
    EXPECT_EQ(error.what(), path_ + ": tensor \"x\" has dtype F32; expected F64");
  }
  try {
    reader.info("y");
    ADD_FAILURE();
  } catch (const InputError& error) {
    EXPECT_EQ(error.what(), path_ + ": expected a tensor \"y\"; there is none");
  }
}

TEST_F(Safetensors, ElementsAreAligned) {
  for (const std::string name : {"a", "ab", "abc", "abcdefgh"}) {
    SafetensorsWriter writer(path_, {{name, "U8", {3}}, {"x", "F32", {1}}, {"u", "F64", {1}}}, {});
    writer.write<double>("u", 0, std::vector<double>{1});
    writer.write<float>("x", 0, std::vector<float>{2});
    writer.commit();
    const std::string bytes = read_file(path_);
    std::uint64_t json_bytes = 0;
    std::memcpy(&json_bytes, bytes.data(), 8);
    EXPECT_EQ(json_bytes % 8, 0u);
    EXPECT_EQ(bytes.size(), 8 + json_bytes + 8 + 4 + 3);
    double u = 0;
    float x = 0;
    std::memcpy(&u, bytes.data() + 8 + json_bytes, 8);
    std::memcpy(&x, bytes.data() + 8 + json_bytes + 8, 4);
    EXPECT_EQ(u, 1);
    EXPECT_EQ(x, 2);
  }
}

TEST_F(Safetensors, WithoutCommitTheOldFileStays) {
  write_file(path_, "old");
  { SafetensorsWriter writer(path_, {{"x", "F32", {1000}}}, {}); }
  EXPECT_EQ(read_file(path_), "old");
  EXPECT_EQ(folder_.files(), 1u);
}

TEST_F(Safetensors, LeftoversOfAKilledRunAreOverwritten) {
  std::ofstream(path_ + ".tmp") << std::string(5000, 'z');
  SafetensorsWriter(path_, {{"x", "U8", {1}}}, {}).commit();
  EXPECT_LT(read_file(path_).size(), 100u);
  EXPECT_TRUE(SafetensorsReader(path_).contains("x"));
  EXPECT_EQ(folder_.files(), 1u);
}

TEST_F(Safetensors, ThreadsWriteAtOnce) {
  constexpr int kThreads = 4, kEach = 1000;
  SafetensorsWriter writer(path_, {{"x", "I64", {kThreads, kEach}}}, {});
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&writer, t] {
      for (std::int64_t i = t * kEach; i < (t + 1) * kEach; ++i) {
        writer.write<std::int64_t>("x", i, std::span<const std::int64_t>(&i, 1));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  writer.commit();
  const auto values = SafetensorsReader(path_).read<std::int64_t>("x");
  ASSERT_EQ(values.size(), std::size_t{kThreads * kEach});
  for (std::int64_t i = 0; i < kThreads * kEach; ++i) EXPECT_EQ(values[i], i);
}

TEST_F(Safetensors, WritesOutsideATensorAreErrors) {
  SafetensorsWriter writer(path_, {{"x", "F32", {2}}}, {});
  const std::vector<float> two = {1, 2};
  EXPECT_THROW(writer.write<float>("x", 1, two), std::invalid_argument);
  EXPECT_THROW(writer.write<float>("x", -1, two), std::invalid_argument);
  EXPECT_THROW(writer.write<float>("y", 0, two), std::invalid_argument);
  EXPECT_THROW(writer.write<double>("x", 0, std::vector<double>{1}), std::invalid_argument);
}

TEST_F(Safetensors, ImpossibleTensorsAreErrors) {
  using Tensors = std::vector<TensorInfo>;
  EXPECT_THROW(SafetensorsWriter(path_, Tensors{{"x", "F16", {2}}}, {}), std::invalid_argument);
  EXPECT_THROW(SafetensorsWriter(path_, Tensors{{"x", "F32", {-1}}}, {}), std::invalid_argument);
  EXPECT_THROW(SafetensorsWriter(path_, Tensors{{"x", "F32", {std::int64_t{1} << 40, std::int64_t{1} << 40}}}, {}),
               std::invalid_argument);
  EXPECT_THROW(SafetensorsWriter(path_, Tensors{{"x", "F32", {1}}, {"x", "F32", {1}}}, {}), std::invalid_argument);
  EXPECT_EQ(folder_.files(), 0u);
}

TEST_F(Safetensors, FailingCallsNameTheFile) {
  EXPECT_THROW(SafetensorsWriter(folder_ / "missing/x", {}, {}), std::runtime_error);
  SafetensorsWriter writer(path_, {}, {});
  std::filesystem::create_directories(path_ + "/occupied");
  try {
    writer.commit();
    ADD_FAILURE();
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("replace " + path_), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace sparsepush

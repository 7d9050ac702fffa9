#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "data/files/input_error.h"
#include "data/sets/quadratic.h"

namespace sparsepush {
namespace {

struct Tensor {
  std::string name, dtype, shape;
  std::string bytes;
};

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), sizeof(T) * values.size()};
}

Tensor f32(const std::string& name, const std::string& shape, const std::vector<float>& values) {
  return {name, "F32", shape, bytes_of(values)};
}

Tensor i64(const std::string& name, const std::string& shape, const std::vector<std::int64_t>& values) {
  return {name, "I64", shape, bytes_of(values)};
}

/// A safetensors file of a test, removed at its end.
class File {
 public:
  explicit File(const std::vector<Tensor>& tensors) {
    const std::string test = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    path_ = (std::filesystem::temp_directory_path() / ("quadratic_file_test_" + test + ".safetensors")).string();
    std::string header = "{", data;
    for (const Tensor& t : tensors) {
      header += (data.empty() ? "\"" : ",\"") + t.name + "\":{\"dtype\":\"" + t.dtype + "\",\"shape\":" + t.shape +
                ",\"data_offsets\":[" + std::to_string(data.size()) + "," +
                std::to_string(data.size() + t.bytes.size()) + "]}";
      data += t.bytes;
    }
    header += "}";
    while (header.size() % 8 != 0) header += ' ';
    const std::uint64_t size = header.size();
    std::ofstream out(path_, std::ios::binary);
    out.write(reinterpret_cast<const char*>(&size), 8);
    out << header << data;
  }
  ~File() { std::filesystem::remove(path_); }
  File(const File&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

const std::vector<float> kSix = {1, 2, 3, 4, 5, 6}, kThree = {7, 8, 9};

/// The line that loading the file for two nodes fails with.
std::string error_of(const std::vector<Tensor>& tensors) {
  const File file(tensors);
  try {
    load_quadratic(file.path(), 2);
  } catch (const InputError& e) {
    EXPECT_NE(std::string(e.what()).find(file.path()), std::string::npos) << e.what();
    return e.what();
  }
  return "no error";
}

TEST(QuadraticFile, IsReadWithOneStartForAllNodes) {
  const File file(
      {f32("curvature", "[2,3]", kSix), f32("target", "[2,3]", {6, 5, 4, 3, 2, 1}), f32("start", "[3]", kThree)});
  const QuadraticProblem p = load_quadratic(file.path(), 2);
  EXPECT_EQ(p.nodes, 2);
  EXPECT_EQ(p.params, 3);
  EXPECT_EQ(p.curvature, kSix);
  EXPECT_EQ(p.target, (std::vector<float>{6, 5, 4, 3, 2, 1}));
  EXPECT_EQ(p.start, kThree);
  EXPECT_FALSE(p.start_per_node);
  EXPECT_EQ(p.segments, (std::vector<std::int64_t>{3}));
}

TEST(QuadraticFile, IsReadWithAStartPerNodeAndSegments) {
  const File file({f32("curvature", "[2,3]", kSix), f32("target", "[2,3]", kSix), f32("start", "[2,3]", kSix),
                   i64("segments", "[2]", {1, 2})});
  const QuadraticProblem p = load_quadratic(file.path(), 2);
  EXPECT_TRUE(p.start_per_node);
  EXPECT_EQ(p.start, kSix);
  EXPECT_EQ(p.segments, (std::vector<std::int64_t>{1, 2}));
}

TEST(QuadraticFile, MayHaveMatrices) {
  const std::vector<float> twelve(12, 1.0f);
  const std::vector<Tensor> arrays = {f32("curvature", "[2,6]", twelve), f32("target", "[2,6]", twelve),
                                      f32("start", "[2,6]", twelve), i64("segments", "[2]", {4, 2})};
  const auto with = [&](const Tensor& shapes) {
    std::vector<Tensor> tensors = arrays;
    tensors.push_back(shapes);
    return tensors;
  };
  using Shapes = std::vector<std::vector<std::int64_t>>;
  EXPECT_EQ(load_quadratic(File(arrays).path(), 2).shapes, (Shapes{{4}, {2}}));
  EXPECT_EQ(load_quadratic(File(with(i64("shapes", "[2,2]", {2, 2, 1, 2}))).path(), 2).shapes,
            (Shapes{{2, 2}, {1, 2}}));
  EXPECT_NE(error_of(with(i64("shapes", "[4]", {2, 2, 1, 2}))).find("\"shapes\" has shape [4]; expected [2, 2]"),
            std::string::npos);
  for (const std::vector<std::int64_t>& sides :
       {std::vector<std::int64_t>{2, 3, 1, 2}, {3, 1, 1, 2}, {-2, -2, 1, 2}, {0, 4, 1, 2}, {4, 0, 1, 2}})
    EXPECT_NE(error_of(with(i64("shapes", "[2,2]", sides))).find("for the segment 0, which has 4 elements"),
              std::string::npos);
}

TEST(QuadraticFile, MustHaveTheNodesOfTheRun) {
  const File file({f32("curvature", "[2,3]", kSix), f32("target", "[2,3]", kSix), f32("start", "[3]", kThree)});
  EXPECT_THROW(load_quadratic(file.path(), 3), InputError);
}

TEST(QuadraticFile, MustHaveItsTensorsAndNoOthers) {
  const Tensor curvature = f32("curvature", "[2,3]", kSix), target = f32("target", "[2,3]", kSix),
               start = f32("start", "[3]", kThree);
  EXPECT_NE(error_of({curvature, target}), "no error");
  EXPECT_NE(error_of({target, start}), "no error");
  EXPECT_NE(error_of({curvature, target, start, f32("hessian", "[2,3]", kSix)}).find("\"hessian\""), std::string::npos);
}

TEST(QuadraticFile, MustHaveMatchingShapesAndTypes) {
  const Tensor curvature = f32("curvature", "[2,3]", kSix), target = f32("target", "[2,3]", kSix),
               start = f32("start", "[3]", kThree);
  EXPECT_NE(error_of({f32("curvature", "[6]", kSix), target, start}).find("\"curvature\" has shape [6]"),
            std::string::npos);
  EXPECT_NE(error_of({curvature, f32("target", "[3,2]", kSix), start}).find("expected [2, 3] as curvature"),
            std::string::npos);
  EXPECT_NE(error_of({curvature, target, f32("start", "[1,3]", kThree)}).find("expected [3] or [2, 3]"),
            std::string::npos);
  EXPECT_NE(error_of({curvature, target, {"start", "I64", "[3]", std::string(24, '\0')}}), "no error");
}

TEST(QuadraticFile, MustHaveSegmentsThatSumToItsParameters) {
  const std::vector<Tensor> good = {f32("curvature", "[2,3]", kSix), f32("target", "[2,3]", kSix),
                                    f32("start", "[3]", kThree)};
  const auto error_with = [&](const Tensor& segments) {
    std::vector<Tensor> tensors = good;
    tensors.push_back(segments);
    return error_of(tensors);
  };
  EXPECT_NE(error_with(i64("segments", "[2]", {1, 1})).find("sum to 2; expected 3"), std::string::npos);
  EXPECT_NE(error_with(i64("segments", "[2]", {0, 3})), "no error");
  EXPECT_NE(error_with(i64("segments", "[2]", {4, -1})), "no error");
  EXPECT_NE(error_with(i64("segments", "[1,1]", {3})), "no error");
  EXPECT_NE(error_with(i64("segments", "[2]", {std::numeric_limits<std::int64_t>::max(), 5})), "no error");
  EXPECT_NE(error_with(f32("segments", "[1]", {3})), "no error");
}

}  // namespace
}  // namespace sparsepush

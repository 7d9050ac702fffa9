#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "data/files/input_error.h"
#include "data/files/safetensors.h"
#include "tests/temporary_folder.h"

namespace sparsepush {
namespace {

/// Opens files that other programs wrote, by mistake or on purpose.
class SafetensorsHeaders : public testing::Test {
 protected:
  /// A file as the format's description says: size, JSON, data.
  static std::string file_of(const std::string& json, std::size_t data_bytes) {
    const std::uint64_t size = json.size();
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &size, 8);
    return bytes + json + std::string(data_bytes, '\1');
  }
  /// The message of the InputError that opening a file of `bytes` throws; empty if it throws none.
  std::string refusal(const std::string& bytes) const {
    write_file(path_, bytes);
    return refusal_of(path_);
  }
  static std::string refusal_of(const std::string& path) {
    try {
      const SafetensorsReader reader(path);
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << error.what();
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
      return error.what();
    }
    return "";
  }

  TemporaryFolder folder_;
  const std::string path_ = folder_ / "state.safetensors";
};

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

TEST_F(SafetensorsHeaders, FilesOfOtherWritersAreRead) {
  // Odd header size, other key order, an escape in a name, tensors not in the order of their bytes.
  write_file(path_, file_of(R"({"a\u00e9":{"shape":[2],"data_offsets":[1,9],"dtype":"F32"},"b":)" +
                                entry("U8", "[]", "[0,1]") + R"(,"__metadata__":{"format":"pt"}} )",
                            9));
  const SafetensorsReader reader(path_);
  EXPECT_EQ(reader.read<std::uint8_t>("b"), std::vector<std::uint8_t>{1});
  EXPECT_EQ(reader.read<float>("a\u00e9").size(), 2u);
  EXPECT_EQ(reader.metadata().at("format"), "pt");
  EXPECT_EQ(refusal(file_of("{}", 0)), "");
}

TEST_F(SafetensorsHeaders, WhatIsNoFileIsRefused) {
  EXPECT_NE(refusal_of(folder_ / "missing"), "");
  EXPECT_NE(refusal_of(folder_.path()).find("folder"), std::string::npos);
  ASSERT_EQ(mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_NE(refusal_of(folder_ / "pipe").find("special file"), std::string::npos);
  EXPECT_NE(refusal_of("/dev/null"), "");
  write_file(path_, file_of("{}", 0));
  std::filesystem::permissions(path_, std::filesystem::perms::none);
  if (geteuid() != 0) {
    EXPECT_NE(refusal_of(path_), "");
  }
}

TEST_F(SafetensorsHeaders, HeadersThatClaimTooMuchAreRefused) {
  EXPECT_NE(refusal(""), "");
  EXPECT_NE(refusal("1234567"), "");
  EXPECT_NE(refusal(std::string("\x03\0\0\0\0\0\0\0{}", 10)), "");
  EXPECT_NE(refusal(std::string(8, '\xff') + "{}"), "");
  EXPECT_NE(refusal(std::string("\x01\xe1\xf5\x05\0\0\0\0", 8)), "");  // 100,000,001
  EXPECT_NE(refusal(std::string(8, '\0')), "");
}

TEST_F(SafetensorsHeaders, HeadersThatAreNotTheFormatAreRefused) {
  const std::string x = entry("F32", "[1]", "[0,4]");
  const std::vector<std::string> wrong = {"[]",
                                          "1",
                                          "{",
                                          "{}}",
                                          R"({"x":)" + x,
                                          R"({"x":1})",
                                          R"({"x":{}})",
                                          R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1}})",
                                          R"({"x":{"dtype":1,"shape":[1],"data_offsets":[0,4]}})",
                                          R"({"x":)" + x + R"(,"x":)" + x + "}",
                                          R"({"x":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}})",
                                          "{\"\xff\":" + x + "}",
                                          R"({"x":)" + x + R"(,"__metadata__":1})",
                                          R"({"x":)" + x + R"(,"__metadata__":{"a":1}})",
                                          R"({"x":)" + entry("F32", "1", "[0,4]") + "}",
                                          R"({"x":)" + entry("F32", "[1]", "0") + "}",
                                          R"({"x":)" + entry("F32", "[1e999]", "[0,4]") + "}",
                                          R"({"x":)" + entry("F16", "[2]", "[0,4]") + "}",
                                          R"({"x":)" + entry("F\\n32", "[1]", "[0,4]") + "}"};
  for (const std::string& json : wrong) {
    EXPECT_NE(refusal(file_of(json, 4)), "") << json;
  }
  EXPECT_EQ(refusal(file_of(R"({"x":)" + x + "}", 4)), "");
}

TEST_F(SafetensorsHeaders, ShapesAndOffsetsThatDisagreeAreRefused) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"[-1]", "[0,8]"},
      {"[1.0]", "[0,8]"},
      {"[3]", "[0,8]"},
      {"[1]", "[0,8]"},
      {"[2]", "[0,9]"},
      {"[2]", "[0,7]"},
      {"[2]", "[8,0]"},
      {"[2]", "[-8,0]"},
      {"[2]", "[0,4,8]"},
      {"[2]", "[8,16]"},
      {"[1]", "[4,8]"},
      {"[1]", "[0,4]"},
      {"[0]", "[0,0]"},
      {"[4294967297,4294967296]", "[0,8]"},
      {"[9223372036854775807,2]", "[0,8]"},
      {"[4611686018427387906]", "[0,8]"},
      {"[18446744073709551615]", "[0,8]"},
      {"[2]", "[0,18446744073709551615]"},
      {"[2]", "[9223372036854775807,9223372036854775807]"},
      {"[99999999999999999999]", "[0,8]"},
  };
  for (const auto& [shape, offsets] : wrong) {
    EXPECT_NE(refusal(file_of(R"({"x":)" + entry("F32", shape, offsets) + "}", 8)), "") << shape << ' ' << offsets;
  }
  EXPECT_EQ(refusal(file_of(R"({"x":)" + entry("F32", "[2]", "[0,8]") + "}", 8)), "");
  EXPECT_EQ(refusal(file_of(R"({"x":)" + entry("F32", "[0,9223372036854775807]", "[0,0]") + "}", 0)), "");
}

TEST_F(SafetensorsHeaders, OverlapsAndGapsAreRefused) {
  const auto two = [](const std::string& first, const std::string& second) {
    return R"({"a":)" + entry("U8", "[4]", first) + R"(,"b":)" + entry("U8", "[4]", second) + "}";
  };
  EXPECT_EQ(refusal(file_of(two("[4,8]", "[0,4]"), 8)), "");
  EXPECT_NE(refusal(file_of(two("[0,4]", "[0,4]"), 4)).find("overlaps"), std::string::npos);
  EXPECT_NE(refusal(file_of(two("[0,4]", "[3,7]"), 7)).find("overlaps"), std::string::npos);
  EXPECT_NE(refusal(file_of(two("[0,4]", "[5,9]"), 9)).find("gap"), std::string::npos);
  EXPECT_NE(refusal(file_of(two("[1,5]", "[5,9]"), 9)).find("gap"), std::string::npos);
  EXPECT_NE(refusal(file_of(two("[0,4]", "[4,8]"), 9)), "");
  EXPECT_NE(refusal(file_of(two("[0,4]", "[4,8]"), 7)).find("truncated"), std::string::npos);
}

TEST_F(SafetensorsHeaders, NestedBracketsAreRefusedBeforeParsing) {
  EXPECT_NE(refusal(file_of(std::string(10'000'000, '['), 0)).find("nested"), std::string::npos);
  EXPECT_NE(refusal(file_of(R"({"x":[[[]]]})", 0)).find("nested"), std::string::npos);
  const std::string name = R"([[[[\"{{{{)";
  EXPECT_EQ(refusal(file_of("{\"" + name + "\":" + entry("U8", "[1]", "[0,1]") + "}", 1)), "");
}

TEST_F(SafetensorsHeaders, LongNamesAreCutInMessages) {
  const std::string message = refusal(file_of("{\"" + std::string(100'000, 'n') + "\":1}", 0));
  EXPECT_LT(message.size(), 400u);
}

TEST_F(SafetensorsHeaders, MutatedFilesNeverCrash) {
  SafetensorsWriter(path_, {{"x", "F32", {2, 3}}, {"u", "F64", {2}}, {"step", "I64", {1}}}, {{"hash", "0123"}})
      .commit();
  const std::string good = read_file(path_);
  std::uint64_t state = 1;
  const auto next = [&state](std::uint64_t below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % below;
  };
  int refused = 0;
  for (int attempt = 0; attempt < 200; ++attempt) {
    std::string bytes = good;
    for (std::uint64_t changes = 1 + next(3); changes > 0; --changes) {
      bytes[next(bytes.size())] = "0129{}[]\",:-\xff\0a"[next(15)];
    }
    if (next(4) == 0) bytes.resize(next(bytes.size()));
    write_file(path_, bytes);
    try {
      const SafetensorsReader reader(path_);
      for (const TensorInfo& info : reader.tensors()) {
        if (info.dtype == "F32") reader.read<float>(info.name);
      }
    } catch (const InputError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace sparsepush

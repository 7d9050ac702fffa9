#include "data/files/gzip.h"

#include <gtest/gtest.h>

#include <string>

#include "data/files/sha256.h"
#include "tests/data/error_of.h"

namespace sparsepush {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes from_hex(const std::string& hex) {
  Bytes bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

std::string text(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

// Written by Python's gzip.compress(text, level, mtime=0).
constexpr const char* kStored = "1f8b0800000000000403010b00f4ff68656c6c6f2068656c6c6f40a62d010b000000";
constexpr const char* kFixed = "1f8b0800000000000203cb48cdc9c957c84090008088f9e511000000";
constexpr const char* kDynamic =
    "1f8b08000000000002032d55c9b524310c4aa502e883b5cbefe79fd7009e4b772dd606883abfcffebefcfbeedf67fdf779fd"
    "7d81ffbcbfaff178f1d6cec18ff32a93c778f6f6ef739ef662d8e259783298f9189169bf2f17cfcaf1b606e79a11cdabe1b3"
    "d9fc7d9b88b88cb8ad6a4c638719cd98dc50076dfae575a87aaa91524fadf65a9d4e23a16daa43cee1473d9a66f383e71e07"
    "b19e07dd7931d6fb20d647cf57672ecf876203257f9c8d1306318964ad50dd18f610cb7ee23650cbc33e53d864b0ff4cce92"
    "cdb972840fc6fd7d75387999200a619484a684528daeaf9389c3334880f32d70bb98a787397b997f4ea1cf51dd09f63045ac"
    "66d8db5cf6b9a2727d8db08bdfe65cbbc4ea6a5e1ce4751287db0778de3d4f0502faf8bbcb239a9ae7c016830c2fc99479e8"
    "2ec583350b99ad18f2ff6a0a71e79524cc47acfa7d146b068bac47b8941057b2486bf48eccca8211a4ca5dc9c188a1551038"
    "7b285aed001644e95d874ef68b6ba9cec6a4bb495518d443c05c55dfd70b14a5bbd7e73d92df7d330024906957f3011c4eeb"
    "47b3fb1989d0feab3024432816159c69284ae1e9ffa5e8c2dac3f42ef229161dfe285965c950ce147390a5ea95ab7a49940e"
    "d550dd100cdfb574e0988b714f213ea5bd1d69c7312678f095aab0ccca72a537bf45ccc00d11c44e8c56a3c9749cab3b937a"
    "311d4f864bd7d8182d884bf111c60a11da858865f5785b02a2afee2efb8c0a2d530d67809d284bffdfb9d502cedbc6692211"
    "fbf6143ec2455d6d30e472de4a9ee7477224885677cb77694e1ea8282dacb24003b23f97876438ebe111abc3d0c874a67c07"
    "04b3cf2c3952d668edfbed7db7167f0eb594536ff5e56f7044f5b2f2bdbc4eccf2ca0feb18d55ae739801d59803dff84c2e4"
    "a529d7707154d00250aa5856a8940fc34558bd4abd80e72b53916f17a40f1e6ae4e7f06465d9c3f90aa4300b74c993b78804"
    "0e90e93e4594c8c6e55f1d19d2219efdb4dbf1eea2681ab4299ecc175742b7ebe56c552048cc02943043bf5e80343b23d17c"
    "77d5352690a19de76e676475a669c734fbb8be3cf37099104af0416236600c3c4c09cf79ce0059eaaedf9768c4c38c581972"
    "84801563b00256d8a36fd21e71bba65ed6c4fba23a2aac4b131b52c8e6b3db947ab6a4a52d290be3f1b3b2235ce02b446957"
    "5fa85de973afd4fa0f313edf82a2070000";
constexpr const char* kNamed = "1f8b08080000000002ff68656c6c6f2e74787400cb48cdc9c957c84090008088f9e511000000";

std::string dynamic_text() {
  std::string all;
  for (int i = 0; i < 300; ++i) all += std::to_string(i * i) + (i % 7 == 0 ? ", " : "; ");
  return all;
}

TEST(Gunzip, UnpacksBlocksOfEveryKind) {
  EXPECT_EQ(text(gunzip(from_hex(kStored), 11, "f")), "hello hello");
  EXPECT_EQ(text(gunzip(from_hex(kFixed), 17, "f")), "hello hello hello");
  EXPECT_EQ(text(gunzip(from_hex(kDynamic), std::ssize(dynamic_text()), "f")), dynamic_text());
  EXPECT_EQ(text(gunzip(from_hex(kNamed), 17, "f")), "hello hello hello") << "with a name in its header";
}

TEST(Gunzip, RefusesWhatIsDamagedOrOfAnotherSize) {
  const Bytes good = from_hex(kDynamic);
  const std::int64_t size = std::ssize(dynamic_text());
  EXPECT_EQ(error_of([&] { gunzip(good, size + 1, "f"); }),
            "f: expected " + std::to_string(size + 1) + " bytes when unpacked, got " + std::to_string(size));
  for (std::size_t cut = 0; cut < good.size(); ++cut)
    EXPECT_NE(error_of([&] { gunzip(std::span(good).first(cut), size, "f"); }), "") << cut;
  const std::size_t padded = good.size() - 9;  // the last byte of the blocks, some of whose bits mean nothing
  for (std::size_t at = 10; at < good.size(); at += at + 1 == padded ? 2 : 1)
    for (const int bit : {1, 16, 128}) {
      Bytes bad = good;
      bad[at] ^= bit;
      EXPECT_EQ(error_of([&] { gunzip(bad, size, "f"); }).substr(0, 3), "f: ") << at;
    }
}

TEST(Sha256, IsThatOfTheStandardsExamples) {
  const auto of = [](const std::string& text) {
    return sha256({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  };
  EXPECT_EQ(of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(of(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

}  // namespace
}  // namespace sparsepush

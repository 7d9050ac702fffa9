#include "data/files/pickle.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/data/error_of.h"
#include "tests/data/sets/cifar_pickle.h"

namespace sparsepush {
namespace {

Pickle parse(const std::string& text, std::size_t most_values = 1000) {
  return Pickle(std::as_bytes(std::span(text)), "f", most_values);
}

std::string refusal(const std::string& text, std::size_t most_values = 1000) {
  return error_of([&] { parse(text, most_values); });
}

std::string pickled(const std::string& codes) { return "\x80\x02" + codes; }

TEST(Pickle, HoldsWordsNumbersListsAndArrays) {
  const std::string text = PickleText()
                               .code("}")
                               .memorize()
                               .code("(")
                               .word("labels")
                               .code("](K\x07M\x2c\x01J\xfe\xff\xff\xff\x88N")
                               .code("e")
                               .word("data")
                               .array(2, 3, "abcdef")
                               .code("u.")
                               .text();
  const Pickle pickle = parse(text);
  const std::vector<std::size_t>& labels = pickle["labels"].items;
  ASSERT_EQ(labels.size(), 5u);
  EXPECT_EQ(pickle.value(labels[0]).integer, 7);
  EXPECT_EQ(pickle.value(labels[1]).integer, 300);
  EXPECT_EQ(pickle.value(labels[2]).integer, -2);
  EXPECT_EQ(pickle.value(labels[3]).integer, 1);
  EXPECT_EQ(pickle.value(labels[4]).kind, PickleValue::kNone);
  const PickleValue& data = pickle["data"];
  EXPECT_EQ(data.kind, PickleValue::kArray);
  EXPECT_EQ(data.bytes, "abcdef");
  ASSERT_EQ(data.items.size(), 2u);
  EXPECT_EQ(pickle.value(data.items[1]).integer, 3);
  EXPECT_EQ(error_of([&] { pickle["names"]; }), "f: expected a dict with the key names");
}

TEST(Pickle, RecallsWhatItHasMemorized) {
  const std::string text = pickled(
      "}(U\x01"
      "aq\x01K\x05U\x01"
      "bh\x01u.");
  EXPECT_EQ(parse(text)["b"].bytes, "a");
  EXPECT_EQ(refusal(pickled("h\x09.")), "f: at byte 4: it recalls what it has not");
}

TEST(Pickle, RunsNothing) {
  EXPECT_EQ(refusal(pickled("cos\nsystem\n(U\x02lstR.")), "f: at byte 13: it names what has no place in such a file");
  EXPECT_EQ(refusal(pickled("c__builtin__\neval\n.")), "f: at byte 20: it names what has no place in such a file");
  EXPECT_EQ(refusal(pickled("cnumpy\nload\n.")), "f: at byte 14: it names what has no place in such a file");
  EXPECT_NE(refusal(pickled("K\x01)R.")).find("it calls what is no function"), std::string::npos);
}

TEST(Pickle, BrokenOnesAreRefused) {
  EXPECT_NE(refusal(""), "");
  EXPECT_NE(refusal("(lp0\n."), "") << "protocol 0";
  EXPECT_NE(refusal("\x80\x04}."), "") << "protocol 4";
  for (const char* codes : {"",
                            ".",
                            "}",
                            "(",
                            "e.",
                            "t.",
                            "u.",
                            "\x85.",
                            "\x87.",
                            "K",
                            "M\x01",
                            "U\x05"
                            "abc.",
                            "s.",
                            "K\x01q",
                            "q\x01.",
                            "}K\x01s.",
                            "](K\x01",
                            "K\x01(K\x02"
                            "e.",
                            "}(K\x01u.",
                            "b.",
                            "R.",
                            "cnumpy\ndtype\n)R.",
                            "T\xff\xff\xff\xff"
                            "a.",
                            "(cnumpy",
                            "\x80\x02.",
                            "i"})
    EXPECT_NE(refusal(pickled(codes)).find("f: at byte "), std::string::npos) << codes;
  const std::string whole = PickleText().array(2, 3, "abcdef").code(".").text();
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) EXPECT_NE(refusal(whole.substr(0, bytes)), "") << bytes;
  EXPECT_EQ(refusal(whole), "");
  EXPECT_NE(refusal(PickleText().array(2, 3, "abcdef", "f4").code(".").text()), "") << "floats";
  EXPECT_NE(refusal(PickleText().array(2, 3, "abcdef", "u1", true).code(".").text()), "") << "columns first";
  EXPECT_NE(refusal(pickled(std::string(2000, ']') + "."), 1000).find("it has more values"), std::string::npos);
}

TEST(Pickle, NoChangeOfAByteBreaksTheReader) {
  const std::string whole = pickled_images({"labels"}, {{1, 2}}, "0123456789");
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (const char change : {'\x01', '\x40', '\x7f', '\xff'}) {
      std::string text = whole;
      text[at] = static_cast<char>(text[at] ^ change);
      const std::string said = refusal(text);
      EXPECT_TRUE(said.empty() || said.starts_with("f: ")) << at << ": " << said;
    }
}

}  // namespace
}  // namespace sparsepush

// Files as CIFAR's Python version has them: written by Python 2, by protocol 2.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace sparsepush {

class PickleText {
 public:
  PickleText& code(const std::string& codes) {
    text_ += codes;
    return *this;
  }
  PickleText& number(std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) text_ += static_cast<char>(value >> (8 * i));
    return *this;
  }
  /// As Python memorizes everything it makes.
  PickleText& memorize() {
    if (memo_ < 256) return code("q").number(memo_++, 1);
    return code("r").number(memo_++, 4);
  }
  PickleText& word(const std::string& text) {
    code("U").number(static_cast<std::uint32_t>(text.size()), 1).code(text);
    return memorize();
  }
  PickleText& byte(std::uint32_t value) { return code("K").number(value, 1); }
  /// A NumPy array [rows, columns] of unsigned bytes.
  PickleText& array(std::uint32_t rows, std::uint32_t columns, const std::string& bytes, const std::string& type = "u1",
                    bool fortran = false) {
    code("cnumpy.core.multiarray\n_reconstruct\n").memorize().code("cnumpy\nndarray\n").memorize();
    byte(0).code("\x85").memorize().word("b").code("\x87").memorize().code("R").memorize();
    code("(").byte(1).code("M").number(rows, 2).code("M").number(columns, 2).code("\x86").memorize();
    code("cnumpy\ndtype\n").memorize().word(type).byte(0).byte(1).code("\x87").memorize().code("R").memorize();
    code("(").byte(3).word("|").code("NNNJ").number(~0u, 4).code("J").number(~0u, 4).byte(0).code("t").memorize();
    code("b").code(fortran ? "\x88" : "\x89").code("T").number(static_cast<std::uint32_t>(bytes.size()), 4).code(bytes);
    return memorize().code("t").memorize().code("b");
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_ = "\x80\x02";
  std::uint32_t memo_ = 1;
};

/// A file with lists of labels and an array of pixels.
inline std::string pickled_images(const std::vector<std::string>& keys,
                                  const std::vector<std::vector<std::uint8_t>>& labels, const std::string& pixels) {
  PickleText pickle;
  pickle.code("}").memorize().code("(").word("batch_label").word("training batch 1 of 5");
  for (std::size_t i = 0; i < keys.size(); ++i) {
    pickle.word(keys[i]).code("]").memorize().code("(");
    for (const std::uint8_t label : labels[i]) pickle.byte(label);
    pickle.code("e");
  }
  pickle.word("data").array(static_cast<std::uint32_t>(labels[0].size()), 3072, pixels);
  pickle.word("filenames").code("]").memorize().code("(");
  for (std::size_t i = 0; i < labels[0].size(); ++i) pickle.word("leptodactylus_pentadactylus_s_000004.png");
  return pickle.code("eu.").text();
}

}  // namespace sparsepush

#include "host/tables/latex_text.h"

#include <algorithm>
#include <cctype>
#include <string_view>
#include <utility>

namespace sparsepush {
namespace {

constexpr std::pair<char, const char*> kLatexMarks[] = {
    {'\\', "\\textbackslash{}"},
    {'~', "\\textasciitilde{}"},
    {'^', "\\textasciicircum{}"},
    {'`', "\\textasciigrave{}"},
    {'<', "\\textless{}"},
    {'>', "\\textgreater{}"},
    {'|', "\\textbar{}"},
    {'*', "{*}"},
    {'[', "{[}"},  // right behind the end of a row they would belong to it
};

/// Characters of UTF-8 that text fonts lack, and their names in mathematics.
constexpr std::pair<std::string_view, const char*> kLatexSigns[] = {
    {"±", "\\pm"},        {"×", "\\times"}, {"·", "\\cdot"},   {"−", "-"},          {"≤", "\\leq"},
    {"≥", "\\geq"},       {"≠", "\\neq"},   {"≈", "\\approx"}, {"∞", "\\infty"},    {"→", "\\rightarrow"},
    {"←", "\\leftarrow"}, {"∈", "\\in"},    {"√", "\\surd"},   {"∅", "\\emptyset"}, {"∇", "\\nabla"},
    {"α", "\\alpha"},     {"β", "\\beta"},  {"γ", "\\gamma"},  {"δ", "\\delta"},    {"ε", "\\varepsilon"},
    {"ζ", "\\zeta"},      {"η", "\\eta"},   {"θ", "\\theta"},  {"ι", "\\iota"},     {"κ", "\\kappa"},
    {"λ", "\\lambda"},    {"μ", "\\mu"},    {"ν", "\\nu"},     {"ξ", "\\xi"},       {"ο", "o"},
    {"π", "\\pi"},        {"ρ", "\\rho"},   {"σ", "\\sigma"},  {"τ", "\\tau"},      {"υ", "\\upsilon"},
    {"φ", "\\varphi"},    {"χ", "\\chi"},   {"ψ", "\\psi"},    {"ω", "\\omega"},    {"Γ", "\\Gamma"},
    {"Δ", "\\Delta"},     {"Θ", "\\Theta"}, {"Λ", "\\Lambda"}, {"Ξ", "\\Xi"},       {"Π", "\\Pi"},
    {"Σ", "\\Sigma"},     {"Φ", "\\Phi"},   {"Ψ", "\\Psi"},    {"Ω", "\\Omega"},
};

bool is_digit(const std::string& text, std::size_t at) {
  return at < text.size() && std::isdigit(static_cast<unsigned char>(text[at]));
}

/// Returns whether a control character begins at `at`, of one byte or two: LaTeX refuses them.
bool is_control_character(const std::string& text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0; };
  return byte(at) < 0x20 || byte(at) == 0x7f || (byte(at) == 0xc2 && byte(at + 1) >= 0x80 && byte(at + 1) < 0xa0);
}

/// Returns whether a character would make one sign with the same one before it: "--" is a dash.
bool would_join(const std::string& text, std::size_t at) {
  return at > 0 && text[at] == text[at - 1] && std::string_view("-',").find(text[at]) != std::string_view::npos;
}

}  // namespace

std::string latex_text(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto is_sign = [&](const auto& sign) { return text.compare(i, sign.first.size(), sign.first) == 0; };
    const auto* const mark = std::ranges::find(kLatexMarks, c, &std::pair<char, const char*>::first);
    const auto* const sign = std::ranges::find_if(kLatexSigns, is_sign);
    if (is_control_character(text, i)) {
      if (static_cast<unsigned char>(c) >= 0x80) ++i;
      out += ' ';
    } else if (mark != std::end(kLatexMarks)) {
      out += mark->second;
    } else if (sign != std::end(kLatexSigns)) {
      out += '$';
      out += sign->second;
      out += '$';
      i += sign->first.size() - 1;
    } else if (c == '-' && i == 0 && is_digit(text, 1)) {
      out += "$-$";
    } else {
      if (would_join(text, i)) out += "{}";
      if (std::string_view("_%&#${}").find(c) != std::string_view::npos) out += '\\';
      out += c;
    }
  }
  return out;
}

}  // namespace sparsepush

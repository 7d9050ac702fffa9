// Texts of tables in LaTeX.
#pragma once
#include <string>

namespace sparsepush {

/// Returns any text as LaTeX shows it, on one line. Latin letters stay as they are; Greek ones and signs of mathematics
/// become commands that pdflatex has without packages.
std::string latex_text(const std::string& text);

}  // namespace sparsepush

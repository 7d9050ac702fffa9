// The program's three standard streams, whatever state they were handed over in.
#pragma once
#include <string>
#include <string_view>

namespace sparsepush {

/// Opens the streams that are closed: else a file of the run would get their number and be printed into. Makes a
/// broken pipe and a file size limit errors of a write instead of the end of the process.
void prepare_standard_streams();

/// Throws std::runtime_error if something printed to the standard output was lost.
void flush_standard_output();

/// Returns `text` as one word of a shell's command line that is no option.
std::string shell_word(const std::string& text);

/// Prints one line on the standard error, control characters replaced. Never throws.
void print_error(std::string_view line);

}  // namespace sparsepush

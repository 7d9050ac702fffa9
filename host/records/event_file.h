// Files of events that TensorBoard reads, record by record.
//
// A record is framed as TensorFlow's record_writer.h says: length (8 bytes, little-endian), masked CRC32C of these,
// data, masked CRC32C of the data; CRC32C is that of RFC 3720, appendix B.4. The data is a message Event of
// tensorflow/core/util/event.proto, with Summary of tensorflow/core/framework/summary.proto and, for hyperparameters,
// HParamsPluginData of tensorboard/plugins/hparams/plugin_data.proto, encoded as
// protobuf.dev/programming-guides/encoding says.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace sparsepush {

/// Makes the record that a file begins with. Times are seconds since 1970.
std::string first_record(double wall_time);

/// Makes a record of scalars by their tags, all of one step.
std::string scalars_record(double wall_time, std::int64_t step,
                           const std::vector<std::pair<std::string, float>>& scalars);

using Hyperparameter = std::variant<double, bool, std::string>;

/// Makes the record that begins a session: TensorBoard's name for a file. Sessions of one `group` are shown as one
/// line.
std::string session_start_record(double wall_time, const std::string& group,
                                 const std::vector<std::pair<std::string, Hyperparameter>>& hyperparameters);
/// Makes the record that ends a session.
std::string session_end_record(double wall_time, bool succeeded);

}  // namespace sparsepush

#include "data/sets/quadratic.h"

#include <fmt/ranges.h>

#include <limits>

#include "data/files/input_error.h"
#include "data/files/quotes.h"
#include "data/files/safetensors.h"

namespace sparsepush {
namespace {

using Shape = std::vector<std::int64_t>;

std::string text(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

void check_names(const SafetensorsReader& file) {
  for (const TensorInfo& info : file.tensors())
    if (info.name != "curvature" && info.name != "target" && info.name != "start" && info.name != "segments" &&
        info.name != "shapes")
      throw InputError(
          "{}: unexpected tensor {}; expected curvature, target, start and, optionally, segments and shapes",
          file.path(), in_quotes_short(info.name));
}

void check_shape(const SafetensorsReader& file, const std::string& name, bool fits, const std::string& expected) {
  if (!fits)
    throw InputError("{}: tensor \"{}\" has shape {}; expected {}", file.path(), name, text(file.info(name).shape),
                     expected);
}

std::vector<std::int64_t> read_segments(const SafetensorsReader& file, std::int64_t params) {
  if (!file.contains("segments")) return {params};
  check_shape(file, "segments", file.info("segments").shape.size() == 1, "[segments]");
  const std::vector<std::int64_t> segments = file.read<std::int64_t>("segments");
  std::int64_t left = params;
  for (const std::int64_t size : segments) {
    if (size < 1 || size > left)
      throw InputError("{}: tensor \"segments\": a segment of {} elements where {} of {} parameters are left",
                       file.path(), size, left, params);
    left -= size;
  }
  if (left > 0)
    throw InputError("{}: tensor \"segments\": sizes sum to {}; expected {}", file.path(), params - left, params);
  return segments;
}

std::vector<Shape> read_shapes(const SafetensorsReader& file, const std::vector<std::int64_t>& segments) {
  std::vector<Shape> shapes;
  for (const std::int64_t size : segments) shapes.push_back({size});
  if (!file.contains("shapes")) return shapes;
  const std::int64_t count = std::ssize(segments);
  check_shape(file, "shapes", file.info("shapes").shape == Shape{count, 2},
              fmt::format("[{}, 2], rows and columns of each segment", count));
  const std::vector<std::int64_t> sides = file.read<std::int64_t>("shapes");
  for (std::int64_t s = 0; s < count; ++s) {
    const std::int64_t rows = sides[2 * s], columns = sides[2 * s + 1], size = segments[s];
    if (rows < 1 || columns < 1 || size % rows != 0 || size / rows != columns)
      throw InputError("{}: tensor \"shapes\": {} rows of {} for the segment {}, which has {} elements", file.path(),
                       rows, columns, s, size);
    shapes[s] = {rows, columns};
  }
  return shapes;
}

}  // namespace

QuadraticShape read_quadratic_shape(const std::string& path, int nodes) {
  const SafetensorsReader file(path);
  check_names(file);
  const Shape& shape = file.info("curvature").shape;
  check_shape(file, "curvature", shape.size() == 2 && shape[0] == nodes && shape[1] >= 1,
              fmt::format("[{}, parameters] for run.nodes = {}", nodes, nodes));
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max() - 4096;  // in a row, with room for padding
  check_shape(file, "curvature", shape[1] <= kMost, fmt::format("at most {} parameters a node", kMost));
  check_shape(file, "target", file.info("target").shape == shape, fmt::format("{} as curvature", text(shape)));
  const Shape& start = file.info("start").shape;
  check_shape(file, "start", start == Shape{shape[1]} || start == shape,
              fmt::format("[{}] or {}", shape[1], text(shape)));
  const std::vector<std::int64_t> segments = read_segments(file, shape[1]);
  return {.nodes = nodes,
          .params = shape[1],
          .start_per_node = start.size() == 2,
          .segments = segments,
          .shapes = read_shapes(file, segments)};
}

QuadraticProblem load_quadratic(const std::string& path, int nodes) {
  const QuadraticShape shape = read_quadratic_shape(path, nodes);
  const SafetensorsReader file(path);
  return {shape, file.read<float>("curvature"), file.read<float>("target"), file.read<float>("start")};
}

DataSource quadratic_source() {
  return {.name = "quadratic",
          .keys = {"data.file", "data.epoch_steps"},
          .file = "a safetensors file",
          .task = "quadratic"};
}

}  // namespace sparsepush

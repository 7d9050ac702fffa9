#include "data/files/safetensors_header.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>

#include "data/files/input_error.h"
#include "data/files/quotes.h"

namespace sparsepush {
namespace {
using Json = nlohmann::json;

constexpr int kMaxDepth = 3;  // header object, tensor object, shape array

/// Returns whether brackets are nested deeper than the format needs, which the parser must never see.
bool nested_too_deep(std::string_view json) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

Json parse_json(std::string_view text, const std::string& path) {
  if (nested_too_deep(text)) throw InputError("{}: the header's JSON is nested deeper than a safetensors header", path);
  std::vector<std::set<std::string>> keys(kMaxDepth + 2);  // one for the open object at each depth
  std::string duplicate;
  const auto collect_keys = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) keys[depth + 1].clear();
    if (event == Json::parse_event_t::key && !keys[depth].insert(parsed.get_ref<const std::string&>()).second) {
      duplicate = in_quotes_short(parsed.get_ref<const std::string&>());
    }
    return true;
  };
  Json header;
  try {
    header = Json::parse(text, collect_keys);
  } catch (const Json::parse_error& error) {
    throw InputError("{}: the header is not valid JSON in UTF-8 (at byte {} of {})", path, error.byte, text.size());
  } catch (const Json::exception&) {
    throw InputError("{}: the header has a number out of range", path);
  }
  if (!duplicate.empty()) throw InputError("{}: the header has the key {} twice", path, duplicate);
  if (!header.is_object()) throw InputError("{}: the header is not a JSON object", path);
  return header;
}

/// Reads a list of non-negative 64-bit integers; nullopt if it is none.
std::optional<std::vector<std::int64_t>> to_sizes(const Json& list) {
  if (!list.is_array()) return std::nullopt;
  std::vector<std::int64_t> sizes;
  for (const Json& item : list) {
    if (!item.is_number_unsigned() || !std::in_range<std::int64_t>(item.get<std::uint64_t>())) return std::nullopt;
    sizes.push_back(item.get<std::int64_t>());
  }
  return sizes;
}

HeaderTensor parse_tensor(const std::string& name, const Json& entry, std::int64_t data_bytes,
                          const std::string& path) {
  const std::string where = path + ": tensor " + in_quotes_short(name);
  if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") || !entry.contains("shape") ||
      !entry.contains("data_offsets") || !entry["dtype"].is_string()) {
    throw InputError("{}: expected an object with dtype, shape and data_offsets", where);
  }
  const auto dtype = entry["dtype"].get<std::string>();
  const std::int64_t item_bytes = dtype_bytes(dtype);
  if (item_bytes == 0) throw InputError("{} has dtype {}; expected F32, F64, I64 or U8", where, in_quotes_short(dtype));
  const auto shape = to_sizes(entry["shape"]);
  if (!shape) throw InputError("{}: expected a shape of non-negative 64-bit integers", where);
  const auto offsets = to_sizes(entry["data_offsets"]);
  if (!offsets || offsets->size() != 2 || (*offsets)[0] > (*offsets)[1]) {
    throw InputError("{}: expected data_offsets of the form [begin, end] with 0 <= begin <= end", where);
  }
  const std::int64_t begin = (*offsets)[0], end = (*offsets)[1];
  if (end > data_bytes) {
    throw InputError("{} ends at byte {} of the data, which has {}: the file is truncated or its header is wrong",
                     where, end, data_bytes);
  }
  const auto elements = element_count(*shape, data_bytes / item_bytes);
  if (!elements || *elements * item_bytes != end - begin) {
    throw InputError("{} has {} bytes, which is not what its shape and dtype {} need", where, end - begin, dtype);
  }
  return {{name, dtype, *shape}, begin, end};
}

std::map<std::string, std::string> parse_metadata(const Json& entry, const std::string& path) {
  std::map<std::string, std::string> metadata;
  if (!entry.is_object()) throw InputError("{}: expected __metadata__ to be an object of strings", path);
  for (const auto& [key, value] : entry.items()) {
    if (!value.is_string()) throw InputError("{}: expected __metadata__ {} to be a string", path, in_quotes_short(key));
    metadata.emplace(key, value.get<std::string>());
  }
  return metadata;
}

void check_data_is_covered(const std::vector<HeaderTensor>& tensors, std::int64_t data_bytes, const std::string& path) {
  std::int64_t covered = 0;
  for (const HeaderTensor& tensor : tensors) {
    if (tensor.begin != covered) {
      throw InputError("{}: tensor {} begins at byte {} of the data; expected {} ({})", path,
                       in_quotes_short(tensor.info.name), tensor.begin, covered,
                       tensor.begin < covered ? "it overlaps another" : "there is a gap");
    }
    covered = tensor.end;
  }
  if (covered != data_bytes) {
    throw InputError("{}: the tensors take {} bytes of data; the file has {}", path, covered, data_bytes);
  }
}

}  // namespace

std::int64_t dtype_bytes(const std::string& dtype) {
  if (dtype == "F32") return 4;
  if (dtype == "F64" || dtype == "I64") return 8;
  return dtype == "U8" ? 1 : 0;
}

std::optional<std::int64_t> element_count(const std::vector<std::int64_t>& shape, std::int64_t limit) {
  if (std::ranges::any_of(shape, [](std::int64_t size) { return size < 0; })) return std::nullopt;
  if (std::ranges::find(shape, 0) != shape.end()) return 0;
  std::int64_t count = 1;
  for (const std::int64_t size : shape) {
    if (size > limit / count) return std::nullopt;
    count *= size;
  }
  return count;
}

SafetensorsHeader parse_safetensors_header(std::string_view json, std::int64_t data_bytes, const std::string& path) {
  SafetensorsHeader header;
  const Json entries = parse_json(json, path);
  for (const auto& [name, entry] : entries.items()) {
    if (name == "__metadata__") {
      header.metadata = parse_metadata(entry, path);
    } else {
      header.tensors.push_back(parse_tensor(name, entry, data_bytes, path));
    }
  }
  std::ranges::sort(header.tensors, {}, [](const HeaderTensor& t) { return std::tie(t.begin, t.end, t.info.name); });
  check_data_is_covered(header.tensors, data_bytes, path);
  return header;
}

}  // namespace sparsepush

#include "host/tables/table_file.h"

#include "host/config/config_document.h"
#include "host/tables/table_settings.h"

namespace sparsepush {

std::string TableFile::label(const std::string& of, const std::string& otherwise) const {
  const auto it = settings.labels.find(of);
  return it == settings.labels.end() ? otherwise : it->second;
}

bool is_table(const std::string& text, const std::string& path) {
  return parse_document(text, Origins(path)).contains("sweep");
}

TableFile load_table(const std::string& path, const std::vector<std::string>& overrides) {
  return parse_table(read_config_text(path), overrides, path);
}

TableFile parse_table(const std::string& text, const std::vector<std::string>& overrides, const std::string& path) {
  const Origins origins(path);
  TableFile file{.text = text};
  file.document = std::make_unique<toml::table>(parse_document(file.text, origins));
  file.sweep = read_sweep(*file.document, origins);
  file.points = make_points(*file.document, file.sweep, origins, overrides);
  file.rows = make_rows(file.points, file.sweep);
  file.settings = read_table_settings(file, origins);
  file.reference_rows = find_reference_rows(file);
  file.claims = read_claims(file, origins);
  for (const std::string& line :
       {unused_base_keys(*file.document, file.points, origins), rows_of_several_names(file.rows)})
    if (!line.empty()) file.warnings.push_back(line);
  return file;
}

}  // namespace sparsepush

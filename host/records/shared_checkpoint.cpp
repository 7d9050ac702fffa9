#include "host/records/shared_checkpoint.h"

#include <type_traits>

#include "kernels/backend/backend.h"

namespace sparsepush {
namespace {

enum class Element : std::int64_t { kNone, kFloat, kDouble, kInt64 };

template <class T>
constexpr Element element_of() {
  if (std::is_same_v<T, float>) return Element::kFloat;
  return std::is_same_v<T, double> ? Element::kDouble : Element::kInt64;
}

/// What a shard tells shard 0 of some elements before these travel; its tensor's name stands behind. Without elements:
/// there are no more.
struct Announced {
  Element element = Element::kNone;
  std::int64_t name_size = 0, first = 0, count = 0;
};

template <class Backend>
void announce(Transport<Backend>& transport, Announced announced, const std::string& name) {
  announced.name_size = static_cast<std::int64_t>(name.size());
  transport.send(0, std::as_bytes(std::span(&announced, 1)));
  if (!name.empty()) transport.send(0, std::as_bytes(std::span(name)));
}

/// Calls body(shard, announced, name) for all that the others announce, one shard after the other.
template <class Backend, class Body>
void for_each_announced(Transport<Backend>& transport, const Body& body) {
  for (int shard = 1; shard < transport.shard().shards; ++shard) {
    for (Announced announced;;) {
      transport.receive(shard, std::as_writable_bytes(std::span(&announced, 1)));
      if (announced.element == Element::kNone) break;
      std::string name(announced.name_size, ' ');
      transport.receive(shard, std::as_writable_bytes(std::span(name)));
      body(shard, announced, name);
    }
  }
}

}  // namespace

template <class Backend>
template <class T>
void CheckpointWriter<Backend>::write(const std::string& name, std::int64_t first, std::span<const T> values) {
  if (file_ != nullptr) return file_->write(name, first, values);
  announce(transport_, {.element = element_of<T>(), .first = first, .count = std::ssize(values)}, name);
  transport_.send(0, std::as_bytes(values));
}

template <class Backend>
template <class T>
void CheckpointWriter<Backend>::take(int from, const std::string& name, std::int64_t first, std::int64_t count) {
  std::vector<T> values(count);
  transport_.receive(from, std::as_writable_bytes(std::span(values)));
  file_->write<T>(name, first, values);
}

template <class Backend>
void CheckpointWriter<Backend>::finish() {
  if (file_ == nullptr) return announce(transport_, {}, "");
  for_each_announced(transport_, [&](int from, const Announced& of, const std::string& name) {
    if (of.element == Element::kFloat) take<float>(from, name, of.first, of.count);
    if (of.element == Element::kDouble) take<double>(from, name, of.first, of.count);
    if (of.element == Element::kInt64) take<std::int64_t>(from, name, of.first, of.count);
  });
}

template <class Backend>
template <class T>
void CheckpointReader<Backend>::read(const std::string& name, std::int64_t first, std::span<T> out) {
  if (file_ != nullptr) return file_->read_part<T>(name, first, out);
  announce(transport_, {.element = element_of<T>(), .first = first, .count = std::ssize(out)}, name);
  transport_.receive(0, std::as_writable_bytes(out));
}

template <class Backend>
std::int64_t CheckpointReader<Backend>::number(const std::string& name) {
  std::int64_t number = 0;
  read(name, 0, std::span(&number, 1));
  return number;
}

template <class Backend>
template <class T>
void CheckpointReader<Backend>::serve(int to, const std::string& name, std::int64_t first, std::int64_t count) {
  std::vector<T> values(count);
  file_->read_part<T>(name, first, values);
  transport_.send(to, std::as_bytes(std::span(values)));
}

template <class Backend>
void CheckpointReader<Backend>::finish() {
  if (file_ == nullptr) return announce(transport_, {}, "");
  for_each_announced(transport_, [&](int to, const Announced& of, const std::string& name) {
    if (of.element == Element::kFloat) serve<float>(to, name, of.first, of.count);
    if (of.element == Element::kDouble) serve<double>(to, name, of.first, of.count);
    if (of.element == Element::kInt64) serve<std::int64_t>(to, name, of.first, of.count);
  });
}

template class CheckpointWriter<Cpu>;
template void CheckpointWriter<Cpu>::write(const std::string&, std::int64_t, std::span<const float>);
template void CheckpointWriter<Cpu>::write(const std::string&, std::int64_t, std::span<const double>);
template void CheckpointWriter<Cpu>::write(const std::string&, std::int64_t, std::span<const std::int64_t>);
template class CheckpointReader<Cpu>;
template void CheckpointReader<Cpu>::read(const std::string&, std::int64_t, std::span<float>);
template void CheckpointReader<Cpu>::read(const std::string&, std::int64_t, std::span<double>);
template void CheckpointReader<Cpu>::read(const std::string&, std::int64_t, std::span<std::int64_t>);
template class CheckpointWriter<Cuda>;
template void CheckpointWriter<Cuda>::write(const std::string&, std::int64_t, std::span<const float>);
template void CheckpointWriter<Cuda>::write(const std::string&, std::int64_t, std::span<const double>);
template void CheckpointWriter<Cuda>::write(const std::string&, std::int64_t, std::span<const std::int64_t>);
template class CheckpointReader<Cuda>;
template void CheckpointReader<Cuda>::read(const std::string&, std::int64_t, std::span<float>);
template void CheckpointReader<Cuda>::read(const std::string&, std::int64_t, std::span<double>);
template void CheckpointReader<Cuda>::read(const std::string&, std::int64_t, std::span<std::int64_t>);

}  // namespace sparsepush

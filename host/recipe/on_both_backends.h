// A function template as a value: what rows of tables hold.
#pragma once
#include <concepts>
#include <functional>

#include "kernels/backend/backend.h"

namespace sparsepush {

template <class Backend>
class Nodes;

/// Does something with the nodes of a shard on either backend. Made from one generic lambda, or at run time.
template <class... Arguments>
struct OnBothBackends {
  OnBothBackends() = default;
  template <std::invocable<Nodes<Cpu>&, Arguments...> Function>
  OnBothBackends(Function function) : cpu(function), cuda(function) {}

  void operator()(Nodes<Cpu>& nodes, Arguments... arguments) const { cpu(nodes, arguments...); }
  void operator()(Nodes<Cuda>& nodes, Arguments... arguments) const { cuda(nodes, arguments...); }
  explicit operator bool() const { return cpu != nullptr; }

  std::function<void(Nodes<Cpu>&, Arguments...)> cpu;
  std::function<void(Nodes<Cuda>&, Arguments...)> cuda;
};

}  // namespace sparsepush

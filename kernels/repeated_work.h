// Work that is done again and again with the same arguments: on a GPU, one CUDA graph.
#pragma once
#include <functional>

#include "kernels/backend.h"

namespace sparsepush {

template <class Backend>
class RepeatedWork;

/// On the Cpu calling an op costs nothing that a record could save.
template <>
class RepeatedWork<Cpu> {
 public:
  /// Calls `work` the first time, and later does the same again: ops with the same arguments in the same order. What
  /// differs from time to time the ops must read from backend memory, and `work` may not wait for them.
  void run(const Cpu&, const std::function<void()>& work) { work(); }
};

template <>
class RepeatedWork<Cuda> {
 public:
  RepeatedWork() = default;
  ~RepeatedWork();
  RepeatedWork(const RepeatedWork&) = delete;
  RepeatedWork& operator=(const RepeatedWork&) = delete;

  /// Records what `work` launches the first time; then, and every later time, launches the record.
  void run(const Cuda& gpu, const std::function<void()>& work);

 private:
  void* graph_ = nullptr;  ///< a cudaGraphExec_t
};

}  // namespace sparsepush

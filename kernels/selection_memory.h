// What the Cpu remembers between selections, and the walk over nodes and groups that its selecting ops share.
#pragma once
#include <functional>
#include <vector>

#include "kernels/running_topk.h"
#include "kernels/topk_select.h"

namespace sparsepush {

/// What the last selection of a (node, group) teaches the next one.
struct Warmth {
  float threshold = 0;  ///< magnitude that its entries reached; 0: start cold
  float slack = 0;      ///< how far below it the next selection starts, relative
};

/// Selections that one worker does in turn: the groups [first_group, last_group) of the nodes [first_node, last_node),
/// all of one replica.
struct SelectionItem {
  int replica = 0;
  int first_node = 0, last_node = 0;
  int first_group = 0, last_group = 0;
};

struct SelectionMemory<Cpu>::Contents {
  RowLayout layout;
  std::vector<TopkPlan> plans;             ///< [replicas]
  std::vector<SelectionItem> items;        ///< every (node, group) once
  std::vector<std::int64_t> warmth_begin;  ///< [nodes] where a node's part of `warmth` begins
  std::vector<Warmth> warmth;              ///< [nodes, groups of the node's plan]
  std::vector<RunningTopk> selections;     ///< [threads]
};

/// Computes v[node][begin .. begin + size) just before it is looked at, so that it need not come from memory.
using PrepareTile = std::function<void(int node, std::int64_t begin, std::int64_t size)>;

/// Selects from every row of v and moves what it selects to the messages, leaving +0.
void select_from_rows(const Cpu& cpu, SelectionMemory<Cpu>::Contents& memory, MatrixView<float> v,
                      const Messages& messages, const PrepareTile& prepare);

}  // namespace sparsepush

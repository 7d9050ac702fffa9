// What the kernels of a gossip round must read and write at least, and how near to it they are.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simt/memory_traffic.h"

namespace sparsepush {

/// What floors are formulas of. Bytes of rows that others read or write on their own are those of whole sectors.
struct RoundSize {
  double nodes = 0;
  double row = 0;    ///< elements, with padding
  double edges = 0;  ///< of all nodes
  /// Positions of the messages that a kernel writes, or reads, each as often as it is; their values are as many bytes.
  double position_bytes = 0;
  double touched_bytes = 0;  ///< of e or x, in which they stand
  double large_row = 0;      ///< elements of groups that more than one block selects from
  double large_position_bytes = 0, large_touched_bytes = 0;  ///< the same of those
  double candidates = 0;                                     ///< of those, listed by all nodes; 0: too much is kept
  double x_block_bytes = 0, block_bytes = 0;  ///< of the due block of all nodes, in rows of x and cut out
  double packet_bytes = 0;                    ///< of all packets

  double elements() const { return nodes * row; }
};

struct Floor {
  std::string_view kernel;
  double (*read)(const RoundSize&);   ///< bytes
  double (*write)(const RoundSize&);  ///< bytes
  bool in_quads = true;  ///< whether accesses of 16 bytes must move most of that, and no more, cached or not
};

/// Elements are 4 bytes; a node has 8 (where its edges begin) and 4 (its own weight), an edge 8 (slot and weight), a
/// candidate 8; where none are listed, v is read once more.
inline const std::vector<Floor>& gossip_floors() {
  using S = const RoundSize&;
  static const std::vector<Floor> floors = {
      // x, m, g; x, m.
      {"sgd_update", [](S s) { return 12 * s.elements(); }, [](S s) { return 8 * s.elements(); }},
      // x, m, g, e; x, m, v into e. Then what is kept goes from e to the messages, in whole tiles.
      {"select_tiles", [](S s) { return 16 * s.elements() + s.touched_bytes - s.large_touched_bytes; },
       [](S s) {
         return 12 * s.elements() + s.touched_bytes - s.large_touched_bytes +
                2 * (s.position_bytes - s.large_position_bytes) + 8 * s.candidates;
       }},
      {"finish_large",
       [](S s) { return (s.candidates > 0 ? 8 * s.candidates : 4 * s.nodes * s.large_row) + s.large_touched_bytes; },
       [](S s) { return 2 * s.large_position_bytes + s.large_touched_bytes; }, false},
      // Messages; x where they are added, once.
      {"push_sum_mix", [](S s) { return 2 * s.position_bytes + s.touched_bytes; }, [](S s) { return s.touched_bytes; },
       false},
      {"dense_mix", [](S s) { return 4 * s.elements(); }, [](S s) { return 4 * s.elements(); }},
      {"dense_mix apart", [](S s) { return 8 * s.elements(); }, [](S s) { return 4 * s.elements(); }},
      {"update_mix", [](S s) { return 12 * s.elements(); }, [](S s) { return 8 * s.elements(); }},
      {"difference_mix", [](S s) { return 4 * s.elements(); }, [](S s) { return 4 * s.elements(); }},
      {"cut_block", [](S s) { return s.x_block_bytes; }, [](S s) { return s.block_bytes; }, false},
      {"mix_block", [](S s) { return s.x_block_bytes + s.block_bytes; }, [](S s) { return s.x_block_bytes; }, false},
      {"debias_blocks", [](S s) { return 4 * s.elements(); }, [](S s) { return 4 * s.elements(); }, false},
      {"mix_push_weights", [](S s) { return 20 * s.nodes + 8 * s.edges; }, [](S s) { return 8 * s.nodes; }, false},
      // Edges, and of each node the copies that it sends and whether it is at the boundary.
      {"load_due_round", [](S s) { return 21 * s.nodes + 8 * s.edges; }, [](S s) { return 21 * s.nodes + 8 * s.edges; },
       false},
      // Five counts, and the copies; then how many entries count, too.
      {"add_traffic", [](S s) { return 48 * s.nodes; }, [](S s) { return 40 * s.nodes; }, false},
      {"add_sized_traffic", [](S s) { return 56 * s.nodes + s.position_bytes; }, [](S s) { return 40 * s.nodes; },
       false},
      {"pack_rows", [](S s) { return s.packet_bytes; }, [](S s) { return s.packet_bytes; }},
      {"unpack_rows", [](S s) { return s.packet_bytes; }, [](S s) { return s.packet_bytes; }},
  };
  return floors;
}

inline constexpr double kMostFactor = 1.1;  // of the floor, where nothing else is known

/// A kernel that moves more.
struct KnownFactor {
  std::string_view kernel, round;  ///< the second: a part of the round's name
  double factor;
  std::string_view reason;
};
inline const std::vector<KnownFactor>& known_factors() {
  constexpr std::string_view kGathers = "rows are read again for each reader, from wherever they are",
                             kPanels = "panels of 32 columns each read all edges; every other row begins in a sector",
                             kMessages = "x is read and written for each message that falls into a sector",
                             kCounts = "the five counts of a node lie in five sectors";
  static const std::vector<KnownFactor> factors = {
      {"finish_large", "resnet, keep 0.01", 1.15, "messages are written in parts of sectors, as candidates come"},
      {"finish_large", "large, keep 0.01", 1.65, "keys of more candidates than are cached are read for each digit"},
      {"finish_large", "keep 0.1", 2.9, "one of 16 or more is kept: v is read for each digit, not candidates"},
      {"difference_mix", "degree 1", 1.53, kGathers},
      {"difference_mix", "degree 2", 2.04, kGathers},
      {"difference_mix", "degree 8", 5.1, kGathers},
      {"mix_block", "degree 1", 1.49, kGathers},
      {"mix_block", "degree 2", 1.86, kGathers},
      {"mix_block", "resnet, degree 8", 3.9, kGathers},
      {"mix_block", "mlp, degree 8", 3.2, kGathers},
      {"debias_blocks", "resnet, degree 1, blocks 7", 1.12, "rows and blocks begin in a sector"},
      {"debias_blocks", "mlp, degree 1, blocks 7", 1.23, "rows and blocks begin in a sector"},
      {"dense_mix", "mlp, degree 1", 1.22, kPanels},
      {"dense_mix", "mlp, degree 2", 1.25, kPanels},
      {"dense_mix", "mlp, degree 8", 1.44, kPanels},
      {"dense_mix apart", "mlp, degree 1", 1.19, kPanels},
      {"dense_mix apart", "mlp, degree 2", 1.21, kPanels},
      {"dense_mix apart", "mlp, degree 8", 1.34, kPanels},
      {"update_mix", "mlp, degree 1", 1.19, kPanels},
      {"update_mix", "mlp, degree 2", 1.2, kPanels},
      {"update_mix", "mlp, degree 8", 1.28, kPanels},
      {"push_sum_mix", "resnet, degree 1, keep 0.1", 1.35, kMessages},
      {"push_sum_mix", "resnet, degree 2, keep 0.1", 1.69, kMessages},
      {"push_sum_mix", "resnet, degree 8, keep 0.01", 1.32, kMessages},
      {"push_sum_mix", "resnet, degree 8, keep 0.1", 3.3, kMessages},
      {"push_sum_mix", "mlp, degree 1, keep 0.01", 1.12, "of a dozen entries: edges and searches count"},
      {"push_sum_mix", "mlp, degree 1, keep 0.1", 1.2, kMessages},
      {"push_sum_mix", "mlp, degree 2, keep 0.1", 1.36, kMessages},
      {"push_sum_mix", "mlp, degree 8, keep 0.01", 1.16, kMessages},
      {"push_sum_mix", "mlp, degree 8, keep 0.1", 2.4, kMessages},
      {"add_sized_traffic", "keep 0.01", 2.75, kCounts},
      {"add_sized_traffic", "keep 0.1", 1.54, kCounts},
  };
  return factors;
}

/// Expects that a launch transfers no more than the factor that is known of it, and no less than 0.85 of that.
inline void expect_near_floor(std::string_view kernel, const std::string& round, const simt::Traffic& traffic,
                              const RoundSize& size) {
  const auto floor = std::ranges::find(gossip_floors(), kernel, &Floor::kernel);
  ASSERT_NE(floor, gossip_floors().end()) << kernel;
  const double least = floor->read(size) + floor->write(size);
  const double factor = static_cast<double>(traffic.transferred()) / least;
  const auto known = std::ranges::find_if(known_factors(), [&](const KnownFactor& k) {
    return k.kernel == kernel && round.find(k.round) != std::string::npos;
  });
  const std::string what = std::string(kernel) + ", " + round;
  testing::Test::RecordProperty(what, std::to_string(factor));
  if (known == known_factors().end()) {
    EXPECT_LE(factor, kMostFactor) << what << '\n' << simt::describe(traffic);
  } else {
    EXPECT_LE(factor, known->factor) << what << '\n' << simt::describe(traffic);
    EXPECT_GE(factor, 0.85 * known->factor) << what << ": the table of known factors wants a smaller one";
  }
  EXPECT_GE(factor, 0.95) << what << ": less than its floor\n" << simt::describe(traffic);
  if (!floor->in_quads) return;
  const double in_quads = static_cast<double>(traffic.in_quads()) / least;
  EXPECT_GE(in_quads, 0.8) << what << '\n' << simt::describe(traffic);
  EXPECT_LE(in_quads, std::max(kMostFactor, factor)) << what << ": rows twice\n" << simt::describe(traffic);
}

}  // namespace sparsepush

// What any transport does, tested where its shards are: `run(replicas, nodes, body)` calls body(backend, transport)
// once per shard that is here.
#pragma once
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

#include "host/transports/transport.h"
#include "kernels/backend/buffer.h"

namespace sparsepush {

/// The halo of a shard to which some nodes of the others send, and it to them: node i to shard s in round t if it is
/// another's and sends(i, s).
template <class Sends>
Halo halo_where(const Shard& shard, const Sends& sends) {
  Halo halo;
  for (int s = 0; s < shard.shards; ++s) {
    const Shard other{s, shard.shards, shard.replicas, shard.all_nodes};
    const std::size_t received = halo.nodes.size(), sent = halo.sent.size();
    for (int row = 0; row < other.rows() && s != shard.index; ++row)
      if (sends(other.id_of(row).node, shard.index)) halo.nodes.push_back(other.id_of(row));
    for (int row = 0; row < shard.rows() && s != shard.index; ++row)
      if (sends(shard.id_of(row).node, s)) halo.sent.push_back(row);
    halo.from.push_back(static_cast<int>(halo.nodes.size() - received));
    halo.to.push_back(static_cast<int>(halo.sent.size() - sent));
  }
  return halo;
}

/// An array of a shard, row by row, with what comes of others.
template <class Backend, class T>
class TestedArray {
 public:
  /// value(node, replica, column) is what the owner of a node has.
  template <class Value>
  TestedArray(const Backend& backend, const Shard& shard, std::size_t halo, int columns, const Value& value)
      : local_(backend, shard.rows(), columns), halo_(backend, static_cast<int>(halo), columns) {
    std::vector<T> values;
    for (int row = 0; row < shard.rows(); ++row)
      for (int c = 0; c < columns; ++c) values.push_back(value(shard.id_of(row), c));
    local_.assign(values);
  }
  ExchangedArray exchanged() const {
    return {std::as_writable_bytes(local_.span()).data(), std::as_writable_bytes(halo_.span()).data(),
            static_cast<std::int64_t>(local_.view().cols * sizeof(T))};
  }
  std::vector<T> received() const { return halo_.to_host(); }
  const Buffer<Backend, T>& local() const { return local_; }

 private:
  Buffer<Backend, T> local_, halo_;
};

/// Exchanges two arrays for `turns` rounds, of which each has other values and edges: node i sends to shard s where
/// sends(turn, i, s).
template <class Run, class Sends>
void expect_halos(const Run& run, int replicas, int nodes, int turns, const Sends& sends) {
  run(replicas, nodes, [&]<class Backend>(const Backend& backend, Transport<Backend>& transport) {
    const Shard& shard = transport.shard();
    for (int turn = 0; turn < turns; ++turn) {
      SCOPED_TRACE(testing::Message() << "shard " << shard.index << " of " << shard.shards << ", turn " << turn);
      Halo halo = halo_where(shard, [&](int node, int s) { return sends(turn, node, s); });
      const Buffer<Backend, std::int32_t> sent(backend, halo.sent);
      halo.sent_there = sent.span();
      const auto triple = [turn](const NodeId& id, int c) { return 1000 * turn + 100 * c + 10 * id.replica + id.node; };
      const auto single = [turn](const NodeId& id, int) { return 0.5 * turn + 100 * id.replica + id.node; };
      const TestedArray<Backend, std::int32_t> triples(backend, shard, halo.nodes.size(), 3, triple);
      const TestedArray<Backend, double> singles(backend, shard, halo.nodes.size(), 1, single);
      const ExchangedArray arrays[] = {triples.exchanged(), singles.exchanged()};
      transport.exchange(backend, arrays, halo);
      std::vector<std::int32_t> expected_triples;
      std::vector<double> expected_singles;
      for (const NodeId& id : halo.nodes) {
        for (int c = 0; c < 3; ++c) expected_triples.push_back(triple(id, c));
        expected_singles.push_back(single(id, 0));
      }
      EXPECT_EQ(triples.received(), expected_triples);
      EXPECT_EQ(singles.received(), expected_singles);
    }
  });
}

template <class Run>
void expect_every_requested_row(const Run& run) {
  expect_halos(run, 2, 7, 3, [](int, int, int) { return true; });
}

/// Rounds in which a shard sends to some, to all, or to none, and receives from others than it sends to.
template <class Run>
void expect_rows_of_changing_peers(const Run& run) {
  expect_halos(run, 1, 7, 8, [](int turn, int node, int s) { return (node + turn) % 3 == 0 && (s + turn) % 4 != 0; });
  expect_halos(run, 3, 11, 4, [](int turn, int node, int s) { return (node * 5 + s + turn) % (turn + 2) == 0; });
}

/// Rows that a shard changes behind an exchange without having waited for it.
template <class Run>
void expect_rows_as_they_were_sent(const Run& run) {
  run(1, 7, []<class Backend>(const Backend& backend, Transport<Backend>& transport) {
    const Shard& shard = transport.shard();
    Halo halo = halo_where(shard, [](int, int) { return true; });
    const Buffer<Backend, std::int32_t> sent(backend, halo.sent);
    halo.sent_there = sent.span();
    const Buffer<Backend, std::int32_t> last(backend, shard.rows(), 5, std::vector<std::int32_t>(5 * shard.rows(), 99));
    const auto value = [](const NodeId& id, int c) { return 10 * id.node + c; };
    std::vector<std::int32_t> expected;
    for (const NodeId& id : halo.nodes)
      for (int c = 0; c < 5; ++c) expected.push_back(value(id, c));
    const TestedArray<Backend, std::int32_t> array(backend, shard, halo.nodes.size(), 5, value);
    const Buffer<Backend, std::int32_t> kept(backend, static_cast<int>(halo.nodes.size()), 5);
    const ExchangedArray arrays[] = {array.exchanged()};
    transport.exchange(backend, arrays, halo);
    copy_within(backend, kept.span().data(), arrays[0].halo, kept.span().size_bytes());
    copy_within(backend, arrays[0].local, last.span().data(), last.span().size_bytes());
    transport.exchange(backend, arrays, halo);
    EXPECT_EQ(kept.to_host(), expected);
    EXPECT_EQ(array.received(), std::vector<std::int32_t>(expected.size(), 99));
  });
}

/// Work of a shard while rows travel: what it changes and what they bring do not touch each other.
template <class Run>
void expect_work_while_rows_travel(const Run& run) {
  run(2, 7, []<class Backend>(const Backend& backend, Transport<Backend>& transport) {
    const Shard& shard = transport.shard();
    Halo halo = halo_where(shard, [](int, int) { return true; });
    const Buffer<Backend, std::int32_t> sent(backend, halo.sent);
    halo.sent_there = sent.span();
    const auto value = [](const NodeId& id, int c) { return 100 * id.replica + 10 * id.node + c; };
    const TestedArray<Backend, std::int32_t> array(backend, shard, halo.nodes.size(), 5, value);
    const Buffer<Backend, std::int32_t> work(backend, shard.rows(), 5);
    for (int turn = 0; turn < 3; ++turn) {
      {
        const ExchangedArray arrays[] = {array.exchanged()};
        transport.start_exchange(backend, arrays, halo);
      }  // the list need not stay
      copy_within(backend, work.span().data(), array.local().span().data(), work.span().size_bytes());
      EXPECT_EQ(work.to_host(), array.local().to_host());
      clear(backend, work.span().data(), work.span().size_bytes());
      transport.finish_exchange();
      std::vector<std::int32_t> expected;
      for (const NodeId& id : halo.nodes)
        for (int c = 0; c < 5; ++c) expected.push_back(value(id, c));
      EXPECT_EQ(array.received(), expected);
    }
  });
}

/// Doubles for which the order shows: 1e16 swallows a 1 that is added later, not one that is added before.
template <class Run>
void expect_sums_in_node_order(const Run& run) {
  const std::vector<double> values = {1, 1, 1e16, 1, 1, -1e16, 1};
  double expected = 0;
  for (const double v : values) expected += v;
  run(1, 7, [&]<class Backend>(const Backend&, Transport<Backend>& transport) {
    const Shard& shard = transport.shard();
    for (int turn = 0; turn < 3; ++turn) {
      double sum = 99;
      transport.sum_in_order(std::span(&sum, 1), [&](std::int64_t, std::span<double> s) {
        for (int i = 0; i < shard.nodes(); ++i) s[0] += values[shard.first() + i];
      });
      EXPECT_EQ(sum, expected);
    }
  });
}

/// Sums of so many elements that they pass through the shards in parts.
template <class Run>
void expect_long_sums(const Run& run) {
  constexpr int kElements = 100'000;
  run(1, 7, []<class Backend>(const Backend&, Transport<Backend>& transport) {
    const Shard& shard = transport.shard();
    std::vector<double> sums(kElements, 99), expected(kElements);
    for (int i = 0; i < kElements; ++i)
      for (int node = 0; node < 7; ++node) expected[i] += 0.1 * i * (node + 1);
    transport.sum_in_order(sums, [&](std::int64_t first, std::span<double> part) {
      for (std::size_t i = 0; i < part.size(); ++i)
        for (int node = shard.first(); node < shard.first() + shard.nodes(); ++node)
          part[i] += 0.1 * static_cast<double>(first + static_cast<std::int64_t>(i)) * (node + 1);
    });
    EXPECT_EQ(sums, expected);
  });
}

template <class Run>
void expect_rows_gathered_in_global_order(const Run& run) {
  run(3, 7, []<class Backend>(const Backend&, Transport<Backend>& transport) {
    const Shard& shard = transport.shard();
    std::vector<double> local, global(shard.all_rows());
    for (int row = 0; row < shard.rows(); ++row) local.push_back(shard.id_of(row).replica * 7 + shard.id_of(row).node);
    transport.gather(local, global);
    for (int k = 0; k < shard.all_rows(); ++k) EXPECT_EQ(global[k], k);
  });
}

template <class Run>
void expect_broadcasts_of_shard_zero(const Run& run) {
  run(1, 7, []<class Backend>(const Backend&, Transport<Backend>& transport) {
    for (const bool first : {true, false, true})
      EXPECT_EQ(transport.broadcast(transport.shard().index == 0 ? first : !first), first);
    std::vector<int> values(1000, transport.shard().index);
    transport.broadcast(std::as_writable_bytes(std::span(values)));
    EXPECT_EQ(values, std::vector<int>(1000, 0));
  });
}

/// Messages from every shard to every later one, of which a receiver takes the nearest sender's first.
template <class Run>
void expect_sent_bytes(const Run& run) {
  run(1, 7, []<class Backend>(const Backend&, Transport<Backend>& transport) {
    const int own = transport.shard().index;
    for (int from = own - 1; from >= 0; --from)
      for (const int number : {1, 2}) {
        std::vector<int> values(number * (from + 1));
        transport.receive(from, std::as_writable_bytes(std::span(values)));
        EXPECT_EQ(values, std::vector<int>(number * (from + 1), 100 * from + 10 * own + number));
      }
    for (int to = own + 1; to < transport.shard().shards; ++to)
      for (const int number : {1, 2}) {
        const std::vector<int> values(number * (own + 1), 100 * own + 10 * to + number);
        transport.send(to, std::as_bytes(std::span(values)));
      }
  });
}

/// `run` throws what the last shard does.
template <class Run>
void expect_failure_of_the_last_shard(const Run& run) {
  const auto fail_in_last = []<class Backend>(const Backend&, Transport<Backend>& transport) {
    transport.barrier();
    if (transport.shard().index == transport.shard().shards - 1) throw std::runtime_error("disk full");
    transport.barrier();
    ADD_FAILURE() << "met without the shard that failed";
  };
  try {
    run(1, 7, fail_in_last);
    FAIL() << "no exception";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "disk full");
  }
}

}  // namespace sparsepush

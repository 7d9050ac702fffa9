// Whole networks against results of PyTorch that tests/reference/make_networks.py has stored.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <vector>

#include "kernels/backend/random.h"
#include "kernels/layers/softmax_xent.h"
#include "models/lenet5.h"
#include "models/network_pass.h"
#include "models/resnet20.h"
#include "models/vgg11.h"
#include "tests/backends.h"
#include "tests/test_files.h"

namespace sparsepush {
namespace {

constexpr double kTolerance = 1e-4;  // of a tensor's norm
constexpr double kLossTolerance = 1e-5;

Network network_of(const nlohmann::json& c) {
  const ImageShape image{c["side"], c["side"], c["channels"]};
  const std::map<std::string, Norm> norms = {
      {"batch", Norm::kBatch}, {"group", Norm::kGroup}, {"evonorm", Norm::kEvoNorm}, {"none", Norm::kNone}};
  const Norm norm = norms.at(c["norm"]);
  if (c["model"] == "lenet5") return make_lenet5(image, c["classes"], norm);
  if (c["model"] == "resnet20") return make_resnet20(image, c["classes"], norm);
  return make_vgg11(image, c["classes"], norm);
}

/// As `digest` of the script: norm, sum weighted by a pattern, largest magnitude.
std::vector<double> digest(const float* values, std::int64_t size) {
  double squares = 0, weighted = 0, largest = 0;
  for (std::int64_t i = 0; i < size; ++i) {
    squares += static_cast<double>(values[i]) * values[i];
    weighted += values[i] * (static_cast<std::uint32_t>(i * 2654435761u) * 0x1p-32 - 0.5);
    largest = std::max(largest, std::abs(static_cast<double>(values[i])));
  }
  return {std::sqrt(squares), weighted, largest};
}

/// Two nodes with the same model z: x = z and x = 4 z, u = 4.
template <class Backend>
class Training {
 public:
  Training(const nlohmann::json& file, const nlohmann::json& c)
      : file_(file), case_(c), network_(network_of(c)), batch_(file["batch"]) {
    z_.resize(network_.layout.row);
    momentum_.resize(z_.size());
    draw_parameters();
    statistics_.resize(2 * network_.statistics);
    for (int node = 0; node < 2; ++node)
      initialize_statistics(network_, statistics_.data() + node * network_.statistics);
    statistics_there_.assign(statistics_);
    load_batch();
  }

  const Network& network() const { return network_; }
  const std::vector<double>& z() const { return z_; }
  const float* gradient(int node) const { return gradient_.data() + node * z_.size(); }
  const float* statistics(int node) const { return statistics_.data() + node * network_.statistics; }

  /// Loss of each node.
  std::vector<double> forward(bool training) {
    std::vector<float> x(2 * z_.size());
    for (std::size_t j = 0; j < z_.size(); ++j) {
      x[j] = static_cast<float>(z_[j]);
      x[z_.size() + j] = 4 * x[j];
    }
    x_.assign(x);
    loss_.assign(std::vector<double>(2));
    pass_.forward(backend_, nodes(), 2 * batch_, training);
    softmax_xent(backend_, {.logits = pass_.logits(2 * batch_),
                            .label = pass_.label(2 * batch_),
                            .gradient = pass_.logits_gradient(2 * batch_),
                            .loss = loss_.span()});
    statistics_ = statistics_there_.to_host();
    return loss_.to_host();
  }
  void backward() {
    gradient_.assign(2 * z_.size(), 0.0f);
    for (int node = 0; node < 2; ++node)
      for (const Segment& s : network_.layout.segments)
        std::fill_n(gradient_.data() + node * z_.size() + s.begin, s.size, std::numeric_limits<float>::quiet_NaN());
    gradient_there_.assign(gradient_);
    pass_.backward(backend_, nodes(), 2 * batch_, gradient_there_.view());
    gradient_ = gradient_there_.to_host();
  }

  void update() {
    const double lr = case_["lr"], beta = file_["momentum"], decay = file_["weight_decay"];
    for (std::size_t j = 0; j < z_.size(); ++j) {
      momentum_[j] = beta * momentum_[j] + gradient_[j] + decay * z_[j];
      z_[j] -= lr * momentum_[j];
    }
  }

 private:
  /// The script rotates filters and shifts biases to keep values away from where rounding decides what a gradient is.
  void draw_parameters() {
    std::vector<float> drawn(z_.size());
    initialize_network(network_, file_["seed"], drawn.data());
    for (std::size_t p = 0; p < network_.parameters.size(); ++p) {
      const auto& [name, shape] = network_.parameters[p];
      const Segment& s = network_.layout.segments[p];
      const std::int64_t filter = s.size / shape[0];
      float* at = drawn.data() + s.begin;
      if (const auto shifts = case_["shifts"].find(name); shifts != case_["shifts"].end())
        for (const float units : *shifts) *at++ += units * file_["shift"].get<float>();
      if (const auto rotations = case_["rotations"].find(name); rotations != case_["rotations"].end())
        for (const std::int64_t elements : *rotations) {
          std::rotate(at, at + filter - elements, at + filter);
          at += filter;
        }
    }
    std::ranges::copy(drawn, z_.begin());
  }
  int row() const { return static_cast<int>(network_.layout.row); }
  PassNodes nodes() { return {.at = {.x = x_.view(), .u = u_.span()}, .statistics = statistics_there_.view()}; }
  PhiloxBlock word(std::int64_t i, std::uint32_t step) const {
    return philox({static_cast<std::uint32_t>(i), step, 0, 0}, {file_["seed"], 0});
  }
  /// The script's images are channels first.
  void load_batch() {
    const ImageShape shape = network_.input;
    std::vector<float> image(shape.size()), images;
    std::vector<std::int32_t> labels;
    for (int b = 0; b < batch_; ++b) {
      for (int c = 0; c < shape.channels; ++c)
        for (int pixel = 0; pixel < shape.pixels(); ++pixel) {
          const std::int64_t i = (static_cast<std::int64_t>(b) * shape.channels + c) * shape.pixels() + pixel;
          image[pixel * shape.channels + c] = static_cast<float>(word(i, 0)[0] & 255) / 64 - 2;
        }
      images.insert(images.end(), image.begin(), image.end());
      labels.push_back(static_cast<std::int32_t>(word(b, 1)[0] % network_.classes));
    }
    for (int node = 0; node < 2; ++node) {
      copy(backend_, pass_.input(2 * batch_).row(node * batch_), images.data(), images.size() * sizeof(float));
      copy(backend_, pass_.label(2 * batch_).data() + node * batch_, labels.data(), labels.size() * sizeof(labels[0]));
    }
  }

  const nlohmann::json &file_, &case_;
  const Backend backend_ = tested_backend<Backend>();
  const Network network_;
  const int batch_;
  NetworkPass<Backend> pass_{backend_, network_, 2, 2 * batch_};
  std::vector<double> z_, momentum_;  // in which steps are not lost that are small beside the parameters
  std::vector<float> gradient_, statistics_;
  Buffer<Backend, float> x_{backend_, 2, row()}, gradient_there_{backend_, 2, row()};
  Buffer<Backend, float> statistics_there_{backend_, 2, static_cast<int>(network_.statistics)};
  Buffer<Backend, double> u_{backend_, {1, 4}}, loss_{backend_, {0, 0}};
};

/// scale: what counts as nothing for a tensor that should be zero.
void expect_digest(const nlohmann::json& wanted, const float* values, std::int64_t size, double scale,
                   const std::string& what) {
  const std::vector<double> found = digest(values, size);
  const double norm = wanted[0];
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(found[i], wanted[i], kTolerance * (norm + scale)) << what << ", number " << i;
}

double largest_norm(const nlohmann::json& digests) {
  double largest = 0;
  for (const auto& d : digests) largest = std::max(largest, d[0].get<double>());
  return largest;
}

/// Name of the module that holds the parameter which begins at `begin`.
std::string module_of(const Network& network, std::int64_t begin) {
  for (std::size_t p = 0; p < network.parameters.size(); ++p) {
    const std::string& name = network.parameters[p].name;
    if (network.layout.segments[p].begin == begin) return name.substr(0, name.rfind('.'));
  }
  return "";
}

template <class Backend>
void expect_statistics(const nlohmann::json& wanted, const Training<Backend>& training) {
  std::size_t compared = 0;
  for (const LayerCall& call : training.network().calls) {
    const auto* layer = std::get_if<NormalizeLayer>(&call.layer);
    if (layer == nullptr || layer->norm != Norm::kBatch) continue;
    const std::string module = module_of(training.network(), layer->gamma);
    const int channels = layer->shape.channels;
    for (int node = 0; node < 2; ++node) {
      const float* const mean = training.statistics(node) + layer->statistics;
      expect_digest(wanted.at(module + ".running_mean"), mean, channels, 0.01, module + " means");
      expect_digest(wanted.at(module + ".running_var"), mean + channels, channels, 0.01, module + " variances");
    }
    compared += 2;
  }
  EXPECT_EQ(compared, wanted.size());
}

template <class Backend>
void expect_gradients(const nlohmann::json& wanted, const Training<Backend>& training) {
  const Network& network = training.network();
  ASSERT_EQ(wanted.size(), network.parameters.size());
  const double scale = 0.01 * largest_norm(wanted);
  for (std::size_t p = 0; p < network.parameters.size(); ++p)
    for (int node = 0; node < 2; ++node) {
      const Segment& s = network.layout.segments[p];
      const std::string& name = network.parameters[p].name;
      expect_digest(wanted.at(name), training.gradient(node) + s.begin, s.size, scale, name);
    }
}

/// Fewer on a simulator, which takes seconds for a step: one step of one normalization, but of all those of LeNet-5.
/// Fewer under a sanitizer, which takes as much longer: there the numbers are not what is tested.
template <class Backend>
std::size_t steps_of(const nlohmann::json& c) {
  const bool small = c["model"] == "lenet5";
  if (kSimulatedCuda && std::is_same_v<Backend, Cuda>) return small || (c["norm"] == "batch" && !kSanitized) ? 1 : 0;
  if (kSanitized) return small || c["norm"] == "batch" ? 1 : 0;
  return c["losses"].size();
}

template <class Backend>
void expect_the_same_training(const nlohmann::json& c, Training<Backend>& training) {
  const std::vector<double> initial = training.z();
  const Network& network = training.network();
  EXPECT_EQ(network.layout.params, c["parameters"].get<std::int64_t>());
  const std::size_t steps = steps_of<Backend>(c);
  for (std::size_t step = 0; step < steps; ++step) {
    for (const double loss : training.forward(true)) EXPECT_NEAR(loss, c["losses"][step], kLossTolerance) << step;
    training.backward();
    if (step == 0) expect_gradients(c["gradients"], training);
    if (step + 1 == c["losses"].size()) expect_gradients(c["last_gradients"], training);
    training.update();
  }
  if (steps < c["losses"].size()) return;
  for (std::size_t p = 0; p < network.parameters.size(); ++p) {
    const Segment& s = network.layout.segments[p];
    const std::string& name = network.parameters[p].name;
    std::vector<float> moved(s.size);
    for (std::int64_t i = 0; i < s.size; ++i)
      moved[i] = static_cast<float>(training.z()[s.begin + i] - initial[s.begin + i]);
    expect_digest(c["moved"].at(name), moved.data(), s.size, 0.01 * largest_norm(c["moved"]), name + " moved");
  }
  expect_statistics(c["statistics"], training);
  for (const double loss : training.forward(false)) EXPECT_NEAR(loss, c["test_loss"], kLossTolerance);
}

template <class Backend>
class NetworksOfPyTorchOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(NetworksOfPyTorchOn, Backends);

TYPED_TEST(NetworksOfPyTorchOn, HaveTheSameLossesGradientsStatisticsAndTrainedParameters) {
  std::ifstream stream(test_files() / "reference/networks.json");
  const auto file = nlohmann::json::parse(stream);
  int trained = 0;
  for (const auto& c : file["cases"]) {
    if (steps_of<TypeParam>(c) == 0) continue;
    SCOPED_TRACE(c["model"].get<std::string>() + " " + c["norm"].get<std::string>());
    Training<TypeParam> training(file, c);
    expect_the_same_training(c, training);
    ++trained;
  }
  EXPECT_GE(trained, 8);
}

}  // namespace
}  // namespace sparsepush

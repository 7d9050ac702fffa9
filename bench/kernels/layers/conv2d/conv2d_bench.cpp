// Our own loops for convolutions of few channels against oneDNN's, pass by pass on one thread: by these times
// kernels/layers/conv2d/conv2d.cpp gives each pass of a layer to whom it does.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <list>
#include <random>
#include <string>

#include "kernels/backend/buffer.h"
#include "kernels/layers/conv2d/onednn_convolution.h"
#include "kernels/layers/few_channels/channel_convolution.h"
#include "kernels/layers/few_channels/plane_convolution.h"
#include "kernels/layers/few_channels/tap_gradient.h"

namespace sparsepush {
namespace {

constexpr int kSamples = 32;

/// One node's layer in every way that can compute it.
class Ways {
 public:
  Ways(const Cpu& cpu, const Conv2dLayer& layer)
      : level_(cpu.vector_level()),
        row_(cpu, 1, static_cast<int>(layer.bias) + layer.out),
        gradient_(cpu, 1, row_.view().cols),
        input_(cpu, kSamples, static_cast<int>(layer.in.size())),
        input_gradient_(cpu, kSamples, input_.view().cols),
        output_(cpu, kSamples, static_cast<int>(layer.out_shape().size())),
        onednn_(layer, kSamples),
        scratch_(cpu, 1, static_cast<int>(onednn_.scratch_bytes() / sizeof(float)) + 1),
        planes_(layer),
        channels_(layer),
        taps_(layer) {
    std::minstd_rand generator(1);
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (const auto* buffer : {&row_, &input_, &output_})
      for (float& value : buffer->span()) value = uniform(generator);
  }

  void onednn_forward() { onednn_.forward({data(row_), 1}, data(input_), data(output_), scratch()); }
  void onednn_parameters() { onednn_.backward_parameters(data(input_), data(output_), data(gradient_), scratch()); }
  void onednn_input() { onednn_.backward_input({data(row_), 1}, data(output_), data(input_gradient_), scratch()); }
  void planes_forward() { planes_.forward(data(row_), 1, data(input_), kSamples, data(output_), level_); }
  void channels_forward() { channels_.forward(data(row_), 1, data(input_), kSamples, data(output_), level_); }
  void channels_input() {
    channels_.backward_input(data(row_), 1, data(output_), kSamples, data(input_gradient_), level_);
  }
  void taps_parameters() { taps_.take(data(input_), data(output_), kSamples, data(gradient_), level_); }

 private:
  static float* data(const Buffer<Cpu, float>& buffer) { return buffer.view().data; }
  std::byte* scratch() { return reinterpret_cast<std::byte*>(data(scratch_)); }

  VectorLevel level_;
  Buffer<Cpu, float> row_, gradient_, input_, input_gradient_, output_;
  OnednnConvolution onednn_;
  Buffer<Cpu, float> scratch_;
  PlaneConvolution planes_;
  ChannelConvolution channels_;
  TapGradient taps_;
};

void add(const std::string& name, Ways& ways, void (Ways::*pass)()) {
  benchmark::RegisterBenchmark(name.c_str(), [&ways, pass](benchmark::State& state) {
    for (auto _ : state) (ways.*pass)();
  })->Unit(benchmark::kMicrosecond);
}

void add_layer(const std::string& name, const Conv2dLayer& layer, Ways& ways) {
  add(name + "/forward/oneDNN", ways, &Ways::onednn_forward);
  if (PlaneConvolution::suits(layer)) add(name + "/forward/planes", ways, &Ways::planes_forward);
  if (ChannelConvolution::suits(layer)) add(name + "/forward/channels", ways, &Ways::channels_forward);
  add(name + "/parameters/oneDNN", ways, &Ways::onednn_parameters);
  add(name + "/parameters/taps", ways, &Ways::taps_parameters);
  add(name + "/input/oneDNN", ways, &Ways::onednn_input);
  if (ChannelConvolution::suits(layer)) add(name + "/input/channels", ways, &Ways::channels_input);
}

}  // namespace
}  // namespace sparsepush

int main(int count, char** arguments) {
  using namespace sparsepush;
  const Cpu cpu(1, onednn_vector_level());
  std::list<Ways> ways;
  const auto add_one = [&](const std::string& name, const Conv2dLayer& layer) {
    add_layer(name, layer, ways.emplace_back(cpu, layer));
  };
  add_one("32x32x3_to_6", {.in = {32, 32, 3}, .out = 6, .kernel = 5, .padding = 0, .bias = 450});  // LeNet-5's
  add_one("28x28x1_to_6", {.in = {28, 28, 1}, .out = 6, .kernel = 5, .padding = 2, .bias = 150});
  add_one("14x14x6_to_16", {.in = {14, 14, 6}, .out = 16, .kernel = 5, .padding = 0, .bias = 2400});
  add_one("32x32x16_to_16", {.in = {32, 32, 16}, .out = 16, .bias = 2304});  // ResNet-20's: left to oneDNN
  benchmark::AddCustomContext("vectors", std::string(name_of(cpu.vector_level())));
  benchmark::Initialize(&count, arguments);
  benchmark::RunSpecifiedBenchmarks();
}

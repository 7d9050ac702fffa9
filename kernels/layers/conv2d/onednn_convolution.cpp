#include "kernels/layers/conv2d/onednn_convolution.h"

#include <omp.h>

#include <algorithm>
#include <oneapi/dnnl/dnnl.hpp>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace sparsepush {
namespace {

using Descriptor = dnnl::memory::desc;
using Forward = dnnl::convolution_forward;
using BackwardInput = dnnl::convolution_backward_data;
using BackwardParameters = dnnl::convolution_backward_weights;
using Arguments = std::unordered_map<int, dnnl::memory>;

/// oneDNN takes as many threads as OpenMP offers the thread that prepares or calls it: one, while this lives.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

/// Working memory is ours: oneDNN's own would belong to the thread that prepared.
dnnl::primitive_attr attributes() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attr.set_fpmath_mode(dnnl::fpmath_mode::strict);  // the environment could say otherwise
  return attr;
}

Descriptor floats(const dnnl::memory::dims& dims, dnnl::memory::format_tag layout) {
  return {dims, dnnl::memory::data_type::f32, layout};
}

/// The arrays of a layer; `weight` leaves the layout to oneDNN.
struct Arrays {
  Arrays(const Conv2dLayer& layer, int samples) : stride{layer.stride, layer.stride}, padding(2, layer.padding) {
    using Tag = dnnl::memory::format_tag;
    const ImageShape in = layer.in, out = layer.out_shape();
    const dnnl::memory::dims weights{layer.out, in.channels, layer.kernel, layer.kernel};
    input = floats({samples, in.channels, in.height, in.width}, Tag::nhwc);
    output = floats({samples, out.channels, out.height, out.width}, Tag::nhwc);
    weight = floats(weights, Tag::any);
    weight_in_row = floats(weights, Tag::oihw);
    if (layer.bias != Conv2dLayer::kNoBias) bias = floats({layer.out}, Tag::a);
  }

  Descriptor input, weight, weight_in_row, bias, output;
  dnnl::memory::dims stride, padding;
};

constexpr auto kAlgorithm = dnnl::algorithm::convolution_direct;  // others round more

#if DNNL_VERSION_MAJOR >= 3

Forward::primitive_desc describe_forward(const dnnl::engine& engine, const Arrays& a, const Descriptor& weight) {
  return {engine,      dnnl::prop_kind::forward_training,
          kAlgorithm,  a.input,
          weight,      a.bias,
          a.output,    a.stride,
          a.padding,   a.padding,
          attributes()};
}

BackwardInput::primitive_desc describe_backward_input(const dnnl::engine& engine, const Arrays& a,
                                                      const Forward::primitive_desc& forward) {
  return {engine, kAlgorithm, a.input, a.weight, a.output, a.stride, a.padding, a.padding, forward, attributes()};
}

BackwardParameters::primitive_desc describe_backward_parameters(const dnnl::engine& engine, const Arrays& a,
                                                                const Forward::primitive_desc& forward) {
  return {engine,   kAlgorithm, a.input,   a.weight, a.bias,      a.output,
          a.stride, a.padding,  a.padding, forward,  attributes()};
}

constexpr int kScale = DNNL_ARG_ATTR_SCALES | DNNL_ARG_SRC;
void set_scaled(dnnl::primitive_attr& attr) { attr.set_scales_mask(DNNL_ARG_SRC, 0); }

#else

Forward::primitive_desc describe_forward(const dnnl::engine& engine, const Arrays& a, const Descriptor& weight) {
  return {{dnnl::prop_kind::forward_training, kAlgorithm, a.input, weight, a.bias, a.output, a.stride, a.padding,
           a.padding},
          attributes(),
          engine};
}

BackwardInput::primitive_desc describe_backward_input(const dnnl::engine& engine, const Arrays& a,
                                                      const Forward::primitive_desc& forward) {
  return {{kAlgorithm, a.input, a.weight, a.output, a.stride, a.padding, a.padding}, attributes(), engine, forward};
}

BackwardParameters::primitive_desc describe_backward_parameters(const dnnl::engine& engine, const Arrays& a,
                                                                const Forward::primitive_desc& forward) {
  return {
      {kAlgorithm, a.input, a.weight, a.bias, a.output, a.stride, a.padding, a.padding}, attributes(), engine, forward};
}

constexpr int kScale = DNNL_ARG_ATTR_OUTPUT_SCALES;
void set_scaled(dnnl::primitive_attr& attr) { attr.set_output_scales(0, {DNNL_RUNTIME_F32_VAL}); }

#endif

/// oneDNN's first choice of layout for the forward pass brings an implementation that takes up to twice as long as
/// the one for blocks of 16 x 16 weights, where that exists.
Forward::primitive_desc describe_best_forward(const dnnl::engine& engine, const Arrays& a) {
  const Forward::primitive_desc first = describe_forward(engine, a, a.weight);
  const dnnl::memory::dims weights = a.weight.dims();
  if (weights[0] % 16 != 0 || weights[1] % 16 != 0) return first;
  try {
    const Descriptor blocked = floats(weights, dnnl::memory::format_tag::OIhw16i16o);
    const Forward::primitive_desc other = describe_forward(engine, a, blocked);
    if (std::string_view(other.impl_info_str()).starts_with("jit:avx512")) return other;
  } catch (const dnnl::error& error) {
    if (error.status != dnnl_unimplemented) throw;
  }
  return first;
}

dnnl::reorder::primitive_desc describe_reorder(const dnnl::engine& engine, const Descriptor& from, const Descriptor& to,
                                               bool scaled) {
  dnnl::primitive_attr attr = attributes();
  if (scaled) set_scaled(attr);
  return {engine, from, engine, to, attr};
}

/// A primitive and its own working memory.
struct Call {
  explicit Call(const dnnl::primitive_desc_base& description)
      : primitive(description.get()), scratchpad(description.scratchpad_desc()) {}

  dnnl::primitive primitive;
  Descriptor scratchpad;
};

constexpr std::size_t whole_lines(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace

VectorLevel onednn_vector_level() {
  const auto effective = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto includes = [=](dnnl::cpu_isa isa) {  // each has the bits of those that it extends
    return (effective & static_cast<unsigned>(isa)) == static_cast<unsigned>(isa);
  };
  if (includes(dnnl::cpu_isa::avx512_core)) return VectorLevel::kAvx512;
  return includes(dnnl::cpu_isa::avx2) ? VectorLevel::kAvx2 : VectorLevel::kBaseline;
}

/// The scratch is [packed weights | bias at z | scratchpad]: weights are packed while oneDNN works with them, in the
/// layout that it chose for each direction.
struct OnednnConvolution::Prepared {
  Prepared(const Conv2dLayer& layer, int samples) : layer(layer), arrays(layer, samples) {}

  std::size_t packed_bytes() const {
    return whole_lines(std::max({forward_weight.get_size(), backward_weight.get_size(), weight_gradient.get_size()}));
  }
  std::size_t bias_bytes() const { return whole_lines(arrays.bias.get_size()); }
  std::size_t scratchpad_bytes() const;

  dnnl::memory memory(const Descriptor& what, const void* where) const {
    return {what, engine, const_cast<void*>(where)};  // oneDNN knows no const, but only writes its results
  }
  void run(const Call& call, Arguments arguments, std::byte* scratch) const;
  dnnl::memory packed_at_z(const Call& pack, const Descriptor& packed, const Node& node, std::byte* scratch) const;

  Conv2dLayer layer;
  Arrays arrays;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};

  Forward::primitive_desc forward_description = describe_best_forward(engine, arrays);
  BackwardInput::primitive_desc input_description = describe_backward_input(engine, arrays, forward_description);
  BackwardParameters::primitive_desc parameters_description =
      describe_backward_parameters(engine, arrays, forward_description);
  Descriptor forward_weight = forward_description.weights_desc();
  Descriptor backward_weight = input_description.weights_desc();
  Descriptor weight_gradient = parameters_description.diff_weights_desc();

  Call forward{forward_description}, backward_input{input_description}, backward_parameters{parameters_description};
  Call pack_forward{describe_reorder(engine, arrays.weight_in_row, forward_weight, true)};
  Call pack_backward{describe_reorder(engine, arrays.weight_in_row, backward_weight, true)};
  Call unpack_gradient{describe_reorder(engine, weight_gradient, arrays.weight_in_row, false)};
};

std::size_t OnednnConvolution::Prepared::scratchpad_bytes() const {
  std::size_t most = 0;
  for (const Call* call :
       {&forward, &backward_input, &backward_parameters, &pack_forward, &pack_backward, &unpack_gradient})
    most = std::max(most, call->scratchpad.get_size());
  return whole_lines(most);
}

void OnednnConvolution::Prepared::run(const Call& call, Arguments arguments, std::byte* scratch) const {
  arguments[DNNL_ARG_SCRATCHPAD] = memory(call.scratchpad, scratch + packed_bytes() + bias_bytes());
  call.primitive.execute(stream, arguments);
}

/// The weights of the node as `packed`, at the front of the scratch.
dnnl::memory OnednnConvolution::Prepared::packed_at_z(const Call& pack, const Descriptor& packed, const Node& node,
                                                      std::byte* scratch) const {
  const dnnl::memory to = memory(packed, scratch);
  const Descriptor scale = floats({1}, dnnl::memory::format_tag::a);
  run(pack,
      {{DNNL_ARG_FROM, memory(arrays.weight_in_row, node.x + layer.weight)},
       {DNNL_ARG_TO, to},
       {kScale, memory(scale, &node.r)}},
      scratch);
  return to;
}

OnednnConvolution::OnednnConvolution(const Conv2dLayer& layer, int samples) {
  const OneThread one;
  prepared_ = std::make_unique<Prepared>(layer, samples);
}

OnednnConvolution::~OnednnConvolution() = default;

std::int64_t OnednnConvolution::scratch_bytes() const {
  const Prepared& p = *prepared_;
  return static_cast<std::int64_t>(p.packed_bytes() + p.bias_bytes() + p.scratchpad_bytes());
}

void OnednnConvolution::forward(const Node& node, const float* input, float* output, std::byte* scratch) const {
  const OneThread one;
  const Prepared& p = *prepared_;
  Arguments arguments{{DNNL_ARG_SRC, p.memory(p.arrays.input, input)},
                      {DNNL_ARG_WEIGHTS, p.packed_at_z(p.pack_forward, p.forward_weight, node, scratch)},
                      {DNNL_ARG_DST, p.memory(p.arrays.output, output)}};
  if (p.layer.bias != Conv2dLayer::kNoBias) {
    float* bias = reinterpret_cast<float*>(scratch + p.packed_bytes());
    for (int o = 0; o < p.layer.out; ++o) bias[o] = node.x[p.layer.bias + o] * node.r;
    arguments.emplace(DNNL_ARG_BIAS, p.memory(p.arrays.bias, bias));
  }
  p.run(p.forward, std::move(arguments), scratch);
}

void OnednnConvolution::backward_parameters(const float* input, const float* output_gradient, float* gradient,
                                            std::byte* scratch) const {
  const OneThread one;
  const Prepared& p = *prepared_;
  const dnnl::memory packed = p.memory(p.weight_gradient, scratch);
  Arguments arguments{{DNNL_ARG_SRC, p.memory(p.arrays.input, input)},
                      {DNNL_ARG_DIFF_DST, p.memory(p.arrays.output, output_gradient)},
                      {DNNL_ARG_DIFF_WEIGHTS, packed}};
  if (p.layer.bias != Conv2dLayer::kNoBias)
    arguments.emplace(DNNL_ARG_DIFF_BIAS, p.memory(p.arrays.bias, gradient + p.layer.bias));
  p.run(p.backward_parameters, std::move(arguments), scratch);
  p.run(p.unpack_gradient,
        {{DNNL_ARG_FROM, packed}, {DNNL_ARG_TO, p.memory(p.arrays.weight_in_row, gradient + p.layer.weight)}}, scratch);
}

void OnednnConvolution::backward_input(const Node& node, const float* output_gradient, float* input_gradient,
                                       std::byte* scratch) const {
  const OneThread one;
  const Prepared& p = *prepared_;
  p.run(p.backward_input,
        {{DNNL_ARG_DIFF_DST, p.memory(p.arrays.output, output_gradient)},
         {DNNL_ARG_WEIGHTS, p.packed_at_z(p.pack_backward, p.backward_weight, node, scratch)},
         {DNNL_ARG_DIFF_SRC, p.memory(p.arrays.input, input_gradient)}},
        scratch);
}

}  // namespace sparsepush

// What a program has in the place of cuDNN that is built without it: nothing below a constructor is ever called.
#include <stdexcept>

#include "kernels/layers/conv2d/cudnn_convolution.h"

namespace sparsepush {
namespace {
[[noreturn]] void refuse() { throw std::runtime_error(cudnn_problem()); }
}  // namespace

std::string cudnn_problem() { return "this program was built without cuDNN"; }
std::string cudnn_version() { return ""; }

struct CudnnRoom::State {};
CudnnRoom::CudnnRoom(const Cuda&) { refuse(); }
CudnnRoom::~CudnnRoom() = default;

struct CudnnConvolution::State {};
CudnnConvolution::CudnnConvolution(const Cuda&, const Conv2dLayer&, int, int, CudnnRoom&) { refuse(); }
CudnnConvolution::~CudnnConvolution() = default;
void CudnnConvolution::prepare(const Cuda&, int) { refuse(); }
void CudnnConvolution::forward(const Cuda&, const Conv2dForward&) { refuse(); }
void CudnnConvolution::backward(const Cuda&, const Conv2dBackward&) { refuse(); }

}  // namespace sparsepush

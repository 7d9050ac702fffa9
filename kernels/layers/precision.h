// How exactly products of layers are computed.
#pragma once

namespace sparsepush {

/// kTf32: where a GPU's tensor cores can, from numbers rounded to 11 bits (kernels/backend/tf32.h), added up in fp32.
enum class Precision { kFp32, kTf32 };

}  // namespace sparsepush

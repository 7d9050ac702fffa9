// Whether a sanitizer watches: it takes several times as long, and finds its faults in fewer repetitions than numbers
// need.
#pragma once

namespace sparsepush {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace sparsepush

// The least that a round of Sparse-Push has to do: read x, momentum, gradient and error, write x, momentum and error.
#include <stddef.h>

void update_pass(float* restrict x, float* restrict momentum, const float* restrict gradient, float* restrict error,
                 size_t params) {
  const float lr = 1e-6f, beta = 0.9f, decay = 1e-4f;  // so small that x and error stay finite for any number of passes
  for (size_t i = 0; i < params; ++i) {
    const float m = beta * momentum[i] + (gradient[i] + decay * x[i]);
    momentum[i] = m;
    x[i] -= lr * m;
    error[i] = 0.5f * error[i] + x[i];
  }
}

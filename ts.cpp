#include <cmath>
#include <cstdio>
namespace {
[[gnu::target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")]] void f(const float* a, float* b, int n) {
  for (int i = 0; i < n; i++) b[i] = std::fma(a[i], 2.f, 1.f);
}
}  // namespace
int main() {
  float a[100] = {}, b[100];
  f(a, b, 100);
  printf("%f\n", b[3]);
}

"""scripts/device_code.py and scripts/kernel_resources.py: they notice what they exist for, and the kernels have none of it."""

import subprocess
import sys
import unittest
from pathlib import Path

from program import ProgramTest, main

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))
import device_code  # noqa: E402
import kernel_resources  # noqa: E402
import ptx  # noqa: E402

# A function that every CUDA source below calls, and what it does wrong.
CLAMPS_TO_A_CONSTANT = """#include <algorithm>
inline constexpr float kMost = 0.3f;
constexpr float learned(float seen) { return std::clamp(seen, -kMost, kMost); }
__global__ void kernel(float* p) { p[0] = learned(p[1]); }
"""
SEARCHES = """#include <algorithm>
__global__ void kernel(int* p, const int* q, int n) { p[0] = static_cast<int>(std::lower_bound(q, q + n, p[1]) - q); }
"""
COPIES = """#include <algorithm>
__global__ void kernel(float* p, const float* q) { std::copy_n(q, 8, p); }
"""
CALLS_THE_HOST = """float doubled(float x) { return 2 * x; }
constexpr float mixed(float x) { return x > 3 ? doubled(x) : x; }
__global__ void kernel(float* p) { p[0] = mixed(p[1]); }
"""
THROWS = """constexpr float checked(float x) { if (x > 3) throw 1; return x; }
__global__ void kernel(float* p) { p[0] = checked(p[1]); }
"""
NEEDS_MANY_REGISTERS = """__global__ void kernel(float* p) {
  float lane[96];
  for (int i = 0; i < 96; ++i) lane[i] = p[i * blockDim.x + threadIdx.x];
  __syncthreads();
  for (int i = 0; i < 96; ++i) p[i * blockDim.x + threadIdx.x] = lane[95 - i] * lane[i / 2];
}
"""
RIGHT = """#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
constexpr int kMost = 5;
constexpr int few(int n) { return std::min(n, +kMost); }
__global__ void kernel(std::span<const float> s, float* p) {
  constexpr std::int64_t kLocal = 7;
  p[std::min(kLocal, std::ssize(s))] = std::fma(s[few(3)], std::sqrt(s[1]), std::log(std::max(s[0], s[2])));
  for (const float x : s.subspan(1)) p[0] += x;
}
"""


def lines_of(text):
    return [line for line, _ in device_code.faults_in_text(text)]


class TextTest(ProgramTest):
    def test_names_that_are_not_in_the_list_are_faults_of_device_code(self):
        self.assertEqual(lines_of(CLAMPS_TO_A_CONSTANT), [3])
        self.assertEqual(lines_of(SEARCHES), [2])
        self.assertEqual(lines_of(COPIES), [2])
        self.assertEqual(lines_of(RIGHT), [])

    def test_host_code_may_call_everything(self):
        host = "void launcher(int n) {\n  std::vector<int> v(n);\n  std::sort(v.begin(), v.end());\n  throw 1;\n}\n"
        self.assertEqual(lines_of(host), [])
        self.assertEqual(lines_of(f"{host}__device__ int f(int n) {{ return std::gcd(n, 2); }}\n{host}"), [6])

    def test_every_form_of_a_device_function_is_read(self):
        for function in ("template <int k>\n__global__ void __launch_bounds__(k) f(int* p) {\n  std::sort(p, p + k);\n}",
                         "struct S {\n  __device__ explicit S(int n) : a_{n}, b_(n) {\n    std::sort(0, 0);\n  }\n};",
                         "constexpr auto f(int n)\n    -> int {\n  return std::gcd(n, 2);\n}",
                         "__device__ void f() {\n  const auto g = [&](int i) {\n    return std::gcd(i, 2); };\n  g(1);\n}"):
            self.assertEqual(lines_of(function), [3], function)

    def test_comments_strings_and_constants_are_not_calls(self):
        self.assertEqual(lines_of('constexpr int kLarge = std::gcd(4, 6);  // a constant\n'
                                  '__device__ int f() { return 1; /* std::sort */ }  // std::sort throw\n'
                                  'constexpr const char* g() { return "std::sort"; }\n'), [])

    def test_what_only_the_host_can_do_is_a_fault(self):
        self.assertEqual(lines_of(THROWS), [1])
        self.assertEqual(lines_of("constexpr int f(int n) {\n  CHECK(n > 0, n);\n  return n;\n}"), [2])
        self.assertEqual(lines_of("__device__ bool f(int n) { return __builtin_constant_p(n); }"), [1])
        self.assertEqual(lines_of("using namespace std;"), [1])
        self.assertEqual(lines_of("using std::clamp;"), [1])

    def test_references_to_named_constants_are_faults(self):
        self.assertEqual(lines_of("constexpr int kA = 1;\n__device__ int f(int n) { return std::min(n, kA); }"), [2])
        self.assertEqual(lines_of("constexpr int kA = 1;\n__device__ int f(int n) { return std::max<int>(kA, n); }"), [2])
        self.assertEqual(lines_of("constexpr int kA = 1;\n__device__ int f(int n) { return std::min(n, 2 * kA); }"), [])

    def test_headers_are_read_too(self):
        read = {file.name for file in device_code.sources_with_headers([device_code.ROOT / "kernels/messages/topk/topk_select.cu"])}
        self.assertLessEqual({"topk_select.cu", "select_kernel.h", "warmth.h", "constexpr_algorithms.h"}, read)

    def test_the_kernels_have_no_faults(self):
        self.assertEqual(list(device_code.read_text((device_code.ROOT / "kernels").rglob("*.cu"))), [])


@unittest.skipUnless(ptx.NVCC, "nvcc is not installed")
class CompiledTest(ProgramTest):
    def faults(self, script, source, *options):
        file = self.folder / "kernel.cu"
        file.write_text(source)
        done = subprocess.run([sys.executable, SCRIPTS / script, *options, file], capture_output=True, text=True)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        self.assertEqual(done.stdout.endswith(" 0 faults\n"), done.returncode == 0, done.stdout)
        return "\n".join(done.stdout.splitlines()[:-1])

    def test_calls_that_the_device_lacks_are_found_where_nothing_is_inlined(self):
        found = lambda source: self.faults("device_code.py", source, "--compiled")
        self.assertIn("std::clamp", found(CLAMPS_TO_A_CONSTANT))
        self.assertIn("__advance", found(SEARCHES))
        self.assertIn("__copy_m", found(COPIES))
        self.assertIn("mixed(float) calls what the device does not have", found(CALLS_THE_HOST))
        self.assertIn("checked(float) calls what the device does not have", found(THROWS))
        self.assertEqual(found(RIGHT), "")

    def test_kernels_that_trap_store_nothing_or_cannot_be_launched_are_found(self):
        found = lambda source: self.faults("kernel_resources.py", source)
        self.assertIn("holds a trap", found(CLAMPS_TO_A_CONSTANT))
        self.assertIn("stores nothing", found(COPIES))
        self.assertIn("has no room for blocks of 1024 threads", found(NEEDS_MANY_REGISTERS))
        self.assertEqual(found(RIGHT), "")


class NamesTest(ProgramTest):
    def test_kernels_are_called_what_they_are_in_their_source(self):
        mangled = {"_ZN10sparsepush12_GLOBAL__N_113select_kernelILi4ELNS_4NormE1EEEvPfi": "select_kernel<4, 1>",
                   "_ZN10sparsepush11fill_kernelEPfi": "fill_kernel", "k": "k"}
        self.assertEqual(kernel_resources.short_names([{"kernel": name} for name in mangled] * 2), mangled)


class PtxTest(ProgramTest):
    def test_a_store_to_memory_that_the_kernel_takes_along_is_none(self):
        kernel = ".visible .entry k(\n.param .u64 k_param_0\n)\n.maxntid 128, 1, 1\n{\n%s\n\tret;\n}\n"
        for instruction, stores in (("\tst.global.v4.f32 \t[%rd1], {%f1};", True), ("\t@%p1 red.global.add.u32 [%rd1], 1;", True),
                                    ("\tst.shared.u32 [%r1], %r2;", False), ("\tst.param.b64 [param0+0], %rd1;", False),
                                    ("\tatom.shared.add.u32 %r1, [%r2], 1;", False), ("\tst.local.u32 [%rd1], %r2;", False)):
            function, = ptx.functions(kernel % instruction)
            self.assertEqual((function.name, function.is_kernel, function.stores, function.most_threads),
                             ("k", True, stores, 128), instruction)

    def test_calls_are_followed(self):
        text = (".func (.param .b32 r) _Z1fi(\n.param .b32 a\n)\n{\n\ttrap;\n}\n"
                ".visible .entry k()\n{\n\tcall.uni (retval0), \n\t_Z1fi, \n\t(\n\tparam0\n\t);\n\tret;\n}\n")
        callee, kernel = ptx.functions(text)
        self.assertEqual([kernel.calls, kernel.calls_address, kernel.traps], [["_Z1fi"], False, False])
        self.assertEqual(ptx.reached([callee, kernel], kernel), [kernel, callee])
        self.assertTrue(callee.traps)


if __name__ == "__main__":
    main()

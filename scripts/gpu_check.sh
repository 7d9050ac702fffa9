#!/usr/bin/env bash
# Checks and measures everything that needs a GPU, from the unpacked bundle of scripts/bundle.sh or from a build.
# usage: scripts/gpu_check.sh first|tests|sanitize|networks|shards|bench|baselines [--results DIR] [--bin DIR] [--python PROGRAM]
#                             [--device cuda|simulated|cpu]
#   first      all of `tests` in 90 seconds at most: eight programs at a time, those of large memory alone at the end
#   tests      runs of the program on the GPU against the same on the CPU; every test of the Cuda backend
#   sanitize   the Cuda backend's tests under compute-sanitizer: memcheck, racecheck
#   networks   network_bench, and what cuDNN, PyTorch and JAX make of ResNet-20 beside it; in 4 minutes
#   shards     a GPU that sends to itself through NCCL; 2 and 3 processes that share it against one; in 2 minutes
#   bench      sweeps of gossip_bench
#   baselines  the gossip round in PyTorch and JAX beside gossip_bench
# A part takes at most nine minutes (first: 90 seconds, networks: 4 minutes, shards: 2 minutes) and consists of pieces whose results stay in DIR (gpu_check); run
# again, it goes on where it stopped; without DIR it begins anew. DIR/PART.json, copied to the folder $OUT if that is set,
# has all results; a table of them is printed last, after the beginning of what failed.
# --device simulated or cpu tries the script itself: small sizes, on the simulator (from build/cpu) or on the CPU.
# Exit codes: 0 done, 1 a piece failed, 2 wrong usage, 75 time is up (run again), 77 there is no GPU.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

part=${1:-}
case "$part" in first | tests | sanitize | networks | shards | bench | baselines) shift ;; *)
  sed -n '3,11p' "${BASH_SOURCE[0]}" >&2
  exit 2
  ;;
esac
results=$root/gpu_check bin='' device=cuda python=python3
while [[ $# -gt 0 ]]; do
  case "$1" in
    --results) results=$2 ;;
    --bin) bin=$2 ;;
    --python) python=$2 ;;
    --device) device=$2 ;;
    *) echo "gpu_check.sh: unknown option $1" >&2; exit 2 ;;
  esac
  shift 2
done
if [[ -z "$bin" ]]; then
  bin=$root/build/cpu
  if [[ "$device" == cuda ]]; then bin=$root/build/cuda; fi
  if [[ -d "$root/bin" ]]; then bin=$root/bin; fi
fi
bin=$(realpath "$bin")
suffix=''
if [[ "$device" == simulated ]]; then suffix=_simulated; fi
program=$bin/sparsepush$suffix gossip_bench=$bin/gossip_bench$suffix
backend=cuda
if [[ "$device" == cpu ]]; then backend=cpu; fi
pieces=$results/$part
mkdir -p "$pieces"
pieces=$(cd "$pieces" && pwd)

part_seconds=530 piece_seconds=300 most_at_once=1
if [[ "$part" == first ]]; then
  most_at_once=$(nproc)
  if [[ $most_at_once -gt 8 ]]; then most_at_once=8; fi
  if [[ "$device" == cuda ]]; then part_seconds=90 piece_seconds=60; fi
fi
if [[ "$part" == networks ]]; then part_seconds=240 piece_seconds=90; fi
if [[ "$part" == shards ]]; then part_seconds=120 piece_seconds=100; fi
postponed=$pieces/postponed.txt  # a line a piece
: >"$postponed"

# piece NAME COMMAND...: runs it, unless that was done before, and records how it ended. A piece may leave
# $pieces/NAME.data.json.
piece() {
  local name=$1 record=$pieces/$1.json began=$SECONDS exit_code=0 limit
  shift
  if [[ -f "$record" ]]; then return; fi
  limit=$((part_seconds - SECONDS))
  if [[ $limit -lt 10 ]]; then echo "$name" >>"$postponed"; return; fi
  if [[ $limit -gt $piece_seconds ]]; then limit=$piece_seconds; fi
  echo "$part: $name" >&2
  timeout -k 10 "$limit" "$@" >"$pieces/$name.log" 2>&1 || exit_code=$?
  if [[ $exit_code -eq 124 && $limit -lt $piece_seconds ]]; then echo "$name" >>"$postponed"; return; fi
  printf '{"name": "%s", "exit_code": %d, "seconds": %d}\n' "$name" "$exit_code" "$((SECONDS - began))" >"$record"
}

# beside PIECE...: the piece beside others, as soon as fewer than most_at_once are running; `wait` waits for all of them.
beside() {
  while [[ $(jobs -rp | wc -l) -ge $most_at_once ]]; do wait -n || true; done
  piece "$@" &
}

# not_run NAME WHY: a piece that this machine cannot run; the table says so.
not_run() { piece "$1" echo "not run: $2"; }
no_cudnn='libcudnn.so.9 is not found, or the program was built without it'

# Whether the program has cuDNN, which another machine may lack, or have with PyTorch only.
has_cudnn() {
  local of_python
  if "$program" --version | grep '^convolutions on a GPU: .*cudnn' >/dev/null; then return; fi
  of_python=$("$python" -c 'import nvidia.cudnn; print(nvidia.cudnn.__path__[0])' 2>/dev/null) || return 1
  if [[ ":${LD_LIBRARY_PATH:-}:" == *":$of_python/lib:"* ]]; then return 1; fi
  export LD_LIBRARY_PATH=$of_python/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  has_cudnn
}

# "PROGRAM SUITE" of every suite of tests that runs on the Cuda backend, but for those that would be skipped.
cuda_suites() {
  local tests left_out='^$'
  if ! has_cudnn; then left_out='/cudnn_'; fi
  for tests in "$bin"/*_test; do
    if ! "$tests" --gtest_list_tests | sed -n "s|^\([^ ]*\)\. .*TypeParam = .*Cuda.*|$tests \1|p"; then
      echo "gpu_check.sh: $tests does not list its tests" >&2
      return 1
    fi
  done | grep -v "$left_out"
}

# run_suites piece|beside: the suites of its input, alone or beside others.
run_suites() {
  local how=$1 tests suite
  while read -r tests suite; do
    "$how" "${suite//\//_}" "$tests" --gtest_filter="$suite.*" --gtest_output="json:$pieces/${suite//\//_}.data.json"
  done
}

run_tests() {
  local suites size=()
  if [[ "$device" == cpu ]]; then
    piece algorithms "$python" "$root/tests/program/cuda_agreement_test.py" "$program" --other cpu
    return
  fi
  suites=$(cuda_suites)
  if [[ "$device" == cuda ]]; then size=(--large); fi
  beside algorithms "$python" "$root/tests/program/cuda_agreement_test.py" "$program" "${size[@]}"
  beside program "$python" "$root/tests/program/cuda_test.py" "$program"
  if has_cudnn; then
    beside cudnn "$python" "$root/tests/program/cuda_cudnn_test.py" "$program"
  else
    not_run cudnn "$no_cudnn"
  fi
  run_suites beside < <(grep -vi large <<<"$suites")
  wait
  run_suites piece < <(grep -i large <<<"$suites")
}

run_sanitizers() {
  local sanitizer tool tests suite suites left_out
  sanitizer=$(PATH=$PATH:/usr/local/cuda/bin:/usr/local/cuda/compute-sanitizer command -v compute-sanitizer || true)
  if [[ -z "$sanitizer" ]]; then
    echo "gpu_check.sh: compute-sanitizer is not installed" >&2
    exit 77
  fi
  suites=$(cuda_suites)
  for tool in memcheck racecheck; do
    left_out=''
    if [[ "$tool" == racecheck ]]; then left_out='-*Large*:*Many*'; fi  # which takes a hundred times as long
    while read -r tests suite; do
      if [[ "$tool" == racecheck && "$tests" == */cudnn_* ]]; then continue; fi  # others' kernels
      piece "${tool}_${suite//\//_}" "$sanitizer" --tool "$tool" --error-exitcode 9 "$tests" \
        --gtest_filter="$suite.*$left_out" --gtest_output="json:$pieces/${tool}_${suite//\//_}.data.json"
    done <<<"$suites"
  done
}

# sweep NAME OPTION...
sweep() {
  local name=$1
  shift
  piece "$name" "$gossip_bench" --backend "$backend" --json "$pieces/$name.data.json" "$@"
}

run_benchmarks() {
  if [[ "$device" != cuda ]]; then
    sweep tiny --layout mlp segment:5000 --nodes 5 --warm-up 3 --samples 3 --degree 1 2 --gradients 2
    return
  fi
  # First N d = 1e9; last the largest N that 80 GB hold.
  sweep resnet20_1e9 --nodes 3708 --degree 2
  sweep resnet20_small --nodes 64 256 1000
  sweep resnet20_degrees --nodes 1000 --degree 2 4 8 16
  sweep resnet20_exponential --nodes 1024 --topology exponential
  sweep vgg11 --layout vgg11 --nodes 16 64 105
  sweep mlp --layout mlp --nodes 10000 100000 826446
  sweep resnet20_largest --nodes 4096 8192 16384 --gradients 1 --warm-up 60 --degree 2
  piece mlp_rounds "$bin/mlp_bench" --benchmark_filter=cuda --benchmark_out_format=json \
    --benchmark_out="$pieces/mlp_rounds.data.json"
  piece state_bytes "$gossip_bench" --backend cuda --count-only --gradients 1 --nodes 4096 16384 \
    --json "$pieces/state_bytes.data.json"
}

# network NAME FILTER: some of network_bench.
network() {
  piece "$1" "$bin/network_bench" --benchmark_filter="$2" --benchmark_min_time=1 --benchmark_out_format=json \
    --benchmark_out="$pieces/$1.data.json"
}

# network_baseline NAME OPTION...: a way of PyTorch or JAX in turn with network_bench.
network_baseline() {
  local name=$1
  shift
  piece "$name" "$python" "$root/bench/baselines/network_gpu.py" --ours "$bin/network_bench" \
    --json "$pieces/$name.data.json" "$@"
}

run_networks() {
  if [[ "$device" != cuda ]]; then
    network tiny 'network_gradients/lenet5/nodes:8/threads:1/'
    network_baseline loop --device cpu --ways loop --nodes 8 --turns 1 --seconds 0.1
    return
  fi
  network resnet20 'network_gradients/resnet20/cuda/(tf32|fp32)/nodes:64/batch:32/'
  network resnet20_round 'network_round/resnet20/cuda/tf32/.*/batch:32/'
  network_baseline vmap_compile --ways vmap_compile
  if has_cudnn; then
    network resnet20_cudnn 'network_gradients/resnet20/cuda/cudnn_.*/nodes:64/batch:32/'
  else
    not_run resnet20_cudnn "$no_cudnn"
  fi
  network lenet5 '/lenet5/cuda/fp32/nodes:1024/batch:32/'
  network vgg11 '/vgg11/cuda/tf32/nodes:64/batch:32/'
  network_baseline compiled_bf16 --ways compiled --precision bf16
  network_baseline graph --ways graph
  network resnet20_batch_16 'network_round/resnet20/cuda/tf32/.*/batch:16/'
  network_baseline jax_vmap --ways jax_vmap
  network_baseline vmap --ways vmap
  network vgg11_others '/vgg11/cuda/fp32/nodes:64/batch:32/'
}

# The bundle has Open MPI beside the programs; it finds its own files through these variables.
run_shards() {
  if [[ -d "$root/mpi" ]]; then
    export OPAL_PREFIX=$root/mpi PMIX_INSTALL_PREFIX=$root/mpi/pmix PMIX_MCA_pcompress_base_silence_warning=1
    export PATH=$root/mpi/bin:$PATH LD_LIBRARY_PATH=$root/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  fi
  if [[ "$device" != cpu ]]; then
    piece nccl "$bin/nccl_transport_test" --gtest_output="json:$pieces/nccl.data.json"
    piece processes "$python" "$root/tests/program/cuda_ranks_test.py" "$program"
  fi
  if [[ "$device" == cuda && $(nvidia-smi --list-gpus 2>/dev/null | wc -l) -lt 2 ]]; then
    not_run nccl_between_gpus 'here is one GPU'
  fi
}

# baseline NAME SCRIPT OPTION...
baseline() {
  local name=$1 script=$root/bench/baselines/$2
  shift 2
  piece "$name" "$python" "$script" --device "$baseline_device" --ours "$gossip_bench" \
    --json "$pieces/$name.data.json" "$@"
}

run_baselines() {
  local keep nodes baseline_device=cuda script scripts=''
  for script in torch jax; do
    if "$python" -c "import $script" 2>/dev/null; then
      scripts+=" $script"
    else
      not_run "$script" "$python has no $script"
    fi
  done
  if [[ "$device" != cuda ]]; then
    baseline_device=cpu gossip_bench=$bin/gossip_bench
    for script in $scripts; do
      baseline "${script}_tiny" "gossip_$script.py" --nodes 6 --rounds 3 --repetitions 1 --chunk 3
    done
    return
  fi
  for nodes in 1000 64; do
    for keep in 0.01 0.001; do
      for script in $scripts; do
        baseline "${script}_${nodes}_$keep" "gossip_$script.py" --nodes "$nodes" --keep "$keep" --repetitions 3
      done
    done
  done
  if [[ "$scripts" == *torch* ]]; then
    piece mlp_torch "$python" "$root/bench/baselines/mlp_torch.py" --device cuda --ours "$bin/mlp_bench" --rounds 10
  fi
}

if [[ ! -x "$gossip_bench" || ! -x "$program" ]]; then
  echo "gpu_check.sh: $gossip_bench and $program have to be built first" >&2
  exit 2
fi
if [[ "$device" == cuda ]]; then
  status=0
  "$gossip_bench" --backend cuda --layout mlp --nodes 2 --keep 0.01 --warm-up 1 --samples 1 >/dev/null || status=$?
  if [[ $status -ne 0 ]]; then
    echo "gpu_check.sh: no GPU that works here; nothing was checked" >&2
    exit 77
  fi
fi
has_cudnn || true  # from here on its library is found, if there is one
case "$part" in
  first | tests) run_tests ;;
  sanitize) run_sanitizers ;;
  networks) run_networks ;;
  shards) run_shards ;;
  bench) run_benchmarks ;;
  baselines) run_baselines ;;
esac

status=0
"$python" "$root/scripts/gpu_check_table.py" "$pieces" "$results/$part.json" || status=$?
if [[ -n "${OUT:-}" && ! "$results" -ef "$OUT" ]]; then cp "$results/$part.json" "$OUT/"; fi
if [[ -s "$postponed" ]]; then
  echo "Time is up before $(wc -l <"$postponed") pieces; run the same again to go on."
  if [[ $status -eq 0 ]]; then status=75; fi
fi
exit "$status"

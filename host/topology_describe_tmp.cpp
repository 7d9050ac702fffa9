#include "host/topology.h"
namespace sparsepush { std::string describe_topology(const Topology&) { return ""; } }

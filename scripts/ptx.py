"""What nvcc's PTX says of each function: what it calls, whether it stores, whether it gives up."""
import os
import re
import shutil
import subprocess
from dataclasses import dataclass

FUNCTION = re.compile(r"^(?:\.\w+ )*\.(?P<kind>func|entry)\b(?P<head>[^;{]*)\{(?P<body>.*?)^\}", re.DOTALL | re.MULTILINE)
CALL = re.compile(r"^\s*call(?:\.uni)?\s+(?:\([^)]*\),\s*)?(?P<callee>[\w$%]+)", re.MULTILINE)
STORE = re.compile(r"^\s*(?:@!?%\w+\s+)?(?:st|red|atom)\.(?!local|param|shared)", re.MULTILINE)


# What nvcc is called in: it may be installed where no shell looks.
ENVIRONMENT = os.environ | {"PATH": os.environ["PATH"] + ":/usr/local/cuda/bin"}
NVCC = shutil.which("nvcc", path=ENVIRONMENT["PATH"])  # None where it is not installed

NOT_OURS = re.compile(r"_ZN(?:3cub|4cuda|6thrust)")


def is_ours(mangled):
    return not NOT_OURS.match(mangled)


@dataclass
class Function:
    name: str  # as mangled
    is_kernel: bool
    calls: list  # names of functions
    calls_address: bool  # an address in a register: a function that the device lacks, or a real function pointer
    traps: bool
    stores: bool  # to memory that outlives the kernel
    products: bool  # of matrices on tensor cores
    copies: bool  # of 16 bytes to shared memory that go on beside what else it does
    most_threads: int  # of a block, as far as the function says


def functions(text):
    """Every function that has a body."""
    return [_function(match) for match in FUNCTION.finditer(text)]


def _function(match):
    head = re.sub(r"^\s*\(\s*\.param[^()]*\)", "", match["head"])  # what it returns
    body = re.sub(r"//[^\n]*", "", match["body"])
    callees = [call["callee"] for call in CALL.finditer(body)]
    return Function(name=re.search(r"[\w$]+", head)[0], is_kernel=match["kind"] == "entry",
                    calls=[callee for callee in callees if not callee.startswith("%")],
                    calls_address=any(callee.startswith("%") for callee in callees),
                    traps=re.search(r"\btrap;", body) is not None, stores=STORE.search(body) is not None,
                    products="mma.sync" in body,
                    copies=re.search(r"cp\.async\.cg\.shared\.global [^;]*, 16,", body) is not None,
                    most_threads=int(bound[1]) if (bound := re.search(r"\.maxntid (\d+)", head)) else 1024)


def reached(functions_of_file, start):
    """`start` and every function of the file that it calls, also through others."""
    by_name = {function.name: function for function in functions_of_file}
    found, left = [], [start]
    while left:
        function = left.pop()
        if function not in found:
            found.append(function)
            left += [by_name[call] for call in function.calls if call in by_name]
    return found


def demangled(names):
    """{name: the same as C++ writes it}"""
    names = sorted(names)
    done = subprocess.run(["c++filt"], input="\n".join(names), check=True, capture_output=True, text=True)
    return dict(zip(names, done.stdout.splitlines()))

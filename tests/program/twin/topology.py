"""Who sends to whom in a round, and with which weights."""

import math


def one_peer_exponential(nodes):
    """Node i sends to i + 1, then to i + 2, i + 4, ... in turn."""
    hops = [2**k for k in range((nodes - 1).bit_length())]
    return [[(i, (i + hop) % nodes, None) for i in range(nodes)] for hop in hops]


def directed_ring(nodes):
    return [[(i, (i + 1) % nodes, None) for i in range(nodes)]]


def three_rings():
    rings = ((0, 1, 2, 3), (0, 3, 2, 1), (0, 2, 1, 3))
    return [[(ring[i], ring[(i + 1) % 4], None) for i in range(4)] for ring in rings]


def base_graph_of_five():
    """Four nodes take their mean, one of them meets the fifth, and the four take it again."""

    def pairs(*weighted):
        return [edge for a, b, weight in weighted for edge in ((a, b, weight), (b, a, weight))]

    first, second = pairs((0, 1, 0.5), (2, 3, 0.5)), pairs((0, 2, 0.5), (1, 3, 0.5))
    return [first, second, pairs((3, 4, 0.8), (0, 1, 0.5)), first, second]


def to_csv(rounds):
    """The topology file of a list of rounds, each a list of (source, target, weight or None)."""
    weighted = rounds[0][0][2] is not None
    lines = ["round,source,target,weight" if weighted else "round,source,target"]
    for number, edges in enumerate(rounds):
        for source, target, weight in edges:
            lines.append(f"{number},{source},{target}" + (f",{weight!r}" if weighted else ""))
    return "\n".join(lines) + "\n"


def mixing_weights(edges, eta):
    """{(target, source): w_ij} with the self weights {(j, j): w_jj} of a round's edges, as exact doubles.

    w_ij = rint(eta p_ij 2^S) / 2^S with S = 24 - ceil(log2 eta); rounded down in columns whose sum would exceed eta.
    """
    mantissa, exponent = math.frexp(eta)
    units = 2.0 ** (24 - (exponent - 1 if mantissa == 0.5 else exponent))
    weights = {}
    for source in {edge[0] for edge in edges}:
        column = [edge for edge in edges if edge[0] == source and edge[1] != source]
        exact = [eta * (1.0 / (len(column) + 1) if p is None else p) * units for _, _, p in column]
        rounded = [round(value) for value in exact]  # Python rounds ties to even
        if sum(rounded) > eta * units:
            rounded = [math.floor(value) for value in exact]
        assert all(rounded), "a weight became 0"
        for (_, target, _), value in zip(column, rounded):
            weights[target, source] = value / units
        weights[source, source] = -sum(rounded) / units
    return weights

"""Golden numbers for Ward's clustering and its dendrogram, by SciPy (1.17.1 made the committed ones).

Prints the table that tests/clustering/clustering_test.cpp includes:

    python3 tests/golden/clustering.py > tests/golden/clustering.inc
"""
import numpy as np
from scipy.cluster import hierarchy
from scipy.spatial.distance import pdist

# Points, dimensions, groups that they gather in, leaves that are drawn.
CASES = [(2, 1, 1, 2), (3, 2, 1, 2), (17, 3, 4, 17), (60, 2, 5, 12), (230, 5, 14, 30)]


def points_of(n, dim, groups):
    """As in the test: a linear congruential generator; each point near one of the groups' places."""
    state = 7

    def draw():
        nonlocal state
        state = (state * 1103515245 + 12345) % 2**31
        return state / 2**31

    centres = [[10 * draw() for _ in range(dim)] for _ in range(groups)]
    return np.array([[centres[i % groups][k] + draw() for k in range(dim)] for i in range(n)])


def braces(rows):
    return "{" + ", ".join(rows) + "}"


def main():
    print("// Made by tests/golden/clustering.py.")
    print("// {points, dim, groups, leaves, merges, correlation, links {x, y, colour}, leaf counts}")
    for n, dim, groups, leaves in CASES:
        points = points_of(n, dim, groups)
        merges = hierarchy.linkage(points, "ward")
        distances = pdist(points)
        joined = hierarchy.cophenet(merges)
        correlation = float(np.corrcoef(distances, joined)[0, 1]) if n > 2 else 0.0
        drawn = hierarchy.dendrogram(merges, p=leaves, truncate_mode="lastp", no_plot=True)
        rows = [f"{{{int(a)}, {int(b)}, {h!r}, {int(s)}}}" for a, b, h, s in merges.tolist()]
        links = [
            "{" + braces(repr(float(v)) for v in x) + ", " + braces(repr(float(v)) for v in y) + f", {int(colour[1:])}}}"
            for x, y, colour in zip(drawn["icoord"], drawn["dcoord"], drawn["color_list"])
        ]
        counts = [text[1:-1] if text.startswith("(") else "1" for text in drawn["ivl"]]
        print(f"    {{{n}, {dim}, {groups}, {leaves}, {braces(rows)}, {correlation!r}, {braces(links)}, {braces(counts)}}},")


if __name__ == "__main__":
    main()

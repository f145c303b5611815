"""Golden numbers for the ranking metrics, computed by definition in pure Python.

Independent of the C++ code on purpose: sets instead of binary searches, exact fractions where the metric is a
fraction. Prints the constants that tests/metrics/ranking_test.cpp holds:

    python3 tests/golden/ranking_metrics.py > tests/golden/ranking_metrics.inc
"""
from fractions import Fraction
from math import log2

CASES = [
    ("one hit at the top", [7, 1, 2, 3, 4], [7]),
    ("hits in the middle", [9, 4, 8, 0, 6, 5, 3, 2, 1, 7], [0, 2, 4, 11]),
    ("no hit", [1, 2, 3], [5, 6]),
    ("more relevant than K", [3, 1, 4, 15, 9, 2, 6], [1, 2, 3, 4, 5, 6, 7, 8]),
    ("all hits in order", [2, 4, 6], [2, 4, 6]),
    ("padded list", [5, 8, -1, -1, -1], [8, 9]),
]
KS = [1, 3, 5, 10]


def metrics(ranked, relevant, k):
    top = ranked[:k]
    wanted = set(relevant)
    hits = [item in wanted for item in top]
    ideal = min(len(wanted), k)
    dcg = sum(1 / log2(rank + 2) for rank, hit in enumerate(hits) if hit)
    idcg = sum(1 / log2(rank + 2) for rank in range(ideal))
    precisions = [Fraction(sum(hits[: rank + 1]), rank + 1) for rank, hit in enumerate(hits) if hit]
    first = [rank for rank, hit in enumerate(hits) if hit]
    return {
        "recall": float(Fraction(sum(hits), len(wanted))),
        "ndcg": dcg / idcg,
        "precision": float(Fraction(sum(hits), k)),
        "hit": float(any(hits)),
        "mrr": float(Fraction(1, first[0] + 1)) if first else 0.0,
        "map": float(sum(precisions, Fraction(0)) / ideal),
    }


def main():
    print("// Made by tests/golden/ranking_metrics.py. {name, ranked, relevant, {K, {recall, ndcg, precision, hit, mrr, map}}}")
    for name, ranked, relevant in CASES:
        ranked_text = ", ".join(map(str, ranked))
        relevant_text = ", ".join(map(str, relevant))
        print(f'    {{"{name}", {{{ranked_text}}}, {{{relevant_text}}}, {{')
        for k in KS:
            values = metrics(ranked, relevant, k)
            print(f"        {{{k}, {{" + ", ".join(repr(v) for v in values.values()) + "}},")
        print("    }},")


if __name__ == "__main__":
    main()

"""Golden numbers for the paired tests, by SciPy (1.17.1 made the committed ones).

Prints the table that tests/metrics/significance_test.cpp includes:

    python3 tests/golden/significance.py > tests/golden/significance.inc
"""
from scipy import stats

CASES = [
    ("few users", [0.1, 0.5, 0.3, 0.9, 0.2], [0.4, 0.6, 0.3, 1.0, 0.5]),
    ("two users", [0.0, 0.25], [0.5, 0.5]),
    ("ties and zeros", [0, 0, 0.5, 0.5, 1, 0, 0.25, 1, 0, 0.5], [0.5, 0, 0, 1, 1, 0.5, 0.25, 0.5, 0.5, 1]),
    ("far apart", [i / 40 for i in range(40)], [i / 40 + 0.5 + (i * 7 % 11) / 50 for i in range(40)]),
    ("no difference on average", [i * 13 % 17 / 17 for i in range(60)], [i * 5 % 19 / 19 for i in range(60)]),
]


def main():
    print("// Made by tests/golden/significance.py. {name, a, b, t-test p, Wilcoxon p}")
    for name, a, b in CASES:
        t = stats.ttest_rel(b, a).pvalue
        w = stats.wilcoxon(b, a, zero_method="wilcox", correction=False, method="approx").pvalue
        lists = ", ".join("{" + ", ".join(repr(float(v)) for v in values) + "}" for values in (a, b))
        print(f'    {{"{name}", {lists}, {float(t)!r}, {float(w)!r}}},')


if __name__ == "__main__":
    main()

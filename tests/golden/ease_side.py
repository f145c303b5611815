"""Golden weights of EASE with side information on small matrices, in float64 with NumPy.

Independent of the C++ code on purpose: dense matrices, the formula of hyperllm/baselines/ease.h word by word,
NumPy's general inverse. Prints the constants that tests/baselines/ease_side_test.cpp holds:

    python3 tests/golden/ease_side.py > tests/golden/ease_side.inc
"""
import numpy as np

USERS, ITEMS, TAGS, COLUMNS, NEAR = 9, 7, 5, 3, 2


def inputs():
    rng = np.random.default_rng(21)
    x = (rng.random((USERS, ITEMS)) < 0.4).astype(float)
    x[2] = 0  # a user without an item
    x[:, 5] = 0  # an item without a user
    t = (rng.random((TAGS, ITEMS)) < 0.4).astype(float)
    t[1] = 1  # a tag of every item: its idf is 0
    t[3] = 0  # a tag of none
    v = rng.normal(0, 1, (ITEMS, COLUMNS)).round(2)
    return x, t, v


def unit_rows(v):
    centred = v - v.mean(0)
    return centred / np.linalg.norm(centred, axis=1, keepdims=True)


def parts(x, t, v, lam, dropout, tag_weight, embedding_weight):
    count = t.sum(1)
    idf = np.where(count > 0, np.log(ITEMS / np.maximum(count, 1)) / np.log(ITEMS), 0)
    rows, unit = idf[:, None] * t, unit_rows(v)
    gram = x.T @ x + tag_weight * rows.T @ rows + embedding_weight * unit @ unit.T
    penalty = lam * np.eye(ITEMS) + dropout / (1 - dropout) * np.diag(np.diag(x.T @ x))
    return gram, penalty


def weights(gram, penalty):
    p = np.linalg.inv(gram + penalty)
    b = -p / np.diag(p)[None, :]
    np.fill_diagonal(b, 0)
    return b


# Each column on the NEAR items that lower its error most alone.
def near_weights(gram, penalty):
    b, pivots = np.zeros((ITEMS, ITEMS)), np.diag(gram + penalty)
    for j in range(ITEMS):
        others = [i for i in range(ITEMS) if i != j and gram[i, j] != 0]
        near = sorted(others, key=lambda i: (-gram[i, j] ** 2 / pivots[i], i))[:NEAR]
        b[near, j] = np.linalg.solve((gram + penalty)[np.ix_(near, near)], gram[near, j])
    return b


def text(matrix):
    return "{" + ", ".join(repr(float(value)) for value in np.asarray(matrix).ravel()) + "}"


def pairs(matrix):
    return "{" + ", ".join(f"{{{row}, {column}}}" for row, column in zip(*np.nonzero(matrix))) + "}"


def main():
    x, t, v = inputs()
    print("// Made by tests/golden/ease_side.py. Users, items, tags, columns, neighbours; (user, item); (item, tag);")
    print("// embeddings; {lambda, dropout, tag weight, embedding weight, weights, weights on neighbours}")
    print(f"{USERS}, {ITEMS}, {TAGS}, {COLUMNS}, {NEAR}, {pairs(x)}, {pairs(t.T)}, {text(v)}, {{")
    for case in ((2, 0, 0, 0), (2, 0.5, 0, 0), (2, 0, 1, 0), (2, 0, 0, 3), (0.5, 0.25, 0.7, 1.5)):
        print(f"    {{{', '.join(map(str, case))}, {text(weights(*parts(x, t, v, *case)))},")
        print(f"     {text(near_weights(*parts(x, t, v, *case)))}}},")
    print("}")


if __name__ == "__main__":
    main()

"""Golden numbers of one training step of LightGCN and of matrix factorisation, in float64 with NumPy.

Independent of the C++ code on purpose: a dense adjacency, the loss as LightGCN's code has it (the mean over
the batch, times its size), gradients by the chain rule on whole matrices. Prints the constants that
tests/models/euclidean_test.cpp holds:

    python3 tests/golden/lightgcn_step.py > tests/golden/lightgcn_step.inc
"""
import numpy as np

USERS, ITEMS, DIM, REG, LR = 4, 5, 3, 0.02, 1e-3
EDGES = [(0, 0), (0, 1), (1, 1), (1, 2), (1, 3), (2, 0), (2, 3), (3, 3)]  # item 4 has none
# User, positive, negative; a user, a positive and a negative come twice.
TRIPLETS = [(0, 1, 3), (1, 1, 4), (1, 2, 4), (3, 3, 0)]


def adjacency():
    b = np.zeros((USERS + ITEMS, USERS + ITEMS))
    for user, item in EDGES:
        b[user, USERS + item] = b[USERS + item, user] = 1
    degree = b.sum(1)
    scale = np.where(degree > 0, 1 / np.sqrt(np.maximum(degree, 1)), 0)
    return scale[:, None] * b * scale[None, :]


def step(e, layers):
    a = adjacency()
    mean = sum(np.linalg.matrix_power(a, l) for l in range(layers + 1)) / (layers + 1)
    h = mean @ e
    count = len(TRIPLETS)
    ranking = penalty = 0.0
    of_h, of_e = np.zeros_like(e), np.zeros_like(e)
    for user, positive, negative in TRIPLETS:
        p, n = USERS + positive, USERS + negative
        apart = h[user] @ h[n] - h[user] @ h[p]
        ranking += np.log1p(np.exp(apart)) / count
        slope = 1 / (1 + np.exp(-apart)) / count
        of_h[user] += slope * (h[n] - h[p])
        of_h[n] += slope * h[user]
        of_h[p] -= slope * h[user]
        for node in (user, p, n):
            penalty += 0.5 * (e[node] @ e[node]) / count
            of_e[node] += REG * e[node] / count
    gradient = count * (mean.T @ of_h + of_e)
    return h, count * ranking, count * REG * penalty, gradient


def after_adam(e, gradient):
    first, second = 0.1 * gradient, 0.001 * gradient**2
    return e - LR * (first / 0.1) / (np.sqrt(second / 0.001) + 1e-8)


def text(matrix):
    return "{" + ", ".join(repr(float(value)) for value in matrix.ravel()) + "}"


def main():
    print("// Made by tests/golden/lightgcn_step.py. Users, items, dim, reg, lr; embeddings; edges; triplets;")
    print("// {layers, points, ranking loss, penalty, gradient, embeddings after a step of Adam}")
    e = np.random.default_rng(5).normal(0, 0.6, (USERS + ITEMS, DIM)).round(3)
    lists = lambda rows: "{" + ", ".join("{" + ", ".join(map(str, row)) + "}" for row in rows) + "}"
    print(f"{USERS}, {ITEMS}, {DIM}, {REG}, {LR}, {text(e)},")
    print(f"{lists(EDGES)},")
    print(f"{lists(TRIPLETS)}, {{")
    for layers in (0, 1, 3):
        h, ranking, penalty, gradient = step(e, layers)
        print(f"    {{{layers}, {text(h)},")
        print(f"     {float(ranking)!r}, {float(penalty)!r}, {text(gradient)},")
        print(f"     {text(after_adam(e, gradient))}}},")
    print("}")


if __name__ == "__main__":
    main()

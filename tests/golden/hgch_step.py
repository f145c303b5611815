"""Two golden steps of HGCH in float64, computed in the Poincare ball by the paper's own formulas.

Independent of the C++ code on purpose: gyromidpoints with conformal factors instead of Lorentz centroids, Mobius
addition instead of chords, dense matrices, and the gradient by central differences. Prints the constants that
tests/models/hgch_test.cpp holds:

    python3 tests/golden/hgch_step.py > tests/golden/hgch_step.inc
"""
import numpy as np

USERS, ITEMS, DIM = 4, 4, 3
PAIRS = [(0, 0), (0, 1), (1, 0), (2, 2), (2, 3), (3, 2)]
TRIPLETS = [(0, 4, 5), (1, 5, 4), (2, 6, 7), (3, 7, 6), (0, 7, 6), (1, 4, 6), (0, 5, 4)]
# c, layers, how far out user 2 is: at 5 it clips the midpoints of its neighbours
CASES = [(1.0, 3, 1), (0.6, 3, 1), (1.0, 2, 5), (0.6, 2, 5)]
MARGIN, CLIP = 0.3, 0.996
STEPS, LR, DECAY, BETA1, BETA2, EPSILON = 2, 1e-2, 0.2, 0.9, 0.999, 1e-8


def tangents(far):
    k = np.arange((USERS + ITEMS) * DIM)
    table = np.round(0.7 * np.sin(1 + 2.3 * k), 3).reshape(-1, DIM)
    table[2] *= far
    return table


def adjacency():
    a = np.eye(USERS + ITEMS)
    for user, item in PAIRS:
        a[user, USERS + item] = a[USERS + item, user] = 1
    return a / a.sum(1, keepdims=True)


def length(x):
    return np.linalg.norm(x, axis=-1, keepdims=True)


def expmap0(v, c):
    z = np.sqrt(c) * length(v)
    return np.tanh(z) / z * v


def logmap0(x, c):
    z = np.sqrt(c) * length(x)
    return np.arctanh(z) / z * x


def gyromidpoints(x, a, c):
    lam = 2 / (1 - c * length(x) ** 2)
    t = a @ (lam * x) / (a @ (lam - 1))
    return t / (1 + np.sqrt(1 - c * length(t) ** 2))


def clipped(x, c):
    return x * np.minimum(1, CLIP / np.sqrt(c) / length(x))


def encode(table, c, layers):
    v, total = table, 0
    for _ in range(layers):
        v = logmap0(clipped(gyromidpoints(expmap0(v, c), adjacency(), c), c), c)
        total = total + v
    return expmap0(total, c)


def mobius_add(x, y, c):
    xy, x2, y2 = x @ y, x @ x, y @ y
    return ((1 + 2 * c * xy + c * y2) * x + (1 - c * x2) * y) / (1 + 2 * c * xy + c * c * x2 * y2)


def squared_distance(x, y, c):
    return (2 / np.sqrt(c) * np.arctanh(np.sqrt(c) * np.linalg.norm(mobius_add(-x, y, c)))) ** 2


def loss(table, c, layers):
    h = encode(table, c, layers)
    terms = [max(squared_distance(h[a], h[p], c) - squared_distance(h[a], h[n], c) + MARGIN, 0) for a, p, n in TRIPLETS]
    active = sum(term > 0 for term in terms)
    return sum(terms) / active, active


def gradient(table, c, layers, step=1e-5):
    grad = np.zeros_like(table)
    for at in np.ndindex(*table.shape):
        def moved(by):
            other = table.copy()
            other[at] += by
            return loss(other, c, layers)[0]
        grad[at] = (8 * (moved(step) - moved(-step)) - (moved(2 * step) - moved(-2 * step))) / (12 * step)
    return grad


def rows(table):
    return "{" + ", ".join(f"{value:.10g}" for value in table.flatten()) + "}"


def adam(table, c, layers):
    first = second = 0
    for t in range(1, STEPS + 1):
        decayed = gradient(table, c, layers) + DECAY * table
        first = BETA1 * first + (1 - BETA1) * decayed
        second = BETA2 * second + (1 - BETA2) * decayed**2
        table = table - LR * (first / (1 - BETA1**t)) / (np.sqrt(second / (1 - BETA2**t)) + EPSILON)
    return table


def main():
    print("// Made by tests/golden/hgch_step.py. {c, layers, table, h, active triplets, loss, gradient, table after the steps}, rows in order")
    for c, layers, far in CASES:
        table = tangents(far)
        value, active = loss(table, c, layers)
        print(f"    {{{c}, {layers}, {rows(table)}, {rows(encode(table, c, layers))},")
        print(f"     {active}, {value:.12g},\n     {rows(gradient(table, c, layers))},\n     {rows(adam(table, c, layers))}}},")


if __name__ == "__main__":
    main()

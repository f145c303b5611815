"""Golden numbers for HyperCL's contrast and its gradient, in float64 with dense matrices.

Independent of the C++ code on purpose: the released code's formulas (acosh, explicit time coordinates), every pair
a row of its own, gradients by central differences. No edge is dropped, so nothing is random: the graph itself has
nodes without an edge. Prints the constants that tests/models/hypercl_test.cpp holds:

    python3 tests/golden/hypercl_step.py > tests/golden/hypercl_step.inc
"""
import numpy as np

USERS, ITEMS, DIM, LAYERS = 3, 4, 2, 3
EDGES = [(0, 3), (0, 4), (1, 3), (1, 5), (0, 5)]  # user 2 and item 6 have none
ANCHORS, POSITIVES = [0, 1, 0, 2, 1], [3, 5, 4, 6, 3]
MAX_RADIUS = 1.5
CASES = [  # isolated, curvature, tau, ssl_reg, size of the tangents
    ("self", 1.0, 0.05, 0.005, 0.6),
    ("self", 0.7, 0.5, 2.0, 1.0),
    ("zero", 1.0, 0.05, 0.005, 0.6),
    ("zero", 0.7, 0.2, 2.0, 1.0),
]


def tangents(size):
    count = (USERS + ITEMS) * DIM
    return (size * np.sin(1.7 * np.arange(count) + 0.4)).reshape(USERS + ITEMS, DIM)


def adjacency(isolated):
    b = np.zeros((USERS + ITEMS, USERS + ITEMS))
    for user, item in EDGES:
        b[user, item] = b[item, user] = 1
    if isolated == "self":
        b += np.diag(b.sum(1) == 0)
    degree = b.sum(1)
    root = np.where(degree > 0, 1 / np.sqrt(np.where(degree > 0, degree, 1)), 0)
    return root[:, None] * b * root


def expmap0(v, curvature, cap):
    k = np.sqrt(curvature)
    norm = np.linalg.norm(v, axis=1, keepdims=True)
    radius = k * np.minimum(norm, cap)
    space = np.where(norm > 0, np.sinh(radius) / (k * np.where(norm > 0, norm, 1)), 1) * v
    return np.hstack([np.cosh(radius) / k, space])


def minkowski(x, y):
    return x[:, 1:] @ y[:, 1:].T - np.outer(x[:, 0], y[:, 0])


def midpoint(s, curvature):
    squared = np.abs(s[:, :1] ** 2 - (s[:, 1:] ** 2).sum(1, keepdims=True))
    empty = squared == 0
    return np.where(empty, 0, s / np.sqrt(curvature * np.where(empty, 1, squared)))


def info_nce(x, y, curvature, tau):
    squared = np.arccosh(np.maximum(-curvature * minkowski(x, y), 1)) ** 2 / curvature
    logits = -squared / tau
    top = logits.max(1)
    return (top + np.log(np.exp(logits - top[:, None]).sum(1)) - np.diag(logits)).sum()


def loss(t, isolated, curvature, tau, weight):
    a = adjacency(isolated)
    layer, total = t, 0
    for _ in range(LAYERS):
        layer = a @ layer
        total = total + layer
    first = expmap0(total, curvature, MAX_RADIUS)
    point, total = expmap0(t, curvature, np.inf), 0
    for _ in range(LAYERS):
        point = midpoint(a @ point, curvature)
        total = total + point
    second = midpoint(total, curvature)
    return weight * sum(info_nce(first[ids], second[ids], curvature, tau) for ids in (ANCHORS, POSITIVES))


def gradient(f, t, step=1e-3):
    out = np.zeros_like(t)
    for at in np.ndindex(*t.shape):
        along = np.zeros_like(t)
        along[at] = step
        difference = [f(t + k * along) - f(t - k * along) for k in (1, 2, 3)]
        out[at] = (45 * difference[0] - 9 * difference[1] + difference[2]) / (60 * step)  # of sixth order
    return out


def text(values):
    return ", ".join(repr(float(value)) for value in np.ravel(values))


def main():
    print("// Made by tests/golden/hypercl_step.py. {isolated, curvature, tau, ssl_reg, tangents, loss, gradient}")
    for isolated, curvature, tau, weight, size in CASES:
        t = tangents(size)

        def moved(to):
            return loss(to, isolated, curvature, tau, weight)

        print(f'    {{"{isolated}", {curvature}, {tau}, {weight},')
        print(f"     {{{text(t)}}},")
        print(f"     {text(moved(t))},")
        print(f"     {{{text(gradient(moved, t))}}}}},")


if __name__ == "__main__":
    main()

"""Golden numbers of one training step of HRCF and of HICF, in float64 with NumPy alone.

Independent of the C++ code on purpose: dense matrices, ambient coordinates with acosh, gradients by finite
differences, Riemannian SGD from its definition. Prints what tests/frameworks/golden_step_test.cpp includes:

    python3 tests/golden/hrcf_hicf_step.py > tests/golden/hrcf_hicf_step.inc
"""
import numpy as np

USERS, ITEMS, DIM, LAYERS, C, CAP, MARGIN = 4, 5, 3, 3, 0.8, 1.5, 1.4
LR, DECAY, ALPHA = 0.02, 0.01, 25.0
EDGES = [(0, 0), (0, 1), (1, 1), (1, 2), (2, 3), (3, 3), (3, 4), (2, 0)]
ANCHOR, POSITIVE = [0, 1, 2, 3, 0], [4, 6, 7, 8, 5]
CANDIDATES = [[6, 7, 8], [4, 8, 7], [5, 6, 8], [5, 4, 6], [8, 6, 7]]
ROOT = np.sqrt(C)


def adjacency():
    a = np.eye(USERS + ITEMS)
    for user, item in EDGES:
        a[user, USERS + item] = a[USERS + item, user] = 1
    return a / a.sum(1, keepdims=True)


def ambient(x):
    return np.concatenate([np.sqrt(1 / C + (x**2).sum(-1, keepdims=True)), x], -1)


def lorentz(x, y):
    return -x[..., 0] * y[..., 0] + (x[..., 1:] * y[..., 1:]).sum(-1)


def expmap0(v):
    r = np.linalg.norm(v, axis=1, keepdims=True)
    return np.sinh(ROOT * np.minimum(r, CAP)) / (ROOT * r) * v


def logmap0(x):
    r = np.linalg.norm(x, axis=1, keepdims=True)
    return np.arcsinh(ROOT * r) / (ROOT * r) * x


def dist2(x, y):
    return np.arccosh(np.maximum(-C * lorentz(x, y), 1)) ** 2 / C


def layer_sum(tangents):
    a, layer, total = adjacency(), tangents, 0
    for _ in range(LAYERS):
        layer = a @ layer
        total = total + layer
    return total


def hrcf(x):
    t = layer_sum(logmap0(x))
    h = expmap0(t - t.mean(0))
    points = ambient(h)
    negative = [candidates[0] for candidates in CANDIDATES]
    hinge = dist2(points[ANCHOR], points[POSITIVE]) - dist2(points[ANCHOR], points[negative]) + MARGIN
    items = logmap0(h[USERS:])
    return np.maximum(hinge, 0).sum() + ALPHA / np.sqrt(np.mean(1e-6 + (items**2).sum(1)))


def hicf(x):
    points = ambient(expmap0(layer_sum(logmap0(x))))
    total = 0
    for u, p, candidates in zip(ANCHOR, POSITIVE, CANDIDATES):
        n = min(candidates, key=lambda j: ((points[j] - points[p]) ** 2).sum())
        on_unit = ROOT * points
        u0, p0 = on_unit[u, 0], on_unit[p, 0]
        delta = (u0 + p0 - 1 + lorentz(on_unit[u], on_unit[p])) / (u0 * p0)
        margin = MARGIN / (1 + np.exp(-delta))
        total += max(dist2(points[u], points[p]) - dist2(points[u], points[n]) + margin, 0)
    return total


def gradient(f, x, step=1e-4):
    grad = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        def moved(by):
            y = x.copy()
            y[at] += by
            return f(y)
        grad[at] = (8 * (moved(step) - moved(-step)) - (moved(2 * step) - moved(-2 * step))) / (12 * step)
    return grad


def rsgd(f, x):
    """The first step: the momentum buffer is the Riemannian gradient alone."""
    point = ambient(x)
    g = np.concatenate([np.zeros((len(x), 1)), gradient(f, x)], 1) + DECAY * point
    g[:, 0] *= -1
    riemannian = g + C * lorentz(point, g)[:, None] * point
    step = -LR * riemannian
    length = ROOT * np.sqrt(lorentz(step, step))[:, None]
    return (np.cosh(length) * point + np.sinh(length) / length * step)[:, 1:]


def main():
    nodes = USERS + ITEMS
    tangents = np.array([[0.35 * np.sin(1 + 3 * i + 7 * k) for k in range(DIM)] for i in range(nodes)])
    start = expmap0(tangents)
    print("// Made by tests/golden/hrcf_hicf_step.py. {model, loss, space coordinates after the step, row by row}")
    for name, f in [("hrcf", hrcf), ("hicf", hicf)]:
        after = ", ".join(repr(float(value)) for value in rsgd(f, start).ravel())
        print(f'    {{"{name}", {float(f(start))!r}, {{{after}}}}},')


main()

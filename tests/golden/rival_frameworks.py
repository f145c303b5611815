"""A golden step of KAR, RLMRec-Con and RLMRec-Gen around HGCF: losses, and gradients by central differences, in
float64 with numpy only, from the definitions. Prints the constants of tests/frameworks/golden_test.cpp:

    python3 tests/golden/rival_frameworks.py > tests/golden/rival_frameworks.inc
"""
import numpy as np

USERS, ITEMS, DIM, COLUMNS = 4, 5, 3, 4
NODES = USERS + ITEMS
EDGES = [(0, 0), (0, 1), (1, 1), (1, 2), (2, 3), (2, 0), (3, 4)]
ANCHOR, POSITIVE, NEGATIVE = [2, 0, 1, 0], [7, 4, 6, 5], [8, 6, 7, 6]
MASKED = [1, 5, 6]
C, CAP, MARGIN, LAYERS = 0.8, 1.5, 1.1, 2


def wave(start, shape, size):
    count = int(np.prod(shape))
    return size * np.sin(start + 1.7 * np.arange(count)).reshape(shape)


SEMANTIC = wave(100, (NODES, COLUMNS), 1.0)


def adjacency():
    a = np.eye(NODES)
    for user, item in EDGES:
        a[user, USERS + item] = a[USERS + item, user] = 1
    return a / a.sum(1, keepdims=True)


def encode(x):
    a, total, power = adjacency(), 0, x
    for _ in range(LAYERS):
        power = a @ power
        total = total + power
    rows = []
    for t in total:
        norm = np.sqrt(t @ t)
        rows.append(np.sinh(np.sqrt(C) * min(norm, CAP)) / (np.sqrt(C) * norm) * t)
    return np.array(rows)


def distance(x, y):
    return np.arccosh(C * (np.sqrt(1 / C + x @ x) * np.sqrt(1 / C + y @ y) - x @ y)) / np.sqrt(C)


def hinge(h):
    return sum(max(distance(h[a], h[p]) ** 2 - distance(h[a], h[n]) ** 2 + MARGIN, 0)
               for a, p, n in zip(ANCHOR, POSITIVE, NEGATIVE))


def logmap0(h):
    norm = np.sqrt((h ** 2).sum(1, keepdims=True))
    return np.arcsinh(np.sqrt(C) * norm) / (np.sqrt(C) * norm) * h


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def cosine(x, y):
    return x @ y / (np.sqrt(x @ x + 1e-8) * np.sqrt(y @ y + 1e-8))


def contrast(z, p, tau):
    """Row by row, duplicates kept: -log of the share that exp(cos / tau) of the own column has."""
    return [np.log(sum(np.exp(cosine(row, column) / tau) for column in p)) - cosine(row, p[i]) / tau
            for i, row in enumerate(z)]


def perceptron(x, w1, b1, w2, b2):
    z = x @ w1.T + b1
    return np.where(z > 0, z, 0.01 * z) @ w2.T + b2


EXPERTS, SHARED, HIDDEN = 2, 1, 5


def kar(table, *weights):
    def experts(stack):
        w1, b1, w2, b2 = stack
        count = len(b1) // HIDDEN
        return [(w1[e * HIDDEN:(e + 1) * HIDDEN], b1[e * HIDDEN:(e + 1) * HIDDEN], w2[e * DIM:(e + 1) * DIM],
                 b2[e * DIM:(e + 1) * DIM]) for e in range(count)]

    def adapted(s, own, gate_weight, gate_bias):
        gates = softmax(s @ gate_weight.T + gate_bias)
        out = 0
        for e, (w1, b1, w2, b2) in enumerate(experts(weights[:4]) + experts(own)):
            out = out + gates[:, e:e + 1] * (np.maximum(s @ w1.T + b1, 0) @ w2.T + b2)
        return out

    a = np.vstack([adapted(SEMANTIC[:USERS], weights[4:8], *weights[8:10]),
                   adapted(SEMANTIC[USERS:], weights[10:14], *weights[14:16])])
    return hinge(encode(np.hstack([table, a])))


def rlmrec_con(table, *weights, weight=0.3, tau=0.4, all_users=False):
    h, p = encode(table), perceptron(SEMANTIC, *weights)
    if all_users:
        users = [np.log(sum(np.exp(cosine(h[u], p[v]) / tau) for v in range(USERS))) - cosine(h[u], p[u]) / tau
                 for u in ANCHOR]
    else:
        users = contrast(h[ANCHOR], p[ANCHOR], tau)
    return hinge(h) + weight * (sum(users) + sum(contrast(h[POSITIVE], p[POSITIVE], tau)) +
                                sum(contrast(h[NEGATIVE], p[NEGATIVE], tau)))


def rlmrec_con_all(*parameters):
    return rlmrec_con(*parameters, all_users=True)


def rlmrec_gen(table, w1, b1, w2, b2, token, weight=0.3, tau=0.4):
    x = table.copy()
    x[MASKED] = token
    h = encode(x)
    found = perceptron(logmap0(h[MASKED]), w1, b1, w2, b2)
    return hinge(h) + weight * len(ANCHOR) * np.mean(contrast(found, SEMANTIC[MASKED], tau))


def stack(count):
    return [(count * HIDDEN, COLUMNS), (count * HIDDEN,), (count * DIM, HIDDEN), (count * DIM,)]


GATE = [(SHARED + EXPERTS, COLUMNS), (SHARED + EXPERTS,)]
CON = (COLUMNS + DIM) // 2
CASES = [
    ("kKar", kar, [(NODES, DIM)] + stack(SHARED) + stack(EXPERTS) + GATE + stack(EXPERTS) + GATE),
    ("kRlmrecCon", rlmrec_con, [(NODES, DIM), (CON, COLUMNS), (CON,), (DIM, CON), (DIM,)]),
    ("kRlmrecConAll", rlmrec_con_all, [(NODES, DIM), (CON, COLUMNS), (CON,), (DIM, CON), (DIM,)]),
    ("kRlmrecGen", rlmrec_gen, [(NODES, DIM), (CON, DIM), (CON,), (COLUMNS, CON), (COLUMNS,), (1, DIM)]),
]


def gradient(loss, parameters, at, step=1e-5):
    flat, out = parameters[at].reshape(-1), []
    for i in range(flat.size):
        kept, values = flat[i], []
        for by in (-2, -1, 1, 2):
            flat[i] = kept + by * step
            values.append(loss(*parameters))
        flat[i] = kept
        out.append((values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step))
    return out


def main():
    print("// Made by tests/golden/rival_frameworks.py: the loss, and the gradient in each parameter.")
    for name, loss, shapes in CASES:
        parameters = [wave(i, shape, 0.4) for i, shape in enumerate(shapes)]
        print(f"const Golden {name} = {{{loss(*parameters):.12g}, {{")
        for i in range(len(parameters)):
            print("    {" + ", ".join(f"{v:.8g}" for v in gradient(loss, parameters, i)) + "},")
        print("}};")


if __name__ == "__main__":
    main()

"""Golden numbers of item-kNN and iALS on small matrices, in float64 with NumPy.

Independent of the C++ code on purpose: dense matrices, the definitions word by word, every row of iALS by a
general solver. Prints the constants that tests/baselines/item_models_test.cpp holds:

    python3 tests/golden/item_models.py > tests/golden/item_models.inc
"""
import numpy as np

USERS, ITEMS, DIM = 9, 7, 3
ALPHA0, LAMBDA = 0.3, 0.05
SHRINK, NEIGHBOURS = 0.7, 3


def interactions():
    r = (np.random.default_rng(11).random((USERS, ITEMS)) < 0.4).astype(float)
    r[2] = 0  # a user without an item
    r[:, 5] = 0  # an item without a user
    r[4] = [1, 1, 1, 1, 1, 0, 1]  # more items than dimensions
    return r


def weighted(r, weighting):
    documents = r.T  # items are documents, users are terms
    if weighting == "none":
        return r
    idf = np.log(ITEMS / (1 + r.sum(1)))
    if weighting == "tfidf":
        return (np.sqrt(documents) * idf[None, :]).T
    k1, b = 1.2, 0.75
    length = documents.sum(1)
    norm = 1 - b + b * length / length.mean()
    return (documents * (k1 + 1) / (k1 * norm[:, None] + documents) * idf[None, :]).T


def knn(r, similarity, weighting):
    x = weighted(r, weighting)
    dot, n = x.T @ x, (x**2).sum(0)
    if similarity == "cosine":
        below = np.sqrt(n)[:, None] * np.sqrt(n)[None, :]
    elif similarity == "jaccard":
        below = n[:, None] + n[None, :] - dot
    else:
        below = n[:, None] + n[None, :]
    s = dot / (below + SHRINK + 1e-6)
    np.fill_diagonal(s, 0)
    for column in range(ITEMS):
        order = sorted(range(ITEMS), key=lambda row: (-s[row, column], row))
        s[order[NEIGHBOURS:], column] = 0
    return s


def half_step(r, fixed, nu):
    gram, solved = fixed.T @ fixed, []
    for row in r:
        h = fixed[row > 0]
        reg = LAMBDA * (len(h) + ALPHA0 * r.shape[1]) ** nu
        system = sum((np.outer(v, v) for v in h), np.zeros((DIM, DIM))) + ALPHA0 * gram + reg * np.eye(DIM)
        solved.append(np.linalg.solve(system, h.sum(0)))
    return np.array(solved)


def objective(r, w, h, nu):
    s = w @ h.T
    of_users = (r.sum(1) + ALPHA0 * ITEMS) ** nu @ (w**2).sum(1)
    of_items = (r.sum(0) + ALPHA0 * USERS) ** nu @ (h**2).sum(1)
    return (r * (s - 1) ** 2).sum() + ALPHA0 * (s**2).sum() + LAMBDA * (of_users + of_items)


def text(matrix):
    return "{" + ", ".join(repr(float(value)) for value in np.asarray(matrix).ravel()) + "}"


def main():
    r = interactions()
    h = np.random.default_rng(12).normal(0, 0.5, (ITEMS, DIM)).round(3)
    print("// Made by tests/golden/item_models.py. Users, items, dim, alpha0, lambda, shrink, neighbours; pairs;")
    print("// {similarity, weighting, weights}; items that iALS starts at;")
    print("// {nu, objective after each of six half-steps, users after the first, items after the second}")
    print(f"{USERS}, {ITEMS}, {DIM}, {ALPHA0}, {LAMBDA}, {SHRINK}, {NEIGHBOURS},")
    print("{" + ", ".join(f"{{{u}, {i}}}" for u, i in zip(*np.nonzero(r))) + "}, {")
    for s, similarity in enumerate(("cosine", "jaccard", "dice")):
        for w, weighting in enumerate(("none", "tfidf", "bm25")):
            print(f"    {{{s}, {w}, {text(knn(r, similarity, weighting))}}},")
    print(f"}}, {text(h)}, {{")
    for nu in (0.0, 0.6, 1.0):
        items, objectives, first = h, [], None
        for step in range(3):
            users = half_step(r, items, nu)
            objectives.append(objective(r, users, items, nu))
            items = half_step(r.T, users, nu)
            objectives.append(objective(r, users, items, nu))
            first = first or (users, items)
        print(f"    {{{nu}, {text(objectives)},")
        print(f"     {text(first[0])}, {text(first[1])}}},")
    print("}")


if __name__ == "__main__":
    main()

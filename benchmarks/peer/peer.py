"""HyperLLM around HGCF in plain PyTorch, written from the formulas: what a careful researcher would write first.

Anyone can so check how much faster hyperllm is, without the authors' code:

    python3 benchmarks/peer/peer.py run --data ../shared/data/amazon-beauty --epochs 3
    python3 benchmarks/peer/peer.py check FOLDER      # FOLDER as written by peer_step: the same numbers as hyperllm's

Points have an ambient row (time, space); <x, y> = -x0 y0 + sum xi yi is the Lorentz product of the unit hyperboloid.
Needs PyTorch and NumPy. benchmarks/side_by_side.py runs it with and without a tuned allocator.
"""
import argparse
import json
import pathlib
import resource
import time
import warnings

import numpy as np
import torch

RADIUS = 1.5  # cap on tangent norms
warnings.filterwarnings("ignore", "Sparse")


# Geometry

def minus_time(x):
    return torch.cat([-x[:, :1], x[:, 1:]], 1)


def product(x, y):
    return (minus_time(x) * y).sum(1, keepdim=True)


def with_time(space):
    return torch.cat([torch.sqrt(1 + (space * space).sum(1, keepdim=True)), space], 1)


def norm(v):
    return torch.sqrt((v * v).sum(1, keepdim=True).clamp_min(1e-30))


def expmap0(v):
    """Tangent vectors at the origin (space parts) to points; norms above the cap count as the cap."""
    r = norm(v)
    capped = r.clamp_max(RADIUS)
    return torch.cat([torch.cosh(capped), torch.sinh(capped) * v / r], 1)


def logmap0(x):
    r = norm(x[:, 1:])
    return torch.asinh(r) / r * x[:, 1:]


def squared_distance(minus_product):
    tiny = 1e-7 if minus_product.dtype == torch.float32 else 1e-15
    return torch.acosh(minus_product.clamp_min(1 + tiny)) ** 2


# Graph, model, losses

def adjacency(nodes, edges, weights, dtype):
    """D^-1 (B + I) of undirected weighted edges, as a sparse matrix."""
    own = np.arange(nodes)
    rows = np.concatenate([edges[:, 0], edges[:, 1], own])
    columns = np.concatenate([edges[:, 1], edges[:, 0], own])
    values = np.concatenate([weights, weights, np.ones(nodes)])
    degree = np.bincount(rows, values, nodes)
    matrix = torch.sparse_coo_tensor(np.stack([rows, columns]), values / degree[rows], (nodes, nodes), dtype=dtype)
    return matrix.coalesce().to_sparse_csr(), matrix.t().coalesce().to_sparse_csr()


class Propagate(torch.autograd.Function):
    """A x with the transposed matrix at hand, so that the backward pass is one sparse product too."""

    @staticmethod
    def forward(context, x, matrix, transposed):
        context.transposed = transposed
        return matrix @ x

    @staticmethod
    def backward(context, gradient):
        return context.transposed @ gradient, None, None


def encode(tangents, graph, layers):
    total, layer = 0, tangents
    for _ in range(layers):
        layer = Propagate.apply(layer, *graph)
        total = total + layer
    return expmap0(total)


def hinge(points, triplets, margin):
    anchor, positive, negative = points[triplets[:, 0]], points[triplets[:, 1]], points[triplets[:, 2]]
    near = squared_distance(-product(anchor, positive))
    far = squared_distance(-product(anchor, negative))
    return (near - far + margin).clamp_min(0).sum()


def contrast(x, y, tau):
    """InfoNCE over all items between the two graphs' representations of them, N x N."""
    logits = -squared_distance(-(minus_time(x) @ y.t())) / tau
    return (torch.logsumexp(logits, 1) - logits.diagonal()).sum()


class Model:
    def __init__(self, sizes, settings, user_item, tag_tag, tag_item, ids, tags, dtype):
        self.users, self.items = sizes["users"], sizes["items"]
        self.settings = settings
        self.points = [with_time(torch.as_tensor(p, dtype=dtype)).requires_grad_() for p in (ids, tags)]
        self.graph = adjacency(self.users + self.items, user_item + [0, self.users], np.ones(len(user_item)), dtype)
        edges = np.concatenate([tag_tag + self.items, np.stack([tag_item[:, 0] + self.items, tag_item[:, 1]], 1)])
        weights = np.concatenate([np.full(len(tag_tag), settings["tag_tag_weight"]), np.ones(len(tag_item))])
        self.tag_graph = adjacency(self.items + len(tags), edges, weights, dtype)
        self.seconds = {}

    def timed(self, name, function, *arguments):
        start = time.perf_counter()
        result = function(*arguments)
        self.seconds[name] = self.seconds.get(name, 0) + time.perf_counter() - start
        return result

    def loss(self, batch):
        s, layers = self.settings, self.settings["layers"]
        self.tangents = [self.timed("maps", logmap0, p) for p in self.points]
        ids, tags = self.tangents
        h = self.timed("encode", encode, ids, self.graph, layers)
        both = torch.cat([ids[self.users:], tags])
        h_tag = self.timed("encode", encode, both, self.tag_graph, layers)
        loss = self.timed("triplets", hinge, h, batch["user_item"], s["margin"])
        loss = loss + self.timed("triplets", hinge, h_tag, batch["tag_item"], s["tag_margin"])
        loss = loss + self.timed("triplets", hinge, h_tag, batch["tag_tag"], s["tag_margin"])
        return loss + s["contrast_weight"] * self.timed("contrast", contrast, h[self.users:], h_tag[:self.items],
                                                         s["contrast_tau"])


class RiemannianSgd:
    """Momentum on the hyperboloid: gradients projected, steps along geodesics, momentum transported with them."""

    def __init__(self, points, settings):
        self.points, self.settings = points, settings
        self.momenta = [torch.zeros_like(p) for p in points]

    @torch.no_grad()
    def step(self):
        s = self.settings
        for x, m in zip(self.points, self.momenta):
            g = minus_time(x.grad + s["weight_decay"] * x)
            g += product(x, g) * x
            m.mul_(s["momentum"]).add_(g)
            step = -s["lr"] * m
            length = torch.sqrt(product(step, step).clamp_min(1e-30))
            capped = length.clamp_max(RADIUS)
            y = with_time((torch.cosh(capped) * x + torch.sinh(capped) * step / length)[:, 1:])
            m.add_(product(y, m) / (1 - product(x, y)) * (x + y))
            x.copy_(y)
            x.grad = None


# Data: the released folder, or random data of its sizes

def read_released(folder):
    def csr(name):
        file = np.load(folder / name)
        rows = np.repeat(np.arange(len(file["indptr"]) - 1), np.diff(file["indptr"]))
        return np.stack([rows, file["indices"]], 1).astype(np.int64), tuple(file["shape"])

    train, (users, items) = csr("train_matrix.npz")
    valid, _ = csr("val_matrix.npz")
    names = json.loads((folder / "id_to_tag.json").read_text())
    order = {tag: i for i, tag in enumerate(sorted(names, key=int))}
    tag_item = np.array([(order[t], int(i)) for t, items_of in
                         json.loads((folder / "tag_to_item.json").read_text()).items() for i in items_of])
    pairs = {tuple(sorted((order[a], order[str(b)]))) for a, bs in
             json.loads((folder / "tag_to_tag.json").read_text()).items() for b in bs}
    tag_tag = np.array(sorted(p for p in pairs if p[0] != p[1]))
    ids = np.concatenate([np.load(folder / f"phase1_{kind}_embeddings.npy")[:, 1:] for kind in ("user", "item")])
    return {"users": int(users), "items": int(items), "tags": len(order)}, train, valid, tag_tag, tag_item, ids


def random_data(random):
    sizes = {"users": 10553, "items": 6086, "tags": 6418}

    def pairs(rows, columns, count):  # columns with a long tail
        key = random.integers(rows, size=2 * count) * columns + (columns * random.random(2 * count) ** 2).astype(int)
        key = random.permutation(np.unique(key))[:count]
        return np.stack([key // columns, key % columns], 1)

    train, valid = pairs(10553, 6086, 70614), pairs(10553, 6086, 11767)
    tag_tag = pairs(6418, 6418, 17000)
    tag_tag = np.unique(np.sort(tag_tag[tag_tag[:, 0] != tag_tag[:, 1]], 1), axis=0)
    return sizes, train, valid, tag_tag, pairs(6418, 6086, 51396), random.uniform(-0.1, 0.1, (16639, 49))


class Sampler:
    """Positives in a new order each epoch, each with one negative that its anchor does not have."""

    def __init__(self, positives, columns, anchor_offset, candidate_offset, random, also_known=None):
        self.positives, self.columns, self.random = positives, columns, random
        self.offsets = np.array([anchor_offset, candidate_offset, candidate_offset])
        known = positives if also_known is None else np.concatenate([positives, also_known])
        self.known = np.unique(known[:, 0] * columns + known[:, 1])

    def epoch(self, batches, batch_size=None):
        order = self.random.permutation(self.positives)
        negative = self.random.integers(self.columns, size=len(order))
        again = np.arange(len(order))
        while len(again):
            key = order[again, 0] * self.columns + negative[again]
            at = np.searchsorted(self.known, key).clip(max=len(self.known) - 1)
            again = again[self.known[at] == key]
            negative[again] = self.random.integers(self.columns, size=len(again))
        triplets = torch.from_numpy(np.concatenate([order, negative[:, None]], 1) + self.offsets)
        return triplets.split(batch_size) if batch_size else triplets.tensor_split(batches)


# Full ranking

@torch.no_grad()
def predict(model, train, valid, k=20):
    h = encode(logmap0(model.points[0]), model.graph, model.settings["layers"])
    users, items = h[:model.users], h[model.users:]
    first = np.searchsorted(train[:, 0], np.arange(model.users + 1))
    held = np.searchsorted(valid[:, 0], np.arange(model.users + 1))
    discount = 1 / np.log2(np.arange(k) + 2)
    recall, ndcg = [], []
    for begin in range(0, model.users, 1024):
        end = min(begin + 1024, model.users)
        scores = minus_time(users[begin:end]) @ items.t()  # falls with the distance
        part = train[first[begin]:first[end]]
        scores[part[:, 0] - begin, part[:, 1]] = -torch.inf
        best = scores.topk(k).indices.numpy()
        for user in range(begin, end):
            wanted = valid[held[user]:held[user + 1], 1]
            if len(wanted):
                hits = np.isin(best[user - begin], wanted)
                recall.append(hits.sum() / len(wanted))
                ndcg.append((hits * discount).sum() / discount[:min(len(wanted), k)].sum())
    return float(np.mean(recall)), float(np.mean(ndcg))


# Commands

SETTINGS = {"layers": 3, "margin": 1.6, "tag_margin": 0.9, "tag_tag_weight": 2, "contrast_weight": 0.01,
            "contrast_tau": 0.5, "lr": 1e-3, "momentum": 0.95, "weight_decay": 5e-4}


def run(arguments):
    torch.set_num_threads(arguments.threads)
    random = np.random.default_rng(1)
    real = arguments.data is not None and (arguments.data / "train_matrix.npz").exists()
    sizes, train, valid, tag_tag, tag_item, ids = read_released(arguments.data) if real else random_data(random)
    ids = expmap0(torch.as_tensor(ids, dtype=torch.float32))[:, 1:]
    tags = expmap0(torch.as_tensor(random.uniform(-0.1, 0.1, (sizes["tags"], ids.shape[1])), dtype=torch.float32))
    model = Model(sizes, SETTINGS, train, tag_tag, tag_item, ids, tags[:, 1:], torch.float32)
    optimizer = RiemannianSgd(model.points, SETTINGS)
    users, items = sizes["users"], sizes["items"]
    both = np.concatenate([tag_tag, tag_tag[:, ::-1]])
    own = np.stack([np.arange(sizes["tags"])] * 2, 1)
    samplers = {"user_item": Sampler(train, items, 0, users, random),
                "tag_item": Sampler(np.concatenate([tag_item, tag_item]), items, items, 0, random),
                "tag_tag": Sampler(both, sizes["tags"], items, items, random, own)}
    steps = -(-len(train) // 4096)
    epochs = []
    for epoch in range(1, arguments.epochs + 1):
        model.seconds = {}
        start = time.perf_counter()
        batches = {name: model.timed("sampling", sampler.epoch, steps, 4096 if name == "user_item" else None)
                   for name, sampler in samplers.items()}
        total = 0.0
        measured = min(steps, arguments.steps or steps)
        for step in range(measured):
            loss = model.loss({name: parts[step] for name, parts in batches.items()})
            total += loss.item()
            model.timed("backward", loss.backward)
            model.timed("optimizer", optimizer.step)
        trained = time.perf_counter()
        recall, ndcg = predict(model, train, valid)
        done = time.perf_counter()
        train_s = (trained - start) * steps / measured
        epochs.append({"loss": total / measured, "recall@20": recall, "ndcg@20": ndcg, "train_s": train_s,
                       "evaluation_s": done - trained, "epoch_s": train_s + done - trained,
                       "step_ms": {k: 1e3 * v / measured for k, v in model.seconds.items()}})
        if not arguments.json:
            print(f"epoch {epoch}: {json.dumps(epochs[-1])}", flush=True)
    later = epochs[1:] or epochs  # the first one warms up

    def median(key):
        return float(np.median([e[key] for e in later]))
    result = {"data": "released" if real else "random", "torch": torch.__version__, "threads": arguments.threads,
              "steps_per_epoch": steps,
              "step_ms": 1e3 * (median("train_s")) / steps, "train_epoch_s": median("train_s"),
              "evaluation_ms": 1e3 * median("evaluation_s"), "epoch_s": median("epoch_s"),
              "parts_ms": {k: float(np.median([e["step_ms"][k] for e in later])) for k in later[0]["step_ms"]},
              "recall@20": epochs[-1]["recall@20"], "epochs": arguments.epochs,
              "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6}
    print(json.dumps(result, indent=2))


def check(arguments):
    folder = arguments.folder

    def load(name):
        return np.load(folder / f"{name}.npy")
    meta = json.loads((folder / "step.json").read_text())
    failed = False

    def compare(name, ours, peers, limit):
        nonlocal failed
        error = np.linalg.norm(np.asarray(ours, np.float64) - np.asarray(peers)) / np.linalg.norm(peers)
        failed |= not error <= limit
        print(f"{name:24} relative difference {error:.2e}  (at most {limit:.0e}) {'' if error <= limit else 'FAILED'}")

    start = [expmap0(torch.as_tensor(load(name), dtype=torch.float64))[:, 1:] for name in ("ids", "tags")]
    pairs = {name: load(name).astype(np.int64) for name in
             ("train", "tag_tag", "tag_item", "triplets_user_item", "triplets_tag_item", "triplets_tag_tag")}
    model = Model(meta["sizes"], meta["settings"], pairs["train"], pairs["tag_tag"], pairs["tag_item"], *start,
                  torch.float64)
    batch = {name: torch.from_numpy(pairs[f"triplets_{name}"]) for name in ("user_item", "tag_item", "tag_tag")}
    optimizer = RiemannianSgd(model.points, meta["settings"])
    for step, ours in enumerate(meta["losses"], 1):
        loss = model.loss(batch)
        compare(f"loss {step}", ours, loss.item(), 1e-6)
        for tangents in model.tangents:
            tangents.retain_grad()
        loss.backward()
        if step == 1:
            for name, tangents in zip(("ids", "tags"), model.tangents):
                compare(f"gradient of {name}", load(f"gradient_{name}"), tangents.grad.numpy(), 1e-5)
        optimizer.step()
    for name, points, first in zip(("ids", "tags"), model.points, start):
        compare(f"steps of {name}", load(f"after_{name}") - first.numpy(), points.detach().numpy()[:, 1:] - first.numpy(),
                2e-5)
    raise SystemExit(1 if failed else 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("run", help="time training on the released data, or on random data of its sizes")
    one.add_argument("--data", type=pathlib.Path, help="the released amazon-beauty folder")
    one.add_argument("--epochs", type=int, default=3)
    one.add_argument("--steps", type=int, default=0, help="do only so many steps of each epoch and scale; 0: all")
    one.add_argument("--threads", type=int, default=torch.get_num_threads())
    one.add_argument("--json", action="store_true", help="only the result")
    one.set_defaults(command=run)
    two = commands.add_parser("check", help="compare with the numbers of peer_step")
    two.add_argument("folder", type=pathlib.Path)
    two.set_defaults(command=check)
    arguments = parser.parse_args()
    arguments.command(arguments)


if __name__ == "__main__":
    main()

"""py-hamt on the workload of this benchmark: python3 bench.py [--other-layout] N.

It prints one JSON object a line, as `go run ./bench/compare -json` does. Where
the py-hamt that it needs is not there, one line on stderr says so, and the exit
status is 3.

The py-hamt of 2023 is a port of iamap, with the layout of this benchmark. It is
on no registry and has no codec of its own:

    git clone https://github.com/dClimate/py-hamt && cd py-hamt
    git checkout "$(git log -1 --format=%H -S'"bucketSize"' -- py_hamt/hamt.py)^"
    export PY_HAMT=$PWD
    python3 -m pip install cbor2

(The log finds the commit that took this layout away again. Without PY_HAMT, an
installed package py_hamt is taken, if it has this layout.)

With --other-layout it is py-hamt 3 that is measured (pip install py-hamt, for
Python 3.12 or later): nodes of 256 slots, blake3, each value in a block of its
own, at the same bucket size and with its own store in memory. It writes other
blocks, so it does other work.
"""

import asyncio
import hashlib
import importlib
import json
import math
import os
import sys
import time
import types

BIT_WIDTH, BUCKET_SIZE = 8, 3
SHA2_256 = 0x12
ABSENT = 3  # the exit status


class Absent(Exception):
    """The peer is not there: says which, and what to do."""


def key_of(i):
    return f"precip/{i // 1000}.{i % 1000}"


def spread(n, count):
    """Different numbers below n, spread over all of them."""
    step = max(1, int(n * 0.618))
    while math.gcd(step, n) != 1:
        step += 1
    return [i * step % n for i in range(count)]


def check(ok):
    if not ok:
        raise ValueError("wrong answer")


class Measure:
    """Prints what a work cost."""

    def __init__(self, n, store):
        self.n, self.store = n, store

    def begin(self):
        self.store.writes = 0
        self.began = time.perf_counter_ns()

    def end(self, work, entries):
        elapsed = time.perf_counter_ns() - self.began
        print(json.dumps({
            "work": work, "n": self.n, "ns_per_entry": elapsed / max(entries, 1),
            "blocks_written": self.store.writes,
        }), flush=True)


# The py-hamt of 2023.


class Store:
    """Blocks in memory. A link is a tag that cbor2 knows: 42, with a CIDv1."""

    PREFIX = bytes([0, 0x01, 0x71, SHA2_256, 32])  # DAG-CBOR, sha2-256

    def __init__(self, cbor2):
        self.blocks, self.writes = {}, 0
        self.dumps, self.loads, self.tag = cbor2.dumps, cbor2.loads, cbor2.CBORTag

    def save(self, node):
        block = self.dumps(node, canonical=True)
        digest = hashlib.sha256(block).digest()
        self.blocks[digest] = block
        self.writes += 1
        return self.tag(42, self.PREFIX + digest)

    def load(self, link):
        return self.loads(self.blocks[link.value[len(self.PREFIX):]])

    def is_equal(self, a, b):
        return a == b

    def is_link(self, element):
        return isinstance(element, self.tag)


def py_hamt_of_2023():
    """The module, once it is known to be that of 2023."""
    checkout = os.environ.get("PY_HAMT")
    if checkout:
        if not os.path.isfile(os.path.join(checkout, "py_hamt", "hamt.py")):
            raise Absent(f"PY_HAMT is {checkout}, and there is no py_hamt/hamt.py")
        package = types.ModuleType("py_hamt")  # whatever is installed, and also without __init__.py
        package.__path__ = [os.path.join(checkout, "py_hamt")]
        sys.modules["py_hamt"] = package
    try:
        hamt = importlib.import_module("py_hamt.hamt")
    except ModuleNotFoundError as e:
        if e.name != "py_hamt":
            raise Absent(f"py-hamt is there, but needs the package {e.name}") from e
        raise Absent(
            "not there: set PY_HAMT to a checkout of the py-hamt of 2023"
            " (bench/foreign/python/bench.py says how to get it)") from e
    except SyntaxError as e:
        raise Absent("the py-hamt that is there is not that of 2023, and needs a later Python") from e
    if hasattr(hamt, "HAMT") or not hasattr(getattr(hamt, "Hamt", None), "register_hasher"):
        raise Absent(
            "the py-hamt that is there is version 3 or near it, which has another layout"
            " (nodes of 256 slots, blake3): not the same work; PY_HAMT can name a checkout of 2023")
    if "bucketSize" not in hamt.DEFAULT_OPTIONS or not hasattr(hamt.Hamt, "create"):
        raise Absent(
            "the py-hamt that is there is older than the layout (its root has bucket_size):"
            " take a later commit of 2023")
    return hamt


def open_2023(bucket_size):
    """An empty map, its store and its module."""
    hamt = py_hamt_of_2023()
    try:
        store = Store(importlib.import_module("cbor2"))
    except ModuleNotFoundError as e:
        raise Absent("the codec for py-hamt is not there: pip install cbor2") from e
    hamt.Hamt.register_hasher(SHA2_256, 32, lambda key: hashlib.sha256(key).digest())
    options = {"bitWidth": BIT_WIDTH, "bucketSize": bucket_size, "hashAlg": SHA2_256}
    return hamt.Hamt.create(store, options), store, hamt


def bench_2023(n):
    m, store, hamt = open_2023(BUCKET_SIZE)
    measure = Measure(n, store)

    measure.begin()
    for i in range(n):
        m = m.set(key_of(i), i)
    measure.end("build-node", n)

    lookups = spread(n, min(n, 20_000))
    measure.begin()
    for i in lookups:  # it has no cache: the store is a dict
        check(m.get(key_of(i)) == i)
    measure.end("lookup-warm", len(lookups))

    lookups = spread(n, min(n, 2_000))
    measure.begin()
    for i in lookups:
        check(hamt.load(store, m.id).get(key_of(i)) == i)
    measure.end("lookup-cold", len(lookups))

    measure.begin()
    count = sum(1 for _ in m.keys())  # all there is; values are decoded with the blocks
    check(count == n)
    measure.end("iterate-node", n)
    # It cannot delete.


# py-hamt 3.


async def bench_3(n):
    try:
        py_hamt = importlib.import_module("py_hamt")
        memory, HAMT = py_hamt.InMemoryCAS, py_hamt.HAMT
    except (ImportError, SyntaxError, AttributeError) as e:
        raise Absent("not there: pip install py-hamt (version 3, for Python 3.12 or later)") from e

    class CountingStore(memory):
        writes = 0

        async def save(self, data, codec):
            self.writes += 1
            return await super().save(data, codec)

    store = CountingStore()
    measure = Measure(n, store)

    measure.begin()
    m = await HAMT.build(cas=store, max_bucket_size=BUCKET_SIZE)
    for i in range(n):
        await m.set(key_of(i), i)
    await m.make_read_only()  # writes the nodes
    measure.end("build-node", n)
    root = m.root_node_id

    lookups = spread(n, min(n, 20_000))
    for i in range(n):
        check(await m.get(key_of(i)) == i)
    measure.begin()
    for i in lookups:
        await m.get(key_of(i))
    measure.end("lookup-warm", len(lookups))

    lookups = spread(n, min(n, 2_000))
    measure.begin()
    for i in lookups:
        cold = await HAMT.build(cas=store, root_node_id=root, read_only=True)
        check(await cold.get(key_of(i)) == i)
    measure.end("lookup-cold", len(lookups))

    # Its iterator gives keys, and leaves the blocks of the values alone: no line.

    deletes = spread(n, n // 10)
    m = await HAMT.build(cas=store, root_node_id=root, max_bucket_size=BUCKET_SIZE)
    measure.begin()
    for i in deletes:
        await m.delete(key_of(i))
    await m.make_read_only()
    measure.end("deletes", len(deletes))


def main(arguments):
    other_layout = arguments[:1] == ["--other-layout"]
    n = int(arguments[other_layout])
    try:
        if other_layout:
            asyncio.run(bench_3(n))
        else:
            bench_2023(n)
    except Absent as e:
        print(e, file=sys.stderr)
        return ABSENT
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

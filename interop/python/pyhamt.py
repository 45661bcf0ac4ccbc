"""py-hamt as the other side of the checks in run. Three verbs:

steps DIR  random changes, in lines that hamt apply takes, and the root after each step
leave DIR  many entries less most of them: the tree that deleting leaves, and what stays
read CAR   what py-hamt reads in the map of a CAR: a line of key, tab and SHA-256 for each key
"""

import argparse
import asyncio
import base64
import hashlib
import json
import os
import random
import sys

import dag_cbor
from blake3 import blake3
from multiformats import CID, varint
from py_hamt import HAMT
from py_hamt.store_httpx import ContentAddressedStore


class CIDs(ContentAddressedStore):
    """Blocks under the CIDs that KuboCAS has Kubo give them, in memory."""

    def __init__(self, hasher="blake3"):
        self.hasher, self.blocks = hasher, {}

    async def save(self, data, codec):
        digest = blake3(data).digest() if self.hasher == "blake3" else hashlib.sha256(data).digest()
        cid = CID("base32", 1, codec, (self.hasher, digest))
        self.blocks[bytes(cid)] = data
        return cid

    async def load(self, id, offset=None, length=None, suffix=None):
        return self.blocks[bytes(id)]

    def write_car(self, path, root):
        """Writes a CARv1 of all blocks, the root's first."""
        with open(path, "wb") as out:
            def section(data):
                out.write(varint.encode(len(data)) + data)

            section(dag_cbor.encode({"roots": [root], "version": 1}))
            for id in sorted(self.blocks, key=lambda id: id != bytes(root)):
                section(id + self.blocks[id])

    def read_car(self, path):
        """Reads a CARv1, checks each block and returns the root."""
        data = open(path, "rb").read()

        def section(data):
            length, width, _ = varint.decode_raw(data)
            return bytes(data[width : width + length]), data[width + length :]

        header, data = section(memoryview(data))
        while data:
            block, data = section(data)
            for length in (36, 34):
                cid = CID.decode(block[:length])
                if bytes(cid) == block[:length]:
                    break
            content = block[length:]
            digest = blake3(content).digest() if cid.hashfun.name == "blake3" else hashlib.sha256(content).digest()
            assert digest == cid.raw_digest, f"{cid} is another block"
            self.blocks[bytes(cid)] = content
        return dag_cbor.decode(header)["roots"][0]


def text(root):
    return root.encode("base32")


def quoted(data):
    return {"/": {"bytes": base64.b64encode(data).decode().rstrip("=")}}


def keys():
    """Keys as Zarr has them, and others: of many lengths and alphabets."""
    grid = [f"precip/c/{t}/{y}/{x}" for t in range(40) for y in range(4) for x in range(4)]
    odd = ["", "a", "zarr.json", "ключ", "🗝", "precip/zarr.json", "x" * 300, "\x00", "k" * 24, "k" * 23, "k" * 256]
    return grid + odd + [f"{'é' * (i % 7)}{i}" for i in range(300)]


async def steps(args):
    os.makedirs(args.directory)
    rng = random.Random(args.seed)
    hamt = await HAMT.build(cas=CIDs(args.block_hash), values_are_bytes=True, max_bucket_size=args.bucket_size)
    there, pool = {}, keys()
    with open(os.path.join(args.directory, "roots"), "w") as roots:
        for step in range(args.count):
            # Fill, then drain, so that nodes come and go at every depth.
            drains = step % 6 >= 3
            with open(os.path.join(args.directory, f"{step}.ndjson"), "w") as out:
                for key in rng.sample(pool, rng.choice([1, 3, 40, 400])):
                    if key in there and rng.random() < (0.9 if drains else 0.1):
                        await hamt.delete(key)
                        del there[key]
                        line = {"op": "delete", "key": key}
                    else:
                        there[key] = rng.randbytes(rng.randrange(40))
                        await hamt.set(key, there[key])
                        line = {"op": "set", "key": key, "value": quoted(there[key])}
                    out.write(json.dumps(line) + "\n")
            await hamt.make_read_only()
            roots.write(text(hamt.root_node_id) + "\n")
            await hamt.enable_write()


async def leave(args):
    os.makedirs(args.directory)
    cas = CIDs()
    hamt = await HAMT.build(cas=cas, values_are_bytes=True)
    everything = [f"precip/c/0/{i}" for i in range(3000)]
    for key in everything:
        await hamt.set(key, key.encode())
    for key in everything[100:]:
        await hamt.delete(key)
    await hamt.make_read_only()
    cas.write_car(os.path.join(args.directory, "left.car"), hamt.root_node_id)
    with open(os.path.join(args.directory, "stays.ndjson"), "w") as out:
        for key in everything[:100]:
            out.write(json.dumps({"key": key, "value": quoted(key.encode())}) + "\n")
    print(text(hamt.root_node_id))


async def read(args):
    cas = CIDs()
    root = cas.read_car(args.car)
    hamt = await HAMT.build(cas=cas, root_node_id=root, values_are_bytes=True, read_only=True)
    lines = []
    async for key in hamt.keys():
        lines.append(f"{json.dumps(key)}\t{hashlib.sha256(await hamt.get(key)).hexdigest()}\n")
    assert len(lines) == await hamt.len()
    sys.stdout.writelines(sorted(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("steps")
    verb.add_argument("directory")
    verb.add_argument("--seed", type=int, required=True)
    verb.add_argument("--count", type=int, default=12)
    verb.add_argument("--bucket-size", type=int, default=4)
    verb.add_argument("--block-hash", default="blake3")
    verb.set_defaults(do=steps)
    verb = verbs.add_parser("leave")
    verb.add_argument("directory")
    verb.set_defaults(do=leave)
    verb = verbs.add_parser("read")
    verb.add_argument("car")
    verb.set_defaults(do=read)
    args = parser.parse_args()
    asyncio.run(args.do(args))


main()

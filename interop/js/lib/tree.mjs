// Trees read block by block, without the implementations that made them.

import * as dagCbor from '@ipld/dag-cbor'
import { CID } from 'multiformats/cid'
import { Buffer } from 'node:buffer'
import { digestOf } from './hashes.mjs'
import { require } from './packages.mjs'

const { mask, bitmapHas, index } = require('iamap/bit-utils.js')

function loadNode (store, cid, depth) {
  const bytes = store.get(cid)
  const block = dagCbor.decode(bytes)
  const [bitmap, elements] = depth === 0 ? block.hamt : block
  return { cid, bytes, depth, bitmap, elements, root: depth === 0 ? block : undefined }
}

/** All nodes, depth first in the order of their indexes, the root first. */
export function * nodes (store, cid, depth = 0) {
  const node = loadNode(store, cid, depth)
  yield node
  for (const element of node.elements) {
    if (CID.asCID(element)) yield * nodes(store, element, depth + 1)
  }
}

/**
 * All entries in the order of iteration, and each block at the moment it is
 * loaded: `{ cid }` or `{ key, value }`.
 */
export function * walk (store, cid, depth = 0) {
  const node = loadNode(store, cid, depth)
  yield { cid }
  for (const element of node.elements) {
    if (CID.asCID(element)) {
      yield * walk(store, element, depth + 1)
    } else {
      for (const [key, value] of element) yield { key, value }
    }
  }
}

/** One key looked up: the blocks loaded on the way, and the value if there is one. */
export async function lookup (store, root, key) {
  const loads = []
  let cid = root
  let digest, bitWidth
  for (let depth = 0; ; depth++) {
    const node = loadNode(store, cid, depth)
    loads.push(cid)
    if (depth === 0) {
      digest = await digestOf(node.root.hashAlg, key)
      bitWidth = Math.log2(node.bitmap.length * 8)
    }
    const at = mask(digest, depth, bitWidth)
    if (!bitmapHas(node.bitmap, at)) return { found: false, loads }
    const element = node.elements[index(node.bitmap, at)]
    if (!CID.asCID(element)) {
      const entry = element.find(([other]) => Buffer.compare(other, key) === 0)
      return { found: entry !== undefined, value: entry?.[1], loads, inBucket: true }
    }
    cid = element
  }
}

/** The index that a digest has at a depth. */
export function indexAt (digest, depth, bitWidth) {
  return mask(digest, depth, bitWidth)
}

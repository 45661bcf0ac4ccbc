// Keys found by trying, whose sha2-256 hashes begin as a case needs it.
// Candidates are tried in a fixed order, so every run finds the same ones.

import { sha256Digest } from './hashes.mjs'
import { indexAt } from './tree.mjs'

function * candidates (prefix) {
  for (let i = 0; ; i++) yield `${prefix}${i}`
}

/** The first `count` keys that have the same indexes at depths 0 to levels-1. */
export function keysSharing (prefix, { bitWidth, levels, count }) {
  const groups = new Map()
  for (const key of candidates(prefix)) {
    const path = indexesOf(key, bitWidth, levels).join()
    const group = groups.get(path) ?? []
    group.push(key)
    if (group.length === count) return group
    groups.set(path, group)
  }
}

/** The first key that shares exactly `levels` indexes with another. */
export function keyBesides (prefix, other, { bitWidth, levels }) {
  const wanted = indexesOf(other, bitWidth, levels + 1)
  const last = wanted.pop()
  for (const key of candidates(prefix)) {
    const path = indexesOf(key, bitWidth, levels + 1)
    if (path.pop() !== last && path.join() === wanted.join()) return key
  }
}

/** For each beginning, the first key that stands at an index of the root. */
export function keysAtIndex (beginnings, { bitWidth, index }) {
  return beginnings.map((beginning) => {
    for (let i = 0; ; i++) {
      const key = Buffer.concat([Buffer.from(beginning), Buffer.from(`${i}`)])
      if (indexAt(sha256Digest(key), 0, bitWidth) === index) return new Uint8Array(key)
    }
  })
}

export function indexesOf (key, bitWidth, levels) {
  const digest = sha256Digest(key)
  return Array.from({ length: levels }, (_, depth) => indexAt(digest, depth, bitWidth))
}

// The JavaScript implementations, behind one door: a map is made with the one
// that can make it, and says which that was.

import * as blockCodec from '@ipld/dag-cbor'
import * as iamap from 'iamap'
import { create as createHashMap } from 'ipld-hashmap'
import { sha256 as blockHasher } from 'multiformats/hashes/sha2'
import { BlockStore } from './block-store.mjs'
import { SHA2_256, registerHashes } from './hashes.mjs'
import * as iamapBucketSize1 from './iamap-bucket-size-1.mjs'
import { HASHMAP, IAMAP } from './packages.mjs'

registerHashes(iamap)
registerHashes(iamapBucketSize1)

/**
 * Which implementation makes maps of these parameters. ipld-hashmap hashes
 * keys with sha2-256 whatever it is told, and refuses BigInt values (integers
 * beyond 2^53); iamap, which it wraps, does neither.
 */
function engineFor ({ hashAlg, bucketSize }, bigIntegers) {
  if (bucketSize < 2) {
    return { iamap: iamapBucketSize1, name: `${IAMAP} with its guard on bucketSize relaxed from < 2 to < 1` }
  }
  if (hashAlg !== SHA2_256 || bigIntegers) {
    return { iamap, name: `${IAMAP}, used directly` }
  }
  return { name: HASHMAP }
}

export function engineName (params, { bigIntegers = false } = {}) {
  return engineFor(params, bigIntegers).name
}

/** An empty map, with `set`, `delete`, `entries` over raw bytes, `root` and `store`. */
export async function createMap (params, { bigIntegers = false } = {}) {
  const engine = engineFor(params, bigIntegers)
  const store = new BlockStore()
  if (engine.iamap) {
    return new IamapMap(store, await engine.iamap.create(store.forIamap(), params))
  }
  const { bitWidth, bucketSize } = params
  return new HashMapMap(store, await createHashMap(store, { bitWidth, bucketSize, blockCodec, blockHasher }))
}

/** The canonical map of some entries: made at one go, with no delete. */
export async function freshBuild (params, entries, options) {
  const map = await createMap(params, options)
  for (const { key, value } of entries) await map.set(key, value)
  return map
}

class IamapMap {
  #map

  constructor (store, map) {
    this.store = store
    this.#map = map
  }

  get root () { return this.#map.id }

  async set (key, value) { this.#map = await this.#map.set(key, value) }

  async delete (key) { this.#map = await this.#map.delete(key) }

  entries () { return this.#map.entries() }
}

class HashMapMap {
  #map

  constructor (store, map) {
    this.store = store
    this.#map = map
  }

  get root () { return this.#map.cid }

  set (key, value) { return this.#map.set(key, value) }

  delete (key) { return this.#map.delete(key) }

  async * entries () {
    for await (const [key, value] of this.#map.entriesRaw()) yield { key, value }
  }
}

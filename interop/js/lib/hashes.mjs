// The hash functions that the fixtures use besides ipld-hashmap's sha2-256.

import { createHash } from 'node:crypto'
import { murmur364 } from '@multiformats/murmur3'

export const SHA2_256 = 0x12
export const SHA2_512 = 0x13
export const MURMUR3_X64_64 = 0x22
export const IDENTITY = 0x00

/** A hash of the private-use range that gives 4 zero bytes for every key. */
export const CONSTANT = 0x300001

/** identity has no length of its own: the fixtures' keys all have this one. */
export const IDENTITY_KEY_BYTES = 32

export const sha256Digest = (key) => createHash('sha256').update(key).digest()

const hashes = [
  { code: SHA2_256, bytes: 32, digest: sha256Digest },
  { code: SHA2_512, bytes: 64, digest: (key) => createHash('sha512').update(key).digest() },
  { code: MURMUR3_X64_64, bytes: 8, digest: async (key) => (await murmur364.digest(key)).digest },
  { code: IDENTITY, bytes: IDENTITY_KEY_BYTES, digest: (key) => key },
  { code: CONSTANT, bytes: 4, digest: () => new Uint8Array(4) }
]

/** Makes all of them known to an iamap, and checks the lengths it is told. */
export function registerHashes (iamap) {
  for (const { code, bytes, digest } of hashes) {
    iamap.registerHasher(code, bytes, async (key) => {
      const hash = await digest(key)
      if (hash.length !== bytes) {
        throw new Error(`hash 0x${code.toString(16)} gave ${hash.length} bytes, not ${bytes}`)
      }
      return hash
    })
  }
}

export function digestOf (hashAlg, key) {
  const hash = hashes.find(({ code }) => code === hashAlg)
  if (!hash) throw new Error(`no hash 0x${hashAlg.toString(16)}`)
  return hash.digest(key)
}

import { Document } from '../lib/document.mjs'
import { addFixture, del, set } from '../lib/fixture.mjs'
import { IDENTITY, IDENTITY_KEY_BYTES, MURMUR3_X64_64, SHA2_512 } from '../lib/hashes.mjs'

/** A key of zeros, save for its last byte. */
function key (last) {
  const bytes = new Uint8Array(IDENTITY_KEY_BYTES).fill(0xa5)
  bytes[IDENTITY_KEY_BYTES - 1] = last
  return bytes
}

const sets = (lasts) => lasts.map((last, i) => set(key(last), i))

export async function hashes () {
  const document = new Document('Hashes', `
    Maps with other hashes than sha2-256 for their keys (the blocks' own CIDs are sha2-256 all the same).
    js-ipld-hashmap hashes with sha2-256 whatever its \`hasher\` option says, so these roots come from iamap,
    which it wraps, with the hash registered there.`)

  await addIdentity(document)
  await addPartialIndexes(document)

  for (const [hashAlg, name, about] of [
    [MURMUR3_X64_64, 'murmur3-x64-64', `Eight bytes: the first 64 bits of murmur3-x64-128, as a big-endian number. (From the npm package
      @multiformats/murmur3, whose \`murmur364\` gives these bytes: cbd8a7b341bd9b02 for "hello".)`],
    [SHA2_512, 'sha2-512', 'Sixty-four bytes.']
  ]) {
    for (const [bitWidth, bucketSize] of [[3, 2], [5, 3], [8, 3]]) {
      await addFixture(document, {
        name: `${name}-bit-width-${bitWidth}`,
        about,
        params: { hashAlg, bitWidth, bucketSize },
        steps: [
          { generate: { op: 'set', count: 100, key: 'key-{i}', value: 'i' } },
          { generate: { op: 'delete', from: 20, count: 70, key: 'key-{i}' } }
        ]
      })
    }
  }
  return document
}

async function addIdentity (document) {
  for (const [bitWidth, lasts, depth] of [[3, [0, 2, 4, 6], 84], [5, [0, 2, 4, 6], 50], [8, [0, 1, 2, 255], 31]]) {
    await addFixture(document, {
      name: `identity-deep-bit-width-${bitWidth}`,
      about: `The hash is the key, of ${IDENTITY_KEY_BYTES} bytes. Four keys, alike up to their last bits, do not fit in a bucket of three until
        depth ${depth}: a chain of nodes leads there, each with one link. Without one of them the whole chain collapses.`,
      params: { hashAlg: IDENTITY, bitWidth, bucketSize: 3 },
      steps: [
        { operations: sets(lasts) },
        { operations: [del(key(lasts[1]))] },
        { operations: [set(key(lasts[1]), 'again')] }
      ]
    })
  }
  await addFixture(document, {
    name: 'identity-spread',
    about: 'Keys that fork at several depths.',
    params: { hashAlg: IDENTITY, bitWidth: 5, bucketSize: 2 },
    steps: [{
      operations: Array.from({ length: 48 }, (_, i) => {
        const bytes = key(0)
        bytes[i % 6] = i
        return set(bytes, i)
      })
    }]
  })
}

async function addPartialIndexes (document) {
  for (const { bitWidth, bucketSize, lasts, depth, bits } of [
    { bitWidth: 5, bucketSize: 1, lasts: [0, 1], depth: 51, bits: 1 },
    { bitWidth: 3, bucketSize: 1, lasts: [0, 1], depth: 85, bits: 1 },
    { bitWidth: 6, bucketSize: 2, lasts: [0, 1, 2, 15], depth: 42, bits: 4 },
    { bitWidth: 7, bucketSize: 3, lasts: [0, 1, 2, 8, 15], depth: 36, bits: 4 }
  ]) {
    await addFixture(document, {
      name: `partial-index-bit-width-${bitWidth}`,
      about: `256 bits are ${depth} indexes of ${bitWidth} bits and ${bits} more. A node can stand at depth ${depth}: its index takes the
        bits that are left as the high ones, and zeros for the rest, so the last bit of the hash counts for
        ${2 ** (bitWidth - bits)}.`,
      params: { hashAlg: IDENTITY, bitWidth, bucketSize },
      steps: [
        { operations: sets(lasts) },
        { operations: [del(key(lasts[0]))] }
      ]
    })
  }
}

import { encode } from '@ipld/dag-cbor'
import { cidOf, hex, keyBytes } from '../lib/data.mjs'
import { Document } from '../lib/document.mjs'
import { addParams } from '../lib/fixture.mjs'
import { MURMUR3_X64_64, SHA2_256, digestOf } from '../lib/hashes.mjs'
import { keysSharing } from '../lib/key-search.mjs'
import { indexAt } from '../lib/tree.mjs'

const params = { hashAlg: SHA2_256, bitWidth: 3, bucketSize: 2 }
const UNKNOWN_HASH = 0x3fffff

export async function refused () {
  const document = new Document('What must be refused', `
    Blocks that are no HAMT, or not a sound one. Each case has the parameters that its root claims or would claim,
    the blocks with the root first, and in \`refuse\` the kind of fault that loading the tree and reading all of it
    must end with: at the root's own faults the load, at a child's whatever first reaches the child. Apart
    from its one fault each tree is as sound as the fault allows: keys stand where their hashes lead.

    The blocks are made by hand, so there is no \`origin\`. The CIDs are those of the bad bytes: it is not by its hash
    that a block has to be refused.`)

  await addBadRoots(document)
  await addBadBitmaps(document)
  await addBadBuckets(document)
  await addBadElements(document)
  await addBadChildren(document)
  await addBadDepths(document)
  await addBadEncodings(document)
  return document
}

// How trees are made here.

function bitmap (bitWidth, indexes) {
  const bytes = new Uint8Array(2 ** bitWidth / 8)
  for (const index of indexes) bytes[index >> 3] |= 1 << (index & 7)
  return bytes
}

/** The index of a key at a depth, in the parameters that most cases have. */
const indexOf = async (key, depth = 0, { hashAlg, bitWidth } = params) =>
  indexAt(await digestOf(hashAlg, keyBytes(key)), depth, bitWidth)

const entry = (key, value = true) => [keyBytes(key), value]

/** A node of elements by index. */
function node (elements, bitWidth = params.bitWidth) {
  const indexes = Object.keys(elements).map(Number) // integer keys are in ascending order
  return [bitmap(bitWidth, indexes), Object.values(elements)]
}

/** A root with a node in it. */
function root (hamt, { hashAlg, bucketSize } = params) {
  return { hashAlg, bucketSize, hamt }
}

/** A sound root of one entry, for faults that have to do with neither. */
async function soundRoot () {
  return root(node({ [await indexOf('key')]: [entry('key')] }))
}

async function add (document, { name, about, refuse, blocks, claimed = params }) {
  document.heading(name)
  document.prose(about)
  addParams(document, name, claimed)
  const lines = []
  for (const bytes of blocks) lines.push(`${await cidOf(bytes)} ${hex(bytes)}`)
  document.hunk(`${name}/blocks`, 'text', lines.join('\n'))
  document.hunk(`${name}/refuse`, 'text', refuse)
}

async function addBadRoots (document) {
  const { hashAlg, bucketSize, hamt } = await soundRoot()
  const cases = [
    ['root-is-a-list', 'A node as it stands below a root: bitmap and elements, without parameters.', hamt],
    ['root-is-a-string', 'A block of something else altogether.', 'not a HAMT'],
    ['root-without-hash-alg', 'The field `hashAlg` is not there.', { bucketSize, hamt }],
    ['root-without-bucket-size', 'The field `bucketSize` is not there.', { hashAlg, hamt }],
    ['root-without-hamt', 'The field `hamt` is not there.', { hashAlg, bucketSize }],
    ['root-with-a-fourth-field', 'A field that the schema does not have.', { hashAlg, bucketSize, hamt, size: 1 }],
    ['hash-alg-is-a-string', 'A hash is named by its code.', { hashAlg: 'sha2-256', bucketSize, hamt }],
    ['bucket-size-is-null', 'A bucket size has to be given.', { hashAlg, bucketSize: null, hamt }],
    ['bucket-size-0', 'Buckets of no entry hold no map, not even an empty one.', { hashAlg, bucketSize: 0, hamt: node({}) }],
    ['bucket-size-negative', 'Nor do these.', { hashAlg, bucketSize: -1, hamt: node({}) }]
  ]
  for (const [name, about, value] of cases) {
    await add(document, { name, about, refuse: 'not-a-hamt', blocks: [encode(value)] })
  }
  await add(document, {
    name: 'unknown-hash',
    about: 'The hash 0x3fffff, of the private-use range, that nobody has registered.',
    refuse: 'unknown-hash',
    claimed: { ...params, hashAlg: UNKNOWN_HASH },
    blocks: [encode({ hashAlg: UNKNOWN_HASH, bucketSize, hamt })]
  })
}

async function addBadBitmaps (document) {
  for (const length of [0, 3, 5]) {
    await add(document, {
      name: `bitmap-of-${length}-bytes`,
      about: 'No bit width has a bitmap of this length.',
      refuse: 'bitmap-length',
      blocks: [encode(root([new Uint8Array(length), []]))]
    })
  }
  await add(document, {
    name: 'bitmap-of-16384-bytes',
    about: 'Bit width 17: a power of two, and too wide.',
    refuse: 'bitmap-length',
    claimed: { ...params, bitWidth: 17 },
    blocks: [encode(root([new Uint8Array(2 ** 14), []]))]
  })
  const index = await indexOf('key')
  await add(document, {
    name: 'more-bits-than-elements',
    about: 'Two bits are set, one element is there.',
    refuse: 'popcount',
    blocks: [encode(root([bitmap(3, [index, (index + 1) % 8]), [[entry('key')]]]))]
  })
  await add(document, {
    name: 'fewer-bits-than-elements',
    about: 'One bit is set, two elements are there.',
    refuse: 'popcount',
    blocks: [encode(root([bitmap(3, [index]), [[entry('key')], [entry('lock')]]]))]
  })
  await add(document, {
    name: 'no-bits-for-an-element',
    about: 'No bit is set, one element is there.',
    refuse: 'popcount',
    blocks: [encode(root([bitmap(3, []), [[entry('key')]]]))]
  })
}

async function addBadBuckets (document) {
  const keys = keysSharing('shared-', { bitWidth: 3, levels: 1, count: 3 }).sort()
  const index = await indexOf(keys[0])
  const bucket = (...keys) => [encode(root(node({ [index]: keys.map((key) => entry(key)) })))]
  await add(document, {
    name: 'keys-unsorted',
    about: 'The later key first.',
    refuse: 'bucket-order',
    blocks: bucket(keys[1], keys[0])
  })
  await add(document, {
    name: 'key-repeated',
    about: 'One key twice.',
    refuse: 'bucket-order',
    blocks: bucket(keys[0], keys[0])
  })
  const [short] = keysSharing('a', { bitWidth: 3, levels: 1, count: 1 })
  let long = short + 'a'
  while (await indexOf(long) !== await indexOf(short)) long += 'a'
  await add(document, {
    name: 'longer-key-first',
    about: 'A key before the one that it begins with.',
    refuse: 'bucket-order',
    blocks: [encode(root(node({ [await indexOf(short)]: [entry(long), entry(short)] })))]
  })
  await add(document, {
    name: 'bucket-overfull',
    about: 'Three entries in a bucket of two.',
    refuse: 'bucket-overfull',
    blocks: bucket(...keys)
  })
}

async function addBadElements (document) {
  const index = await indexOf('key')
  const cases = [
    ['element-is-a-map', 'An element is a link or a list.', { key: true }],
    ['element-is-an-integer', 'As before.', 1],
    ['element-is-null', 'As before.', null],
    ['element-is-bytes', 'As before.', keyBytes('key')],
    ['entry-is-an-integer', 'A bucket of something that is no entry.', [1]],
    ['entry-of-one', 'An entry without a value.', [[keyBytes('key')]]],
    ['entry-of-three', 'An entry with one item too many.', [[keyBytes('key'), true, true]]],
    ['entry-is-a-map', 'An entry as a map of key and value, where the schema has a tuple.', [{ key: keyBytes('key'), value: true }]],
    ['key-is-a-string', 'A key is bytes in a block, even where they are text.', [['key', true]]]
  ]
  for (const [name, about, element] of cases) {
    await add(document, { name, about, refuse: 'element', blocks: [encode(root(node({ [index]: element })))] })
  }
}

async function addBadChildren (document) {
  const keys = keysSharing('below-', { bitWidth: 3, levels: 1, count: 3 })
  const index = await indexOf(keys[0])
  const elements = {}
  for (const key of keys) (elements[await indexOf(key, 1)] ??= []).push(entry(key))
  const child = node(elements)

  const cases = [
    ['child-with-a-longer-bitmap', 'The child has a bit width of 4 below a root of 3.', 'bitmap-length',
      [new Uint8Array([...child[0], 0]), child[1]]],
    ['child-with-a-bitmap-of-no-bytes', 'The child has no bitmap at all.', 'bitmap-length', [new Uint8Array(), []]],
    ['child-is-a-root', 'The child has parameters of its own.', 'malformed', root(child)],
    ['child-is-a-string', 'The child is something else altogether.', 'malformed', 'not a node'],
    ['child-of-three', 'The child has an item too many.', 'malformed', [...child, true]],
    ['child-with-more-bits-than-elements', 'The bitmap of a child counts too.', 'popcount', [Uint8Array.of(0xff), child[1]]],
    ['child-without-elements', 'A node without elements can only be a root.', 'empty-node', node({})]
  ]
  for (const [name, about, refuse, value] of cases) {
    const bytes = encode(value)
    await add(document, { name, about, refuse, blocks: [encode(root(node({ [index]: await cidOf(bytes) }))), bytes] })
  }
}

/** Chains of single links along a key's own hash, one level deeper than its hash has indexes. */
async function addBadDepths (document) {
  const key = 'too deep'
  for (const { bitWidth, lastDepth, about } of [
    { bitWidth: 16, lastDepth: 3, about: 'Eight bytes of hash are four indexes of 16 bits, for depths 0 to 3.' },
    { bitWidth: 3, lastDepth: 21, about: 'Eight bytes of hash are 21 indexes of three bits, and one bit more: a partial index, for depth 21.' }
  ]) {
    const claimed = { hashAlg: MURMUR3_X64_64, bitWidth, bucketSize: 1 }
    const at = (depth) => indexOf(key, depth, claimed)
    // What stands below the last depth is beyond the hash; it must not be reached.
    const blocks = [encode(node({ 0: [entry(key)] }, bitWidth))]
    for (let depth = lastDepth; depth >= 0; depth--) {
      const above = node({ [await at(depth)]: await cidOf(blocks[0]) }, bitWidth)
      blocks.unshift(encode(depth === 0 ? root(above, claimed) : above))
    }
    await add(document, {
      name: `link-beyond-the-hash-bit-width-${bitWidth}`,
      about: `${about} A node at depth ${lastDepth} has a link all the same. The key "${key}" leads there.`,
      refuse: 'max-depth',
      claimed,
      blocks
    })
  }
}

async function addBadEncodings (document) {
  const sound = await soundRoot()
  const bytes = encode(sound)
  const { hamt: [map, elements] } = sound

  /** The root's bytes, with some of its parts written in other ways. */
  const written = ({ tuple = [0x82], tupleEnd = [], bitmap = encode(map), list = encode(elements), hashAlg = encode(SHA2_256) }) =>
    Buffer.concat([
      Uint8Array.of(0xa3),
      encode('hamt'), Uint8Array.from(tuple), bitmap, list, Uint8Array.from(tupleEnd),
      encode('hashAlg'), hashAlg,
      encode('bucketSize'), encode(params.bucketSize)
    ])
  if (Buffer.compare(written({}), bytes) !== 0) throw new Error('the root was not written as DAG-CBOR has it')

  const [[[key, value]]] = elements
  const cases = [
    ['trailing-bytes', 'A sound root, and one byte more.', Buffer.concat([bytes, Uint8Array.of(0)])],
    ['truncated-by-one', 'A sound root without its last byte.', bytes.subarray(0, -1)],
    ['truncated-halfway', 'The first half of a sound root.', bytes.subarray(0, bytes.length / 2)],
    ['indefinite-length-tuple', 'The node as a list of indefinite length.', written({ tuple: [0x9f], tupleEnd: [0xff] })],
    ['indefinite-length-bucket', 'The bucket as a list of indefinite length.',
      written({ list: Buffer.concat([Uint8Array.of(0x81, 0x9f), encode([key, value]), Uint8Array.of(0xff)]) })],
    ['indefinite-length-bitmap', 'The bitmap in chunks.',
      written({ bitmap: Buffer.concat([Uint8Array.of(0x5f), encode(map), Uint8Array.of(0xff)]) })],
    ['integer-not-minimal', '`hashAlg` in two bytes, where one is enough.', written({ hashAlg: Uint8Array.of(0x18, SHA2_256) })],
    ['length-not-minimal', 'The length of the bitmap in two bytes, where one is enough.', written({ bitmap: Uint8Array.of(0x58, 1, ...map) })],
    ['length-beyond-the-block', 'A bitmap said to have 2^32-1 bytes: nothing of that size may be allocated.',
      written({ bitmap: Uint8Array.of(0x5a, 0xff, 0xff, 0xff, 0xff, ...map) })],
    ['elements-beyond-the-block', 'A list said to have 2^32-1 elements: as before.',
      written({ list: Buffer.concat([Uint8Array.of(0x9a, 0xff, 0xff, 0xff, 0xff), encode(elements).subarray(1)]) })]
  ]
  for (const [name, about, bad] of cases) {
    await add(document, { name, about, refuse: 'malformed', blocks: [bad] })
  }
}

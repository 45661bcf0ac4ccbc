import { Document } from '../lib/document.mjs'
import { addFixture, del, expectRoot, set } from '../lib/fixture.mjs'
import { SHA2_256 } from '../lib/hashes.mjs'
import { indexesOf, keyBesides, keysSharing } from '../lib/key-search.mjs'

const params = { hashAlg: SHA2_256, bitWidth: 5, bucketSize: 3 }
const narrow = { hashAlg: SHA2_256, bitWidth: 3, bucketSize: 2 }
const path = (key, levels) => indexesOf(key, 3, levels).join(', ')

export async function edits () {
  const document = new Document('Edits', `
    Sets and deletes in several steps. A set of entries has exactly one tree, however it came about,
    so the root after each step is that of a map built afresh from what is there. (It cannot be the
    root after iamap's own deletes: they leave empty buckets, see leftovers.md.)`)

  await addEmptyMaps(document)
  await addSets(document)
  await addDeletes(document)
  await addCollapses(document)
  return document
}

async function addEmptyMaps (document) {
  for (const bitWidth of [3, 4, 5, 6, 7, 8, 12, 16]) {
    await addFixture(document, {
      name: `empty-bit-width-${bitWidth}`,
      about: 'A map without entries: a bitmap of zeros and no element.',
      params: { hashAlg: SHA2_256, bitWidth, bucketSize: 3 },
      steps: [{ operations: [] }]
    })
  }
}

async function addSets (document) {
  const animals = ['ant', 'bee', 'cat', 'dog', 'eel', 'fox', 'gnu', 'hen', 'ibis', 'jay']
  const sets = animals.map((animal, i) => set(animal, i))

  await addFixture(document, {
    name: 'overwrite',
    about: 'A set of a key that is there replaces its value.',
    params,
    steps: [
      { operations: sets },
      { about: 'Another value, of another kind:', operations: [set('cat', 'miaow')] },
      { about: 'The same value again changes nothing:', operations: [set('cat', 'miaow')] },
      { about: 'The first value again gives the first root:', operations: [set('cat', 2)] }
    ]
  })
  await addFixture(document, {
    name: 'order-of-insertion',
    about: `The entries of the case before, backwards: the root is that of its first step. Then a step that
      sets a key twice, where the later value stays, and one that deletes and sets the same key.`,
    params,
    steps: [
      { operations: sets.toReversed() },
      { operations: [set('yak', 1), set('yak', 2)] },
      { operations: [set('zebra', 1), del('zebra'), del('yak'), set('yak', 3)] }
    ]
  })
}

async function addDeletes (document) {
  const [first, second, third] = keysSharing('only-', { bitWidth: 5, levels: 1, count: 3 })
  const keys = Array.from({ length: 40 }, (_, i) => `drain-${i}`)

  await addFixture(document, {
    name: 'delete',
    about: 'Deletes of single keys, from buckets that keep an entry and from those that do not.',
    params,
    steps: [
      { generate: { op: 'set', count: 100, key: 'key-{i}', value: 'i' } },
      { operations: [del('key-0')] },
      { operations: [del('key-1'), del('key-2'), del('key-3')] },
      { generate: { op: 'delete', from: 10, count: 80, key: 'key-{i}' } },
      { about: 'Keys that are not there, or no longer: the root stays.', operations: [del('key-0'), del('nothing'), del('')] }
    ]
  })
  await addFixture(document, {
    name: 'delete-from-the-only-bucket',
    about: `Three keys that share their first index, so that the root has a single bucket. One is deleted
      and two stay. (js-ipld-hashmap loses all three here: to iamap's delete the last element of a node
      is the last entry of a bucket.)`,
    params,
    steps: [
      { operations: [set(first, 1), set(second, 2), set(third, 3)] },
      { operations: [del(second)] },
      { operations: [del(first)] },
      { about: 'The last one leaves the empty map.', operations: [del(third)] }
    ]
  })
  await addFixture(document, {
    name: 'drain-and-refill',
    about: 'A map of several levels is emptied, key by key, and filled again in another order.',
    params: narrow,
    steps: [
      { operations: keys.map((key, i) => set(key, i)) },
      { about: 'Down to the empty map:', operations: keys.map((key) => del(key)) },
      { about: 'The first root again:', operations: keys.map((key, i) => set(key, i)).toReversed() }
    ]
  })
  const map = await addFixture(document, {
    name: 'thousands',
    about: `2,000 sets, then 1,997 deletes: three entries stay, in one block. (iamap's deletes leave a root of 32
      elements, 29 of them empty buckets, see leftovers.md.)`,
    params,
    blocks: false,
    steps: [
      { generate: { op: 'set', count: 2000, key: 'z{i}', value: 'i' } },
      { generate: { op: 'delete', count: 1997, key: 'z{i}' } }
    ]
  })
  expectRoot(map, 'bafyreicdihllosluijusqtga4v2uwpbylxorkfsuosjtxqfy3apau7q2f4', 'thousands')
}

async function addCollapses (document) {
  const [a, b, c] = keysSharing('deep-', { bitWidth: 3, levels: 5, count: 3 })
  const beside = keyBesides('beside-', a, { bitWidth: 3, levels: 2 })
  const other = keyBesides('other-', a, { bitWidth: 3, levels: 0 })
  const deep = [set(a, 'a'), set(b, 'b'), set(c, 'c')]
  const siblings = keysSharing('sibling-', { bitWidth: 3, levels: 1, count: 4 })

  await addFixture(document, {
    name: 'collapse-one-level',
    about: `Four keys below one index of the root, and buckets of two. With three of them they still need a
      node of their own; with two they are a bucket of the root.`,
    params: narrow,
    steps: [
      { operations: siblings.map((key, i) => set(key, i)) },
      { operations: [del(siblings[0])] },
      { operations: [del(siblings[1])] },
      { about: 'And back:', operations: [set(siblings[1], 1), set(siblings[0], 0)] }
    ]
  })
  await addFixture(document, {
    name: 'collapse-to-the-root',
    about: `\`${a}\`, \`${b}\` and \`${c}\` share their indexes at depths 0 to 4 (${path(a, 5)}), so a chain of nodes
      leads down to depth 5. Without one of them the other two are a bucket of the root, and all five nodes below
      the root are gone. \`${other}\` stands elsewhere in the root.`,
    params: narrow,
    steps: [
      { operations: [...deep, set(other, 'other')] },
      { operations: [del(b)] },
      { about: 'Down the whole chain again, with one set:', operations: [set(b, 'b')] },
      { about: 'Collapse where the chain is all there is in the root:', operations: [del(other), del(c)] }
    ]
  })
  await addFixture(document, {
    name: 'collapse-halfway',
    about: `As before, with \`${beside}\`, which shares only the indexes at depths 0 and 1 (${path(beside, 3)}). The
      collapse of the chain stops at depth 2, where three entries stay below one node.`,
    params: narrow,
    steps: [
      { operations: [...deep, set(beside, 'beside')] },
      { operations: [del(c)] },
      { about: 'One fewer, and the rest collapses into the root:', operations: [del(beside)] }
    ]
  })
  await addFixture(document, {
    name: 'collapse-beside-a-chain',
    about: `The key beside the chain is deleted, and the chain stays: three entries do not fit in a bucket at any
      depth above 5. Its node at depth 2 loses a bit of its bitmap and has a single link left.`,
    params: narrow,
    steps: [
      { operations: [...deep, set(beside, 'beside'), set(other, 'other')] },
      { operations: [del(beside)] }
    ]
  })
}

import { Document } from '../lib/document.mjs'
import { hex, keyBytes, keyJson, line } from '../lib/data.mjs'
import { addParams, addStepInput, apply, blockLines, expand, expectRoot } from '../lib/fixture.mjs'
import { SHA2_256 } from '../lib/hashes.mjs'
import { createMap, engineName, freshBuild } from '../lib/reference.mjs'
import { nodes } from '../lib/tree.mjs'

export async function leftovers () {
  const document = new Document('Leftovers of deletes', `
    Trees as js-ipld-hashmap leaves them in the wild. To iamap's delete an element goes only with the last
    element of its *node*, where the last entry of its *bucket* is meant, so buckets stay that have no entry
    and still have their bit set. Such a tree is not the one that the specification wants, and yet it has to be
    read: an empty bucket holds no key.

    Each case has the two steps that make the tree in JavaScript, its root (\`leftover/root\`), its blocks
    (\`leftover/blocks\`) and what can be read from it, in the order of iteration (\`leftover/entries\`). The root
    that the same entries have by right, built afresh, is \`canonical/root\`.`)

  await addLeftover(document, {
    name: 'root-of-empty-buckets',
    about: '2,000 sets and 1,997 deletes leave a root of 32 elements, 29 of them empty.',
    params: { hashAlg: SHA2_256, bitWidth: 5, bucketSize: 3 },
    sets: { op: 'set', count: 2000, key: 'z{i}', value: 'i' },
    deletes: { op: 'delete', count: 1997, key: 'z{i}' },
    leftoverRoot: 'bafyreiajkduq75zrswwukyvifz3p7vknfjhoa2qfew3bnsdffv6qrvfy3a',
    canonicalRoot: 'bafyreicdihllosluijusqtga4v2uwpbylxorkfsuosjtxqfy3apau7q2f4',
    emptyAt: [0]
  })
  await addLeftover(document, {
    name: 'several-levels',
    about: 'Empty buckets in the root and in nodes below it, beside entries and links.',
    params: { hashAlg: SHA2_256, bitWidth: 3, bucketSize: 2 },
    sets: { op: 'set', count: 70, key: 'n{i}', value: 'i' },
    deletes: { op: 'delete', count: 46, key: 'n{i}' },
    emptyAt: [0, 1, 2]
  })
  await addLeftover(document, {
    name: 'bit-width-8',
    about: 'The parameters of iamap and py-hamt: wide nodes, most of whose buckets hold one entry.',
    params: { hashAlg: SHA2_256, bitWidth: 8, bucketSize: 5 },
    sets: { op: 'set', count: 300, key: 'precip/{i/1000}.{i%1000}', value: 'i' },
    deletes: { op: 'delete', from: 10, count: 280, key: 'precip/{i/1000}.{i%1000}' },
    emptyAt: [0]
  })
  await addLeftover(document, {
    name: 'drained',
    about: 'All entries are deleted: nothing can be read from it, and it is not the empty map.',
    params: { hashAlg: SHA2_256, bitWidth: 3, bucketSize: 3 },
    sets: { op: 'set', count: 8, key: 'gone-{i}', value: 'i' },
    deletes: { op: 'delete', count: 8, key: 'gone-{i}' },
    emptyAt: [0]
  })
  return document
}

async function addLeftover (document, leftover) {
  const { name, about, params, sets, deletes, leftoverRoot, canonicalRoot, emptyAt } = leftover
  const map = await createMap(params)
  const entries = new Map()
  const operations = [...expand(sets), ...expand(deletes)]
  apply(entries, operations)
  for (const { op, key, value } of operations) {
    if (op === 'set') await map.set(keyBytes(key), value)
    else await map.delete(keyBytes(key))
  }
  const canonical = await freshBuild(params, entries.values())
  if (leftoverRoot) expectRoot(map, leftoverRoot, name)
  if (canonicalRoot) expectRoot(canonical, canonicalRoot, name)
  expectEmptyBuckets(map, emptyAt, name)

  document.heading(name)
  document.prose(about)
  addParams(document, name, params)
  document.hunk(`${name}/origin`, 'text', `${engineName(params)}, sets and deletes on one map; canonical: fresh build`)
  addStepInput(document, `${name}/leftover/step-1`, { generate: sets })
  addStepInput(document, `${name}/leftover/step-2`, { generate: deletes })
  document.hunk(`${name}/leftover/root`, 'text', `${map.root}`)
  document.hunk(`${name}/leftover/blocks`, 'text', blockLines(map, { allBytes: true }).join('\n'))
  document.hunk(`${name}/leftover/entries`, 'ndjson', (await readableLines(map, entries, name)).join('\n'))
  document.hunk(`${name}/canonical/root`, 'text', `${canonical.root}`)
}

async function readableLines (map, expected, name) {
  const lines = []
  for await (const { key, value } of map.entries()) {
    if (!expected.has(hex(key))) throw new Error(`${name}: a deleted key is still there`)
    lines.push(line({ key: keyJson(key), value }))
  }
  if (lines.length !== expected.size) throw new Error(`${name}: ${lines.length} entries, not ${expected.size}`)
  return lines
}

/** A case is worth having only if its tree has the empty buckets it is about. */
function expectEmptyBuckets (map, depths, name) {
  const found = new Set()
  for (const { depth, elements } of nodes(map.store, map.root)) {
    if (elements.some((element) => Array.isArray(element) && element.length === 0)) found.add(depth)
  }
  for (const depth of depths) {
    if (!found.has(depth)) throw new Error(`${name}: no empty bucket at depth ${depth}`)
  }
}

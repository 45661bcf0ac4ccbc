import { CID } from 'multiformats/cid'
import { ALICE_WORDS_FILE, ALICE_WORDS_ROOT } from '../lib/alice-words.mjs'
import { keyBytes, keyJson } from '../lib/data.mjs'
import { Document } from '../lib/document.mjs'
import { addFixture, blockLines, expand, expectRoot, readEntries, set } from '../lib/fixture.mjs'
import { SHA2_256 } from '../lib/hashes.mjs'
import { freshBuild } from '../lib/reference.mjs'
import { lookup, walk } from '../lib/tree.mjs'

// Selectors, in the form that go-ipld-prime reads from DAG-JSON.

const match = { '.': {} }
const asHamt = (next) => ({ '~': { as: 'hamt', '>': next } })
const fields = (nexts) => ({ f: { 'f>': nexts } })
const all = (next) => ({ a: { '>': next } })
const recursion = (sequence) => ({ R: { l: { none: {} }, ':>': sequence } })
const edge = { '@': {} }
const everythingBelow = recursion({ '|': [match, all(edge)] })

export async function selectors () {
  const document = new Document('Selectors', `
    Selectors that see a HAMT as a map, by the clause \`~\` (InterpretAs) with the name \`hamt\`. Each case has a map, as
    in the other documents, and besides

    * \`selector\`: the selector, in DAG-JSON,

    * \`visits\`: the paths of the nodes that a matching walk from the root visits, in order,

    * \`loads\`: the CIDs of the blocks that are loaded for it, in order, the root first.

    Fields are looked up, so a key at depth d costs d+1 blocks and no more. All entries come in the order of
    indexes, depth first, those of a bucket in the order of their keys' bytes. Visits and loads were found by a
    walk over the reference's blocks with iamap's own functions for indexes and bitmaps.`)

  await addAliceWords(document)
  await addNestedMaps(document)
  return document
}

/** Adds what a case has besides its map. */
function addWalk (document, name, { selector, visits, loads }) {
  document.hunk(`${name}/selector`, 'json', JSON.stringify(selector))
  document.hunk(`${name}/visits`, 'text', visits.join('\n'))
  document.hunk(`${name}/loads`, 'text', loads.join('\n'))
}

async function addAliceWords (document) {
  const params = { hashAlg: SHA2_256, bitWidth: 5, bucketSize: 3 }
  const entries = readEntries(ALICE_WORDS_FILE).map(({ key, value }) => ({ key: keyBytes(key), value }))
  const { store, root } = await freshBuild(params, entries)
  const at = async (word) => ({ word, ...await lookup(store, root, keyBytes(word)) })
  const words = await Promise.all(entries.map(({ key }) => at(keyJson(key))))
  const absent = await Promise.all(Array.from({ length: 1000 }, (_, i) => at(`absent${i}`)))

  const addCase = async (name, about, walked) => {
    const map = await addFixture(document, { name, about, params, blocks: false, steps: [{ entriesFile: ALICE_WORDS_FILE }] })
    expectRoot(map, ALICE_WORDS_ROOT, name)
    addWalk(document, name, walked)
  }
  const blocks = ({ loads }) => `${loads.length} blocks are loaded`

  const shallow = words.find(({ loads }) => loads.length === 2)
  await addCase('word-at-depth-1', `The word "${shallow.word}": ${blocks(shallow)}.`,
    { selector: asHamt(fields({ [shallow.word]: match })), visits: [shallow.word], loads: shallow.loads })

  const deep = words.find(({ loads }) => loads.length >= 3)
  await addCase(`word-at-depth-${deep.loads.length - 1}`, `The word "${deep.word}": ${blocks(deep)}.`,
    { selector: asHamt(fields({ [deep.word]: match })), visits: [deep.word], loads: deep.loads })

  const noElement = absent.find(({ found, inBucket }) => !found && !inBucket)
  await addCase('absent-word-without-element', `"${noElement.word}" is not there: its way ends at a bit that is not set. ${blocks(noElement)}.`,
    { selector: asHamt(fields({ [noElement.word]: match })), visits: [], loads: noElement.loads })

  const otherBucket = absent.find(({ found, inBucket }) => !found && inBucket)
  await addCase('absent-word-in-a-bucket', `"${otherBucket.word}" is not there: its way ends at a bucket of other words. ${blocks(otherBucket)}.`,
    { selector: asHamt(fields({ [otherBucket.word]: match })), visits: [], loads: otherBucket.loads })

  const below = pathsBelow(shallow.word, shallow.value)
  await addCase('below-a-word', 'The value of a word, and all that is in it: nothing more is loaded.',
    { selector: asHamt(fields({ [shallow.word]: everythingBelow })), visits: below, loads: shallow.loads })
  await addCase('one-field-of-a-word', 'A path that goes on into the value.',
    { selector: asHamt(fields({ [shallow.word]: fields({ 0: fields({ line: match }) }) })), visits: [`${shallow.word}/0/line`], loads: shallow.loads })

  const apart = words.find(({ word, loads }) => word > shallow.word && !loads.slice(1).some((cid) => shallow.loads.some((other) => other.equals(cid))))
  await addCase('two-words', 'Two words below different elements of the root. The root is loaded once.', {
    selector: asHamt(fields({ [shallow.word]: match, [apart.word]: match })),
    visits: [shallow.word, apart.word],
    loads: [...shallow.loads, ...apart.loads.slice(1)]
  })

  const whole = [...walk(store, root)]
  await addCase('all-words', 'Every word, and every block once.', {
    selector: asHamt(all(match)),
    visits: whole.filter(({ key }) => key).map(({ key }) => keyJson(key)),
    loads: whole.filter(({ cid }) => cid).map(({ cid }) => cid)
  })
}

/** The paths of a value and of everything in it, as a block has them. */
function pathsBelow (path, value) {
  const isCollection = value !== null && typeof value === 'object' && !CID.asCID(value) && !(value instanceof Uint8Array)
  if (!isCollection) return [path]
  return [path, ...Object.entries(value).flatMap(([segment, inner]) => pathsBelow(`${path}/${segment}`, inner))]
}

async function addNestedMaps (document) {
  const innerParams = { hashAlg: SHA2_256, bitWidth: 3, bucketSize: 3 }
  const outerParams = { hashAlg: SHA2_256, bitWidth: 8, bucketSize: 3 }
  const inner = new Map()
  for (const name of ['east', 'north', 'west']) {
    const entries = expand({ op: 'set', count: 40, key: `${name}-{i}` })
      .map(({ key, value }) => ({ key: keyBytes(key), value: { n: value } }))
    inner.set(name, await freshBuild(innerParams, entries))
  }
  const operations = [...inner].map(([name, { root }]) => set(name, root))

  const addCase = async (name, about, makeWalk) => {
    const map = await addFixture(document, { name, about, params: outerParams, steps: [{ operations }] })
    document.prose(`All blocks, of the outer map and then of the inner ones (bit width ${innerParams.bitWidth}, bucket size ${innerParams.bucketSize}):`)
    document.hunk(`${name}/blocks`, 'text',
      [map, ...inner.values()].flatMap((each) => blockLines(each, { allBytes: true })).join('\n'))
    addWalk(document, name, await makeWalk(map))
  }

  await addCase('nested-lookup', `A map of three entries whose values are links to maps of forty. One key is looked up through both, each
    interpreted as a HAMT by a clause of its own.`, async (outer) => {
    const outerLookup = await lookup(outer.store, outer.root, keyBytes('north'))
    const { store, root } = inner.get('north')
    const lookups = await Promise.all(Array.from({ length: 40 }, async (_, i) => ({
      key: `north-${i}`, ...await lookup(store, root, keyBytes(`north-${i}`))
    })))
    const { key, loads } = lookups.find(({ loads }) => loads.length >= 3)
    return {
      selector: asHamt(fields({ north: asHamt(fields({ [key]: match })) })),
      visits: [`north/${key}`],
      loads: [...outerLookup.loads, ...loads]
    }
  })

  await addCase('nested-all-entries', 'All entries of all inner maps.', (outer) => ({
    selector: asHamt(all(asHamt(all(match)))),
    ...nestedWalk(outer, inner, (name, key) => [`${name}/${key}`])
  }))

  await addCase('nested-recursion', `All entries of all inner maps, and by a recursion all that is in them.`, (outer) => ({
    selector: asHamt(all(asHamt(all(everythingBelow)))),
    ...nestedWalk(outer, inner, (name, key, value) => pathsBelow(`${name}/${key}`, value))
  }))
}

/** A walk through the outer map that goes into each inner one where it stands. */
function nestedWalk (outer, inner, pathsOf) {
  const visits = []
  const loads = []
  for (const { cid, key } of walk(outer.store, outer.root)) {
    if (cid) {
      loads.push(cid)
      continue
    }
    const name = keyJson(key)
    const { store, root } = inner.get(name)
    for (const step of walk(store, root)) {
      if (step.cid) loads.push(step.cid)
      else visits.push(...pathsOf(name, keyJson(step.key), step.value))
    }
  }
  return { visits, loads }
}

// A fixture is a case of a document: parameters, and steps of operations with
// the root and the blocks that the reference gives after each.

import { readFileSync } from 'node:fs'
import { encode } from '@ipld/dag-cbor'
import { hex, keyBytes, line, parseLines } from './data.mjs'
import { engineName, freshBuild } from './reference.mjs'
import { nodes } from './tree.mjs'

export const FIXTURES = new URL('../../../spec-fixtures/', import.meta.url)

const HEX_UP_TO_BYTES = 300
const BLOCKS_UP_TO = 400

export const set = (key, value) => ({ op: 'set', key, value })
export const del = (key) => ({ op: 'delete', key })

export function readEntries (file) {
  return parseLines(readFileSync(new URL(file, FIXTURES), 'utf8'), file)
}

/** The operations that a `generate` hunk stands for. */
export function expand ({ op, count, from = 0, key }) {
  const operations = []
  for (let i = from; i < from + count; i++) {
    const text = key.replace(/\{i(?:([/%])(\d+))?\}/g, (_, operator, operand) => {
      if (operator === '/') return Math.floor(i / Number(operand))
      if (operator === '%') return i % Number(operand)
      return i
    })
    operations.push(op === 'set' ? set(text, i) : del(text))
  }
  return operations
}

function operationsOf (step) {
  if (step.operations) return step.operations
  if (step.generate) return expand(step.generate)
  return readEntries(step.entriesFile).map(({ key, value }) => set(key, value))
}

/** The entries that are there after operations on those that were there before. */
export function apply (entries, operations) {
  for (const { op, key, value } of operations) {
    const bytes = keyBytes(key)
    if (op === 'set') entries.set(hex(bytes), { key: bytes, value })
    else entries.delete(hex(bytes))
  }
}

/** The lines of a `blocks` hunk: each CID, and the bytes of the small ones. */
export function blockLines (map, { allBytes = false } = {}) {
  return [...nodes(map.store, map.root)].map(({ cid, bytes }) =>
    allBytes || bytes.length <= HEX_UP_TO_BYTES ? `${cid} ${hex(bytes)}` : `${cid}`)
}

export function addParams (document, name, params) {
  const { hashAlg, bitWidth, bucketSize } = params
  document.hunk(`${name}/params`, 'json', JSON.stringify({ hashAlg, bitWidth, bucketSize }))
}

/** The input of one step, as the hunk that says it most shortly. */
export function addStepInput (document, name, step) {
  if (step.asDagCbor) {
    const lines = step.operations.map((operation) => hex(encode(operation)))
    document.hunk(`${name}/operations-dag-cbor`, 'text', lines.join('\n'))
  } else if (step.operations) {
    document.hunk(`${name}/operations`, 'ndjson', step.operations.map(line).join('\n'))
  } else if (step.generate) {
    document.hunk(`${name}/generate`, 'json', JSON.stringify(step.generate))
  } else {
    document.hunk(`${name}/entries-file`, 'text', step.entriesFile)
  }
}

/**
 * Adds a case to a document and gives the reference's map of its last step.
 * Every step's root is that of a map built afresh from what is there after it:
 * iamap's own delete is not canonical.
 */
export async function addFixture (document, fixture) {
  const { name, about, params, steps, bigIntegers, blocks = true } = fixture
  document.heading(name)
  document.prose(about)
  addParams(document, name, params)
  const how = steps.length > 1 ? 'fresh build of what is there after each step' : 'fresh build'
  document.hunk(`${name}/origin`, 'text', `${engineName(params, { bigIntegers })}, ${how}`)

  const entries = new Map()
  let map
  for (const [at, step] of steps.entries()) {
    const path = `${name}/step-${at + 1}`
    if (step.about) document.prose(step.about)
    addStepInput(document, path, step)
    if (step.refuse) {
      document.hunk(`${path}/refuse`, 'text', step.refuse)
      continue
    }
    apply(entries, operationsOf(step))
    map = await freshBuild(params, entries.values(), { bigIntegers })
    document.hunk(`${path}/root`, 'text', `${map.root}`)
    const lines = blocks ? blockLines(map) : []
    if (lines.length > 0 && lines.length <= BLOCKS_UP_TO) {
      document.hunk(`${path}/blocks`, 'text', lines.join('\n'))
    }
  }
  return map
}

/** Stops generation where the reference disagrees with a root known from elsewhere. */
export function expectRoot (map, root, what) {
  if (`${map.root}` !== root) throw new Error(`${what}: the root is ${map.root}, should be ${root}`)
}

// Loads the map at the first root of a CAR with js-ipld-hashmap, prints every
// entry as a line of DAG-JSON in the order of iteration, and on demand looks up
// the keys of another file one by one.

import { createReadStream, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { CarBlockIterator } from '@ipld/car/iterator'
import * as blockCodec from '@ipld/dag-cbor'
import * as iamap from 'iamap'
import { load } from 'ipld-hashmap'
import { sha256 as blockHasher } from 'multiformats/hashes/sha2'
import { BlockStore } from './lib/block-store.mjs'
import { UsageError, print, run } from './lib/command.mjs'
import { keyBytes, keyJson, line, parseLines, sameValue } from './lib/data.mjs'
import { registerHashes } from './lib/hashes.mjs'

const USAGE = 'node car-read.mjs FILE.car [--entries FILE.ndjson]'

// ipld-hashmap itself knows sha2-256 alone; it shares this iamap.
registerHashes(iamap)

async function readCar (file) {
  const store = new BlockStore()
  const car = await CarBlockIterator.fromIterable(createReadStream(file))
  const [root] = await car.getRoots()
  if (!root) throw new Error(`${file} has no root`)
  for await (const { cid, bytes } of car) store.put(cid, bytes)
  return { store, root }
}

async function compare (map, file) {
  for (const { key, value } of parseLines(readFileSync(file, 'utf8'), file)) {
    const found = await map.get(keyBytes(key))
    if (found === undefined) throw new Error(`key ${line(key)} of ${file} is not in the map`)
    if (!sameValue(found, value)) {
      throw new Error(`key ${line(key)} has the value ${line(found)}, and ${line(value)} in ${file}`)
    }
  }
}

await run('car-read', async () => {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { entries: { type: 'string' } } })
  if (positionals.length !== 1) throw new UsageError(USAGE)

  const { store, root } = await readCar(positionals[0])
  const map = await load(store, root, { blockCodec, blockHasher })
  for await (const [key, value] of map.entriesRaw()) {
    await print(line({ key: keyJson(key), value }) + '\n')
  }
  if (values.entries) await compare(map, values.entries)
})

// Builds a map with js-ipld-hashmap from lines of entries, deletes keys from it,
// and writes the blocks that are left as a CAR.

import { createWriteStream, readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { CarWriter } from '@ipld/car/writer'
import * as blockCodec from '@ipld/dag-cbor'
import { create } from 'ipld-hashmap'
import { sha256 as blockHasher } from 'multiformats/hashes/sha2'
import { BlockStore } from './lib/block-store.mjs'
import { UsageError, run } from './lib/command.mjs'
import { hex, keyBytes, parseLines } from './lib/data.mjs'

const USAGE = 'node car-write.mjs IN.ndjson OUT.car [--bit-width N] [--bucket-size N] [--delete KEYS.ndjson]'

const readLines = (file) => parseLines(readFileSync(file, 'utf8'), file)

async function writeCar (file, map, store) {
  const { writer, out } = await CarWriter.create([map.cid])
  const written = pipeline(Readable.from(out), createWriteStream(file))
  for await (const cid of map.cids()) await writer.put({ cid, bytes: store.get(cid) })
  await writer.close()
  await written
}

await run('car-write', async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      'bit-width': { type: 'string', default: '8' },
      'bucket-size': { type: 'string', default: '3' },
      delete: { type: 'string' }
    }
  })
  if (positionals.length !== 2) throw new UsageError(USAGE)
  const [entriesFile, carFile] = positionals

  const store = new BlockStore()
  const map = await create(store, {
    blockCodec,
    blockHasher,
    bitWidth: Number(values['bit-width']),
    bucketSize: Number(values['bucket-size'])
  })
  const present = new Set()
  for (const { key, value } of readLines(entriesFile)) {
    await map.set(keyBytes(key), value)
    present.add(hex(keyBytes(key)))
  }
  for (const key of values.delete ? readLines(values.delete) : []) {
    await map.delete(keyBytes(key))
    present.delete(hex(keyBytes(key)))
  }

  // iamap's delete loses a whole bucket where it is the only one in the root.
  const size = await map.size()
  if (size !== present.size) {
    throw new Error(`js-ipld-hashmap is left with ${size} entries, and there should be ${present.size}`)
  }
  await writeCar(carFile, map, store)
  console.log(`${map.cid}`)
})

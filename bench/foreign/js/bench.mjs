// js-ipld-hashmap on the workload of this benchmark: node bench.mjs N.
// It prints one JSON object a line, as `go run ./bench/compare -json` does.
// The packages are those that interop/js has installed.

import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const require = createRequire(new URL('../../../interop/js/package.json', import.meta.url))
const load = (name) => import(pathToFileURL(require.resolve(name)))
const blockCodec = await load('@ipld/dag-cbor')
const { sha256: blockHasher } = await load('multiformats/hashes/sha2')
const { create, load: open } = await load('ipld-hashmap')

const n = Number(process.argv[2])
const keyOf = (i) => `precip/${Math.floor(i / 1000)}.${i % 1000}`
const options = { bitWidth: 8, bucketSize: 3, blockCodec, blockHasher }

const blocks = new Map()
let writes = 0
const store = {
  get: (cid) => blocks.get(cid.toString()),
  put: (cid, bytes) => {
    writes++
    blocks.set(cid.toString(), bytes)
  }
}

async function measure (work, entries, run) {
  writes = 0
  const begin = process.hrtime.bigint()
  await run()
  const elapsed = Number(process.hrtime.bigint() - begin)
  console.log(JSON.stringify({ work, n, ns_per_entry: elapsed / entries, blocks_written: writes }))
}

/** Different numbers below n, spread over all of them. */
function * spread (count) {
  let step = Math.floor(n * 0.618)
  while (gcd(step, n) !== 1) step++
  for (let i = 0, at = 0; i < count; i++, at = (at + step) % n) yield at
}

function gcd (a, b) {
  return b === 0 ? a : gcd(b, a % b)
}

function check (ok) {
  if (!ok) throw new Error('wrong answer')
}

const map = await create(store, options)
await measure('build-node', n, async () => {
  for (let i = 0; i < n; i++) await map.set(keyOf(i), i)
})
const root = map.cid

const lookups = Math.min(n, 20_000)
await measure('lookup-warm', lookups, async () => { // it has no cache: the store is a Map
  for (const i of spread(lookups)) check(await map.get(keyOf(i)) === i)
})

const cold = Math.min(n, 2_000)
await measure('lookup-cold', cold, async () => {
  for (const i of spread(cold)) check(await (await open(store, root, options)).get(keyOf(i)) === i)
})

await measure('iterate-node', n, async () => {
  let count = 0
  for await (const entry of map.entries()) {
    check(entry.length === 2)
    count++
  }
  check(count === n)
})

const deletes = Math.floor(n / 10)
await measure('deletes', deletes, async () => {
  for (const i of spread(deletes)) await map.delete(keyOf(i))
})

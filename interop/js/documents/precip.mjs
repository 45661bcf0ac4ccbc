import { Document } from '../lib/document.mjs'
import { addFixture, expectRoot } from '../lib/fixture.mjs'
import { SHA2_256 } from '../lib/hashes.mjs'

// Seen from both js-ipld-hashmap and the py-hamt of 2023.
const ROOTS = new Map([
  [1, 'bafyreic74j6pwbk7ne3d4oepwbzwi54odydl6xfo57nvajns3vmoa76pty'],
  [2, 'bafyreibxzzymu7qlvrs27yilklruwjvne6pigca4ffqp4bf63wvf7bzg6i'],
  [5, 'bafyreiaxx2zfljh6spxkgsvzc2op7ggkjvejtrtu3zm65bm4zpydvrjyt4'],
  [10, 'bafyreib23ztj6glf6qmn7kvkoc66u4vdg22i7zof4xe5ewwg2pxdo5uh6a'],
  [100, 'bafyreici5z2bemskffre7nzj37pnkwpxgkpt4ov33w4phxxj5izwlbso6u']
])

export async function precip () {
  const document = new Document('Chunk coordinates', `
    Keys as a Zarr array on IPFS has them: \`precip/0.0\`, \`precip/0.1\` and so on, with integers
    as values. Bit width 8 and bucket size 5 are iamap's defaults, and those of py-hamt, its port to
    Python; at these, Python gives the same roots as JavaScript.`)

  for (const [count, root] of ROOTS) {
    const map = await addFixture(document, {
      name: `precip-${count}`,
      about: count === 1 ? 'A single entry.' : `${count} entries.`,
      params: { hashAlg: SHA2_256, bitWidth: 8, bucketSize: 5 },
      steps: [{ generate: { op: 'set', count, key: 'precip/{i/1000}.{i%1000}', value: 'i' } }]
    })
    expectRoot(map, root, `precip-${count}`)
  }
  return document
}

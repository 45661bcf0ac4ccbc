import { Document } from '../lib/document.mjs'
import { addFixture } from '../lib/fixture.mjs'
import { SHA2_256 } from '../lib/hashes.mjs'

export async function bitWidths () {
  const document = new Document('Bit widths and bucket sizes', `
    The same 200 entries at every bit width from 3 to 8 with bucket sizes of 1, 2, 3 and 5. A bit
    width of 3 has a bitmap of one byte, and at every width but 4 and 8 the indexes of a key cross
    the bytes of its hash.

    Bucket size 1 is allowed by the specification and refused by iamap, by nothing but a guard:
    those roots come from iamap's own source with the guard relaxed.

    At last come wide nodes, with few entries: an index of 9 or 12 bits reaches over two bytes of the
    hash, one of 16 bits takes both whole, and its bitmap has 8,192 bytes.`)

  for (const bitWidth of [3, 4, 5, 6, 7, 8]) {
    for (const bucketSize of [1, 2, 3, 5]) {
      await addFixture(document, {
        name: `bit-width-${bitWidth}-bucket-size-${bucketSize}`,
        about: `Nodes of up to ${2 ** bitWidth} elements, buckets of up to ${bucketSize}.`,
        params: { hashAlg: SHA2_256, bitWidth, bucketSize },
        steps: [{ generate: { op: 'set', count: 200, key: 'key-{i}', value: 'i' } }]
      })
    }
  }
  for (const [bitWidth, count] of [[9, 60], [12, 40], [16, 20]]) {
    await addFixture(document, {
      name: `bit-width-${bitWidth}-bucket-size-3`,
      about: `Nodes of up to ${2 ** bitWidth} elements, ${count} entries.`,
      params: { hashAlg: SHA2_256, bitWidth, bucketSize: 3 },
      steps: [{ generate: { op: 'set', count, key: 'key-{i}', value: 'i' } }]
    })
  }
  return document
}

import { Document } from '../lib/document.mjs'
import { keyJson } from '../lib/data.mjs'
import { addFixture, del, set } from '../lib/fixture.mjs'
import { SHA2_256 } from '../lib/hashes.mjs'
import { keysAtIndex } from '../lib/key-search.mjs'

const params = { hashAlg: SHA2_256, bitWidth: 8, bucketSize: 3 }
const INDEX = 5

const number = (keys) => keys.map((key, i) => set(keyJson(Buffer.from(key)), i))

export async function keys () {
  const document = new Document('Keys', `
    A key is bytes, of any value and any number. Where the bytes are UTF-8 the operations have them as a string,
    otherwise as DAG-JSON bytes; in a block they are always bytes.`)

  const cases = [
    ['empty-key', 'The empty key is a key, alone here and beside others.',
      [[''], ['a', Uint8Array.of(0)]]],
    ['not-ascii', 'Keys of characters of two to four bytes. Two that look the same and are different bytes are different keys, and so is one that begins with a byte order mark.',
      [['é', 'e\u0301', 'ß', 'λόγος', '漢字', '🐇', '\ufeffbom', 'bom', 'a/b', '..', '"', '\n', ' ', '\u0000']]],
    ['not-utf-8', 'Bytes that no text has: a lone continuation byte, an overlong form, a surrogate half, a character cut short.',
      [[Uint8Array.of(0x80), Uint8Array.of(0xff), Uint8Array.of(0xff, 0xfe), Uint8Array.of(0xc0, 0x80), Uint8Array.of(0xed, 0xa0, 0x80),
        Uint8Array.of(0xf0, 0x9f, 0x90), Uint8Array.of(0x61, 0xff), Uint8Array.from({ length: 256 }, (_, i) => i)]]],
    ['long', 'Two keys of 5,000 bytes that differ in the last one, one of text and one not, and keys around the lengths where CBOR takes a longer head.',
      [['x'.repeat(5000), 'x'.repeat(4999) + 'y', new Uint8Array(5000).fill(0xfe)],
        ['h'.repeat(23), 'h'.repeat(24), 'h'.repeat(255), 'h'.repeat(256)]]],
    ['prefixes', 'Keys that begin with one another.',
      [['a', 'aa', 'aaa', 'aaaa', 'aaaaa', 'aaaaaa', 'a\u0000', 'a\u0000\u0000']]]
  ]
  for (const [name, about, steps] of cases) {
    await addFixture(document, { name, about, params, steps: steps.map((step) => ({ operations: number(step) })) })
  }
  await addFixture(document, {
    name: 'prefixes-in-one-bucket',
    about: `Buckets so large that each of the root's eight is a bucket: keys that begin with one another stand side by
      side, the shorter one first.`,
    params: { hashAlg: SHA2_256, bitWidth: 3, bucketSize: 100 },
    steps: [{ operations: number(Array.from({ length: 40 }, (_, i) => 'p'.repeat(i)).reverse()) }]
  })
  await addBucketOrder(document)
  return document
}

/**
 * Beginnings that a wrong comparison puts in another order: bytes taken as
 * signed, strings by UTF-16 units, by locale, or case-insensitively.
 */
async function addBucketOrder (document) {
  const beginnings = ['z', 'a', 'Z', 'é', '\uffee', '😀', '\u0000', '', '~',
    Uint8Array.of(0x7f), Uint8Array.of(0x80), Uint8Array.of(0xff), 'a'.repeat(30), '_', '10-', '9-']
  const found = keysAtIndex(beginnings, { bitWidth: 3, index: INDEX })
  await addFixture(document, {
    name: 'bucket-order',
    about: `All of these keys have the index ${INDEX} in the root, so they are one bucket, in the order of their bytes: not by
      length, nor by UTF-16 units (which would put the emoji before U+FFEE), nor with bytes above 127 as
      negative.`,
    params: { hashAlg: SHA2_256, bitWidth: 3, bucketSize: 32 },
    steps: [
      { operations: number(found) },
      { about: 'The order stays as entries go:', operations: [0, 5, 9].map((at) => del(keyJson(found[at]))) }
    ]
  })
}

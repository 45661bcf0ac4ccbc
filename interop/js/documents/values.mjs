import { Document } from '../lib/document.mjs'
import { cidOf } from '../lib/data.mjs'
import { addFixture, set } from '../lib/fixture.mjs'
import { SHA2_256 } from '../lib/hashes.mjs'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'

const params = { hashAlg: SHA2_256, bitWidth: 8, bucketSize: 3 }
const RAW = 0x55
const DAG_PB = 0x70

const nested = (levels) => {
  let value = 'the innermost'
  for (let i = 0; i < levels; i++) value = i % 2 === 0 ? [value] : { deeper: value }
  return value
}

const entries = (values) => [{ operations: Object.entries(values).map(([key, value]) => set(key, value)) }]

export async function values () {
  const document = new Document('Values', `
    Every kind of value, inline in its entry. A value is written as DAG-CBOR has it: the keys of a
    map sorted by length first and then by bytes, integers in their shortest form, floats in
    64 bits. There is no float with an integral value here: JavaScript has but one type of number, and
    writes such a float as an integer.`)

  const digest = await sha256.digest(new TextEncoder().encode('somewhere else'))
  const cases = [
    ['null-and-booleans', 'null is a value like any other: a key that has it is there.',
      { nothing: null, yes: true, no: false }],
    ['integers', 'At the limits of the forms that CBOR has for integers.', {
      zero: 0,
      one: 1,
      'minus one': -1,
      'in the head': 23,
      'one byte': 24,
      'one byte, largest': 255,
      'two bytes': 256,
      'two bytes, largest': 65535,
      'four bytes': 65536,
      '2^31': 2 ** 31,
      'four bytes, largest': 2 ** 32 - 1,
      'eight bytes': 2 ** 32,
      '2^53-1': Number.MAX_SAFE_INTEGER,
      '-24': -24,
      '-25': -25,
      '-256': -256,
      '-257': -257,
      '-2^31': -(2 ** 31),
      '-2^53+1': Number.MIN_SAFE_INTEGER
    }],
    ['big-integers', 'Integers that a 64-bit float cannot hold, up to the ends of the range of a signed 64-bit integer. (js-ipld-hashmap refuses BigInt values, so iamap makes these maps.)',
      { '2^53': 2n ** 53n, '2^53+1': 2n ** 53n + 1n, '2^63-1': 2n ** 63n - 1n, '-2^53-1': -(2n ** 53n) - 1n, '-2^63': -(2n ** 63n) }],
    ['floats', 'Floats with a fraction, the smallest and very large ones.',
      { half: 0.5, tenth: 0.1, negative: -2.75, pi: Math.PI, smallest: Number.MIN_VALUE, large: 1.5e300 }],
    ['strings', 'Empty, of one to four bytes a character, with control characters, and long.', {
      empty: '',
      ascii: 'plain',
      accents: 'naïve café',
      greek: 'λόγος',
      cjk: '漢字かな',
      emoji: '🐇🕳️',
      'not normalised': 'e\u0301 and \u00e9',
      control: 'tab\t, newline\n, nul\u0000, quote", backslash\\',
      long: 'long '.repeat(80)
    }],
    ['bytes', 'Empty, of any bytes, and long.', {
      empty: new Uint8Array(),
      'not UTF-8': Uint8Array.of(0xff, 0x00, 0xfe, 0x80),
      text: new TextEncoder().encode('text'),
      long: Uint8Array.from({ length: 300 }, (_, i) => i % 256)
    }],
    ['lists', 'Empty, of mixed kinds, and of more than 23 items.', {
      empty: [],
      mixed: [null, true, 1, -1, 0.5, 'a', Uint8Array.of(1), [], {}],
      nested: [[], [[]], [[[]]]],
      'like a bucket': [[new TextEncoder().encode('key'), 'value']],
      'like a node': [Uint8Array.of(1), []],
      long: Array.from({ length: 30 }, (_, i) => i)
    }],
    ['maps', 'A map that is a value is sorted in its block by length of key first, here b before aa, and is not a HAMT.', {
      empty: {},
      sorted: { aa: 1, b: 2, c: 3, aaa: 4, '': 5, Z: 6, é: 7 },
      nested: { outer: { inner: { innermost: [] } } },
      'like a root': { hamt: [Uint8Array.of(0), []], hashAlg: 18, bucketSize: 3 }
    }],
    ['links', 'A value that is a link is no child node: it stands within an entry. The CIDs are of several codecs and both versions.', {
      'dag-cbor': await cidOf(Uint8Array.of(0xa0)),
      raw: CID.createV1(RAW, digest),
      'dag-pb': CID.createV1(DAG_PB, digest),
      'version 0': CID.createV0(digest),
      'in a list': [CID.createV1(RAW, digest)],
      'in a map': { link: CID.createV1(RAW, digest) }
    }],
    ['deep', 'Lists and maps nested 100 deep.', { deep: nested(100) }]
  ]
  for (const [name, about, kinds] of cases) {
    const bigIntegers = Object.values(kinds).some((value) => typeof value === 'bigint')
    await addFixture(document, { name, about, params, bigIntegers, steps: entries(kinds) })
  }
  await addFixture(document, {
    name: 'unsigned-integers',
    about: `Integers beyond the signed range, 2^63 and 2^64-1, the largest that CBOR can write in 64 bits. Not every reader of DAG-JSON
      takes them, so the operations are DAG-CBOR here, in hex.`,
    params,
    bigIntegers: true,
    steps: [{ operations: [set('2^63', 2n ** 63n), set('2^64-1', 2n ** 64n - 1n)], asDagCbor: true }]
  })
  await addFixture(document, {
    name: 'change-of-kind',
    about: 'One key, whose value changes from kind to kind.',
    params,
    steps: [null, 1, 'one', [1], { one: 1 }, CID.createV1(RAW, digest), Uint8Array.of(1), false, 0.5]
      .map((value) => ({ operations: [set('shifty', value)] }))
  })
  return document
}

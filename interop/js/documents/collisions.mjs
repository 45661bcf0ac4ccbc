import { keyBytes } from '../lib/data.mjs'
import { Document } from '../lib/document.mjs'
import { addFixture, del, set } from '../lib/fixture.mjs'
import { CONSTANT } from '../lib/hashes.mjs'
import { freshBuild } from '../lib/reference.mjs'

const OVERFLOW = 'Overflow: maximum tree depth reached'

export async function collisions () {
  const document = new Document('Full collisions', `
    More than bucketSize keys with the same hash have no tree: at every depth they need a node below, until
    the hash has run out. A set that would make them must be refused, with nothing written, and the map stays
    as it was.

    No keys are known that do this to sha2-256. These cases use a hash of the private-use range,
    0x300001, which a test has to register: *constant*, four zero bytes for every key. iamap throws
    "${OVERFLOW}" for each step with a \`refuse\` hunk; that step's operations are to be refused as a whole.`)

  for (const [bitWidth, bucketSize, about] of [
    [8, 3, 'Four indexes of eight bits: the hash is used up to the last bit.'],
    [5, 3, 'Six indexes of five bits, and two bits left over.'],
    [3, 5, 'Ten indexes of three bits, and two bits left over.'],
    [16, 2, 'Two indexes of sixteen bits.'],
    [8, 1, 'Buckets of one: two keys are already too many.']
  ]) {
    const params = { hashAlg: CONSTANT, bitWidth, bucketSize }
    const full = Array.from({ length: bucketSize }, (_, i) => set(`key-${i}`, i))
    const tooMany = set('one more', true)
    await expectOverflow(params, [...full, tooMany])
    await addFixture(document, {
      name: `constant-bit-width-${bitWidth}-bucket-size-${bucketSize}`,
      about,
      params,
      steps: [
        { operations: full },
        { operations: [tooMany], refuse: 'max-depth' },
        {
          about: 'A full bucket can still be changed, and takes another key once one is gone:',
          operations: [set('key-0', 'changed'), del('key-0'), tooMany]
        }
      ]
    })
  }
  return document
}

async function expectOverflow (params, operations) {
  try {
    await freshBuild(params, operations.map(({ key, value }) => ({ key: keyBytes(key), value })))
  } catch (err) {
    if (err.message === OVERFLOW) return
    throw err
  }
  throw new Error('the reference accepts a full collision')
}

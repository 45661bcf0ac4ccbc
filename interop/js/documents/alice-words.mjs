import { ALICE_WORDS_FILE, ALICE_WORDS_ROOT } from '../lib/alice-words.mjs'
import { Document } from '../lib/document.mjs'
import { addFixture, expectRoot } from '../lib/fixture.mjs'
import { SHA2_256 } from '../lib/hashes.mjs'

export async function aliceWords () {
  const document = new Document('Alice words', `
    The official fixture of the HashMap specification. The keys are the words (\`/\\w+/\`) of
    the first chapter of "Alice's Adventures in Wonderland", each value is the list of the places
    where the word stands, as \`{line, column}\`, both counted from 1.

    \`${ALICE_WORDS_FILE}\` holds the entries, one a line, in the order in which the words first
    appear. It is data recorded from the text that comes with js-ipld-hashmap's tests; the text
    itself is not here.`)

  const map = await addFixture(document, {
    name: 'alice-words',
    about: `
      The root is the one that the specification's fixture names, so a HAMT that gets here has the
      bit order of indexes and bitmaps, the order within buckets and the encoding of blocks right.`,
    params: { hashAlg: SHA2_256, bitWidth: 5, bucketSize: 3 },
    steps: [{ entriesFile: ALICE_WORDS_FILE }]
  })
  expectRoot(map, ALICE_WORDS_ROOT, 'alice-words')
  return document
}

// Recomputes everything in spec-fixtures and stops at the first difference.

import { readFileSync } from 'node:fs'
import { documents } from './documents/index.mjs'
import { ALICE_WORDS_FILE, recordAliceWords } from './lib/alice-words.mjs'
import { firstDifference } from './lib/document.mjs'
import { FIXTURES } from './lib/fixture.mjs'

async function check () {
  if (readFileSync(new URL(ALICE_WORDS_FILE, FIXTURES), 'utf8') !== await recordAliceWords()) {
    throw new Error(`${ALICE_WORDS_FILE} is not what ipld-hashmap's test data gives`)
  }
  let count = 0
  for await (const { file, text } of documents()) {
    const found = readFileSync(new URL(file, FIXTURES), 'utf8')
    if (found !== text) {
      throw new Error(`${file}: ${firstDifference(found, text)} is not what the reference gives`)
    }
    count++
  }
  console.log(`${count} documents are what the reference gives`)
}

check().catch((err) => {
  console.error(`check: ${err.message}`)
  process.exitCode = 1
})

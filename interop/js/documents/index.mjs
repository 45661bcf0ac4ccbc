// Every document of spec-fixtures, and what makes it.

import { aliceWords } from './alice-words.mjs'
import { bitWidths } from './bit-widths.mjs'
import { collisions } from './collisions.mjs'
import { edits } from './edits.mjs'
import { hashes } from './hashes.mjs'
import { keys } from './keys.mjs'
import { leftovers } from './leftovers.mjs'
import { precip } from './precip.mjs'
import { refused } from './refused.mjs'
import { selectors } from './selectors.mjs'
import { values } from './values.mjs'

const DOCUMENTS = {
  'alice-words.md': aliceWords,
  'precip.md': precip,
  'bit-widths.md': bitWidths,
  'edits.md': edits,
  'values.md': values,
  'keys.md': keys,
  'hashes.md': hashes,
  'leftovers.md': leftovers,
  'collisions.md': collisions,
  'refused.md': refused,
  'selectors.md': selectors
}

/** The documents one after another, as `{ file, text }`. */
export async function * documents () {
  for (const [file, make] of Object.entries(DOCUMENTS)) {
    yield { file, text: (await make()).toString() }
  }
}

// Writes spec-fixtures/alice-words.ndjson from the text in ipld-hashmap's tests.

import { writeFileSync } from 'node:fs'
import { ALICE_WORDS_FILE, recordAliceWords } from './lib/alice-words.mjs'
import { FIXTURES } from './lib/fixture.mjs'

writeFileSync(new URL(ALICE_WORDS_FILE, FIXTURES), await recordAliceWords())

// Writes every document of spec-fixtures anew from the JavaScript reference.

import { writeFileSync } from 'node:fs'
import { documents } from './documents/index.mjs'
import { FIXTURES } from './lib/fixture.mjs'

for await (const { file, text } of documents()) {
  writeFileSync(new URL(file, FIXTURES), text)
  console.log(file)
}

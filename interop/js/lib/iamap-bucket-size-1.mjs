// iamap refuses a bucket size of 1, which the specification allows, by nothing
// but a guard. This is iamap's own source with that guard relaxed.

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { iamapFolder, require } from './packages.mjs'

const GUARD = 'options.bucketSize < 2'
const RELAXED = 'options.bucketSize < 1'

const source = readFileSync(join(iamapFolder, 'iamap.js'), 'utf8')
if (source.split(GUARD).length !== 2) {
  throw new Error(`iamap.js does not have the guard "${GUARD}" exactly once`)
}

// Below node_modules, so that what iamap requires is found as for iamap itself.
const folder = join(dirname(iamapFolder), '.cache', 'iamap-bucket-size-1')
mkdirSync(folder, { recursive: true })
copyFileSync(join(iamapFolder, 'bit-utils.js'), join(folder, 'bit-utils.js'))
writeFileSync(join(folder, 'iamap.cjs'), source.replace(GUARD, RELAXED))

export const { create, load, registerHasher } = require(join(folder, 'iamap.cjs'))

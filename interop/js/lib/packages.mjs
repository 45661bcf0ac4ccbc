import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const require = createRequire(import.meta.url)

export const iamapFolder = dirname(require.resolve('iamap'))

export const hashmapFolder = dirname(fileURLToPath(import.meta.resolve('ipld-hashmap')))

function nameAndVersion (folder) {
  const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  return `${name} ${version}`
}

/** What the origin lines of the documents say. */
export const IAMAP = nameAndVersion(iamapFolder)
export const HASHMAP = nameAndVersion(hashmapFolder)

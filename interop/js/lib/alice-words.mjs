import { join } from 'node:path'
import { line } from './data.mjs'
import { hashmapFolder } from './packages.mjs'

export const ALICE_WORDS_FILE = 'alice-words.ndjson'
export const ALICE_WORDS_ROOT = 'bafyreic672jz6huur4c2yekd3uycswe2xfqhjlmtmm5dorb6yoytgflova'

/**
 * The lines of alice-words.ndjson: every word of the text that ipld-hashmap is
 * tested with, in order of first appearance, with its positions. Lines and
 * columns are counted from 1, as that package's own test does.
 */
export async function recordAliceWords () {
  const { words: textLines } = await import(join(hashmapFolder, 'test', 'words-fixture.js'))
  const positions = new Map()
  for (const [at, text] of textLines.entries()) {
    for (const { 0: word, index } of text.matchAll(/\w+/g)) {
      if (!positions.has(word)) positions.set(word, [])
      positions.get(word).push({ line: at + 1, column: index + 1 })
    }
  }
  return [...positions].map(([key, value]) => line({ key, value }) + '\n').join('')
}

// Blocks as DAG-CBOR, lines as DAG-JSON, keys as bytes.

import * as dagCbor from '@ipld/dag-cbor'
import * as dagJson from '@ipld/dag-json'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'

const utf8Encoder = new TextEncoder()
// ignoreBOM keeps a leading U+FEFF: it is part of the key like any character.
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The CID that every block here has: CIDv1, DAG-CBOR, sha2-256. */
export async function cidOf (bytes) {
  return CID.createV1(dagCbor.code, await sha256.digest(bytes))
}

export function hex (bytes) {
  return Buffer.from(bytes).toString('hex')
}

/** A key as bytes, from the form it has in DAG-JSON (string or bytes). */
export function keyBytes (key) {
  if (typeof key === 'string') return utf8Encoder.encode(key)
  if (key instanceof Uint8Array) return key
  throw new TypeError('a key is a string or bytes')
}

/** A key in the form it has in DAG-JSON: a string wherever the bytes are UTF-8. */
export function keyJson (bytes) {
  try {
    return utf8Decoder.decode(bytes)
  } catch {
    return bytes
  }
}

/** One line of DAG-JSON, without its newline. */
export function line (value) {
  return Buffer.from(dagJson.encode(value)).toString()
}

/** The values of a text of DAG-JSON lines; errors name the line. */
export function parseLines (text, name) {
  return text.split('\n').flatMap((row, at) => {
    if (row.trim() === '') return []
    try {
      return [dagJson.decode(utf8Encoder.encode(row))]
    } catch (err) {
      throw new Error(`${name}:${at + 1}: ${err.message}`)
    }
  })
}

/** Whether two values are the same data: the same bytes as DAG-CBOR. */
export function sameValue (a, b) {
  return Buffer.compare(dagCbor.encode(a), dagCbor.encode(b)) === 0
}

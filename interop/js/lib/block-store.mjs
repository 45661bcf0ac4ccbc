import * as dagCbor from '@ipld/dag-cbor'
import { CID } from 'multiformats/cid'
import { cidOf } from './data.mjs'

/** Blocks in memory, by CID: the loader that ipld-hashmap asks for. */
export class BlockStore {
  #blocks = new Map()

  get (cid) {
    const bytes = this.#blocks.get(cid.toString())
    if (bytes === undefined) throw new Error(`no block ${cid}`)
    return bytes
  }

  put (cid, bytes) {
    this.#blocks.set(cid.toString(), bytes)
  }

  /** The store that iamap asks for, writing blocks just as ipld-hashmap does. */
  forIamap () {
    return {
      load: async (cid) => dagCbor.decode(this.get(cid)),
      save: async (node) => {
        const bytes = dagCbor.encode(node)
        const cid = await cidOf(bytes)
        this.put(cid, bytes)
        return cid
      },
      isEqual: (a, b) => a.equals(b),
      isLink: (value) => CID.asCID(value) !== null
    }
  }
}

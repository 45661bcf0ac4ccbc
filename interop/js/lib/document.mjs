// testmark documents: Markdown for people, with named code blocks for tests.

const WIDTH = 80

function wrap (paragraph) {
  const bullet = paragraph.startsWith('* ')
  const lines = []
  let current = ''
  for (const word of paragraph.split(/\s+/)) {
    if (current && current.length + 1 + word.length > WIDTH) {
      lines.push(current)
      current = bullet ? '  ' + word : word
    } else {
      current = current ? `${current} ${word}` : word
    }
  }
  return [...lines, current].join('\n')
}

export class Document {
  #parts = []
  #names = new Set()

  constructor (title, introduction) {
    this.#parts.push(`# ${title}`)
    this.prose(introduction)
  }

  heading (text) {
    this.#parts.push(`## ${text}`)
  }

  /** Paragraphs are set apart by empty lines, and wrapped anew. */
  prose (text) {
    for (const paragraph of text.trim().split(/\n\s*\n/)) {
      this.#parts.push(wrap(paragraph.trim()))
    }
  }

  /** One hunk; its body gets a final newline. */
  hunk (name, language, body) {
    if (this.#names.has(name)) throw new Error(`hunk ${name} is there twice`)
    this.#names.add(name)
    const lines = body === '' ? '' : body + '\n'
    this.#parts.push(`[testmark]:# (${name})\n\`\`\`${language}\n${lines}\`\`\``)
  }

  toString () {
    return this.#parts.join('\n\n') + '\n'
  }
}

/** Where two versions of a document first differ: a hunk's name, or "its prose". */
export function firstDifference (a, b) {
  const [before, after] = [parse(a), parse(b)]
  for (const name of new Set([...after.keys(), ...before.keys()])) {
    if (before.get(name) !== after.get(name)) return `hunk ${name}`
  }
  return 'its prose'
}

function parse (text) {
  const hunks = new Map()
  for (const [, name, body] of text.matchAll(/^\[testmark\]:# \((\S+)\)\n```.*\n([^]*?)^```$/gm)) {
    hunks.set(name, body)
  }
  return hunks
}

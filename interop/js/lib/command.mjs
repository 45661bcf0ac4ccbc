import { once } from 'node:events'

/** Runs a command: an error becomes one line on stderr and exit status 1. */
export async function run (name, command) {
  try {
    await command()
  } catch (err) {
    console.error(`${name}: ${err.message}`)
    process.exitCode = 1
  }
}

export class UsageError extends Error {
  constructor (usage) {
    super(`usage: ${usage}`)
  }
}

/** Prints without letting output pile up in memory. */
export async function print (text) {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain')
}

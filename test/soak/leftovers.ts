import { setTimeout as delay } from 'node:timers/promises'
import type { Census, ServerProcess } from './server-process.js'

/**
 * How long what a client leaves behind may stay: an unanswered close 2 s, a lingering poll 2 s, a silent peer
 * as long as the server lets it be silent.
 */
const PATIENCE_MS = 20_000
const LOOK_MS = 500

/** What there is more of than there was: `name: before → after`. */
function leftovers (before: Census, after: Census): string[] {
  return Object.entries(after).filter(([name, count]) => !(count <= (before[name] ?? 0))).map(([name, count]) => `${name}: ${before[name] ?? 0} → ${count}`)
}

/** Counts until nothing is left, or for as long as that may take. */
export async function countLeftovers (
  server: ServerProcess,
  before: Census
): Promise<{ after: Census, left: string[], waitedMs: number }> {
  const began = Date.now()
  for (;;) {
    const after = await server.census()
    const left = leftovers(before, after)
    const waitedMs = Date.now() - began
    if (left.length === 0 || waitedMs > PATIENCE_MS) return { after, left, waitedMs }
    await delay(LOOK_MS)
  }
}

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { LOAD_CORE } from './programs.js'

/**
 * A feeder in a process of its own: what it says comes as from a venue, whenever the server is ready to read it, and the time
 * in a message is when it was sent.
 */
export class RemoteFeeder {
  published = 0
  #child

  /**
   * @param {number} topics
   * @param {number} windowMs
   * @param {(batch: readonly import('./feeder.js').Trade[]) => unknown} publish
   */
  constructor (topics, windowMs, publish) {
    const program = fileURLToPath(new URL('feed.js', import.meta.url))
    this.#child = spawn('taskset', ['-c', String(LOAD_CORE), process.execPath, program, String(topics), String(windowMs)], { stdio: ['pipe', 'pipe', 'inherit'] })
    createInterface(this.#child.stdout).on('line', line => {
      const batch = JSON.parse(line)
      this.published += batch.length
      publish(batch)
    })
  }

  /** Messages a second from now on. @param {number} rate */
  setRate (rate) {
    this.#child.stdin.write(`${rate}\n`)
  }
}

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { LOAD_CORE } from './programs.js'

/**
 * A feeder in a process of its own. Its messages come as from a venue, whenever the server is ready to read
 * them. The time in a message is when the feeder sent it.
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
    const feed = [process.execPath, program, String(topics), String(windowMs)]
    this.#child = spawn('taskset', ['-c', String(LOAD_CORE), ...feed], { stdio: ['pipe', 'pipe', 'inherit'] })
    createInterface(this.#child.stdout).on('line', line => {
      const batch = JSON.parse(line)
      this.published += batch.length
      publish(batch)
    })
  }

  /** Publishes so many messages a second from now on. @param {number} rate */
  setRate (rate) {
    this.#child.stdin.write(`${rate}\n`)
  }
}

import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../helpers/free-port.js'
import { type Running, startCommand } from '../helpers/command.js'

const START_TIMEOUT_MS = 30_000
const LOOK_MS = 25

/** A node in a process of its own, at the same address whenever it is started, as an orchestrator restarts it. */
export class RollingNode {
  /** Of its ends so far; null: it did not end by itself. */
  readonly exitCodes: Array<number | null> = []
  private running: Running | undefined
  private readonly onExit = (): void => { this.running?.child.kill('SIGKILL') }

  private constructor (private readonly port: number, private readonly env: Readonly<Record<string, string>>) {
    process.once('exit', this.onExit)
  }

  /** One that is to be started. */
  static async create (env: Readonly<Record<string, string>>): Promise<RollingNode> {
    return new RollingNode(await freePort(), env)
  }

  get origin (): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Resolves when it is ready for clients. */
  async start (): Promise<void> {
    const running = this.running = startCommand(['start'], { ...this.env, PORT: String(this.port) })
    const deadline = Date.now() + START_TIMEOUT_MS
    while (!await this.isReady()) {
      const { child, errors, lines } = running
      if (child.exitCode !== null || Date.now() > deadline) throw new Error(`${this.origin} is not ready: ${[...errors, ...lines].slice(-5).join('\n')}`)
      await delay(LOOK_MS)
    }
  }

  /** Ends it in good order. */
  async stop (): Promise<void> {
    const { running } = this
    if (running === undefined) return
    running.child.kill('SIGTERM')
    this.exitCodes.push((await running.finished).code)
    this.running = undefined
  }

  /** Ends it at once. */
  async close (): Promise<void> {
    this.running?.child.kill('SIGKILL')
    await this.running?.finished
    process.off('exit', this.onExit)
  }

  private async isReady (): Promise<boolean> {
    try {
      const response = await fetch(`${this.origin}/readyz`, { signal: AbortSignal.timeout(1000) })
      await response.arrayBuffer()
      return response.ok
    } catch {
      return false
    }
  }
}

import { type ChildProcess, spawn } from 'node:child_process'
import { Link } from '../fleet/link.js'
import type { ThirdPartyClient } from './clients.js'
import { Judge } from './judge.js'
import type { Program } from './toolchains.js'

const KEPT_ERRORS = 2000
const running = new Set<ChildProcess>()
process.once('exit', () => { for (const child of running) child.kill('SIGKILL') })

/** A client's program, running, with its own way to the server. */
export class Contestant {
  readonly judge: Judge
  /** What it wrote on stderr last. */
  errors = ''
  private child: ChildProcess | undefined
  private over = false
  private rest = ''

  private constructor (readonly client: ThirdPartyClient, readonly link: Link) {
    this.judge = new Judge(client.wire === 'polling')
  }

  /** @param port of the server */
  static async create (client: ThirdPartyClient, port: number): Promise<Contestant> {
    return new Contestant(client, await Link.open(port))
  }

  /** Of the token that it comes with: what an operator can disconnect. */
  get userId (): string {
    return `${this.client.language}-${this.client.name}`
  }

  /** @param query what it asks for, with its token */
  start ({ command, args, cwd, env }: Program, query: string): void {
    const child = spawn(command, [...args, `http://127.0.0.1:${this.link.port}/v1/stream?${query}`], { cwd, env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    this.child = child
    running.add(child)
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => { this.read(chunk) })
    child.stderr.on('data', chunk => { this.errors = (this.errors + String(chunk)).slice(-KEPT_ERRORS) })
    child.on('error', error => { this.judge.faults.push(`could not be started: ${error.message}`) })
    child.on('exit', (code, signal) => {
      running.delete(child)
      if (this.over) return
      const words = this.errors.trim().split('\n').at(-1) ?? ''
      this.judge.faults.push(`its program ended by itself (${code ?? signal})${words === '' ? '' : `: ${words}`}`)
      this.over = true
    })
  }

  /** Whether its program still runs. */
  get isRunning (): boolean {
    return !this.over
  }

  async close (): Promise<void> {
    const { child } = this
    this.link.close()
    if (child === undefined || this.over) return
    this.over = true
    const ended = new Promise(resolve => { child.once('close', resolve) })
    child.kill('SIGKILL')
    await ended
  }

  /** Not by `readline`: that ends lines at U+2028 as well. */
  private read (chunk: string): void {
    const at = Date.now()
    const lines = (this.rest + chunk).split('\n')
    this.rest = lines.pop()!
    for (const line of lines) this.judge.take(line, at)
  }
}

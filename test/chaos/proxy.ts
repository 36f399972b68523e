import { createServer, type Server } from 'node:net'
import { freePort } from '../helpers/free-port.js'
import type { Choices } from '../helpers/random.js'
import type { Pace } from './pipe.js'
import { type Kind, type Page, ProxiedConnection, type Treatment } from './proxied-connection.js'

/** Pages as proxies and firewalls send them. */
export const pages = {
  400: { status: 400, text: 'Bad Request' },
  403: { status: 403, text: 'Forbidden' },
  502: { status: 502, text: 'Bad Gateway' },
  504: { status: 504, text: 'Gateway Timeout' }
} as const satisfies Record<number, Page>

const PLAIN: Pace = { latencyMs: 0, jitterMs: 0, bytesAtOnce: Infinity }

/** The network and the proxies between a client and its server, with whatever may go wrong there. */
export class ChaosProxy {
  /** What is done with new requests of a kind; otherwise they pass. */
  readonly treatments = new Map<Kind, Treatment>()
  readonly pace: Pace = { ...PLAIN }
  /** How many connections came, and how many requests of each kind. */
  readonly seen = { connections: 0, websocket: 0, 'event-stream': 0, request: 0 }
  /** What a new event stream brings is held back. */
  holding: 'body' | 'all' | undefined
  private readonly connections = new Set<ProxiedConnection>()
  private server: Server | undefined
  private isStalling = false

  /** @param target the server's port */
  private constructor (
    readonly port: number, private readonly target: number, private readonly choices: Choices
  ) {}

  static async start (target: number, choices: Choices): Promise<ChaosProxy> {
    const proxy = new ChaosProxy(await freePort(), target, choices)
    await proxy.listen()
    return proxy
  }

  get origin (): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Every connection there is, one after another. */
  each (what: (connection: ProxiedConnection) => void): void {
    for (const connection of [...this.connections]) what(connection)
  }

  /** Lets no byte pass, of new connections neither, until {@link goOn}. */
  stall (): void {
    this.isStalling = true
    this.each(connection => { connection.stall() })
  }

  goOn (): void {
    this.isStalling = false
    this.each(connection => { connection.goOn() })
  }

  plainPace (): void {
    Object.assign(this.pace, PLAIN)
  }

  /** Event streams bring nothing more until {@link release}, or until they end. */
  holdBack (what: 'body' | 'all'): void {
    this.holding = what
    this.each(connection => { connection.holdBack() })
  }

  release (): void {
    this.holding = undefined
    this.each(connection => { connection.release() })
  }

  /** New connections are refused until {@link listen}. */
  refuse (): void {
    // Those that are open stay.
    this.server?.close()
    this.server = undefined
  }

  async listen (): Promise<void> {
    if (this.server !== undefined) return
    const { pace, target, choices } = this
    const server = this.server = createServer({ allowHalfOpen: true }, socket => {
      this.seen.connections++
      const connection = new ProxiedConnection(socket, {
        pace,
        target,
        random: () => choices.next(),
        treat: kind => {
          this.seen[kind]++
          return this.treatments.get(kind) ?? 'pass'
        },
        unreachable: () => choices.chance(0.5) ? pages[502] : undefined,
        holdsBack: () => this.holding,
        closed: ended => { this.connections.delete(ended) }
      })
      this.connections.add(connection)
      if (this.isStalling) connection.stall()
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.port, '127.0.0.1', resolve)
    })
  }

  close (): void {
    this.refuse()
    this.each(connection => { connection.close() })
  }
}

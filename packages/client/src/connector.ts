import type { ConnectorHost } from './connector-host.js'
import { policyOf, waitAfter } from './retry.js'
import { type State, transitions } from './state.js'
import { errorText } from './transports/refusals.js'
import type {
  End, Environment, Link, Request, SharedState, Transport
} from './transports/transport.js'

/** How long an attempt may take until its `welcome`. */
const WELCOME_MS = 3000
/** A connection that lasts so long ends the count of failures. */
const STABLE_MS = 10_000
/** For how long a link may try by itself to come back. */
const BREAK_MS = 15_000
/** How often to look at a silent connection. */
const LOOK_MS = 250
/** How long a page that was blocked is given to read what came meanwhile. */
const BREATH_MS = 50
/** A look that comes so late: the machine slept, or the browser froze the page. */
const ASLEEP_MS = 4000
/** How often to try a better transport than the present one. There are at most two. */
const UPWARD_MS = 25_000
/** How much more patient a client becomes with a network that is too slow for the times above. */
const MAX_PATIENCE = 8
/** By how much, with each attempt that was too slow. */
const SLOWER = 1.5

/** So many connections that worked may break in a row before the waits grow: they were no refusals. */
const BREAKS = 4

const REMEMBERED = 'tickwire:'

interface Ended extends End {
  /** Whether the peer may be there, and the network be slower than the client is patient. */
  readonly isSlow?: boolean
}

/** An attempt, and the connection that becomes of it. */
interface Attempt {
  readonly transport: Transport
  readonly request: Request
  readonly index: number
  link: Link | undefined
  timer: ReturnType<typeof setTimeout> | undefined
  /** Since when it is welcomed, in milliseconds since 1970. */
  since: number | undefined
  /** Whether the server has sent a cursor: subscriptions work here. */
  settled: boolean
  over: boolean
}

/**
 * Keeps one connection: chooses the transport, tries again, finds dead peers, and goes back up to a better
 * transport. It knows nothing of topics.
 */
export class Connector {
  state: State = { name: 'idle' }
  readonly #transports: readonly Transport[]
  readonly #environment: Environment
  readonly #host: ConnectorHost
  readonly #base: string
  /** The connection that is welcomed. */
  #current: Attempt | undefined
  /** The attempt that is under way. */
  #attempt: Attempt | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #looks: ReturnType<typeof setInterval> | undefined
  #lastLook = 0
  /** When the last byte came. */
  #heard = 0
  /** Whether the silent peer was asked for a sign of life. */
  #probed = false
  #failures = 0
  #patience = 1
  /** Whether the server has refused the token since the last connection that settled. */
  #refusedToken = false
  #nextUpward = 0
  /** Grows with each try of a better transport: they take turns. */
  #upward = 0
  /** Grows with each start and stop, so that what is awaited meanwhile is dropped. */
  #turn = 0

  constructor (
    base: string, transports: readonly Transport[], environment: Environment, host: ConnectorHost
  ) {
    this.#base = base
    this.#transports = transports
    this.#environment = environment
    this.#host = host
  }

  /** Whether actions can be sent now. */
  get isDuplex (): boolean {
    return this.#current?.link?.send !== undefined
  }

  get transport (): Transport | undefined {
    return this.#current?.transport
  }

  send (action: object): void {
    this.#current?.link?.send?.(action)
  }

  /** Connects, unless it does already. */
  start (): void {
    if (this.state.name !== 'idle' && this.state.name !== 'closed') return
    this.#nextUpward = this.#environment.now() + UPWARD_MS
    this.#connect(this.#remembered(), 'subscribed')
  }

  /** Ends the connection, or the attempt. */
  stop (name: 'idle' | 'closed', { reason, code }: Partial<End> = {}): void {
    this.#drop()
    this.#failures = 0
    this.#move({ name, reason, code })
  }

  /**
   * Opens another connection, because the present one cannot do what it should. The present one goes on until
   * the other is welcomed, unless it is of no use any more.
   */
  renew (reason: string, isUseless = false): void {
    const current = this.#current
    if (current === undefined) return
    if (isUseless) this.#connect(current.index, reason)
    else void this.#try(current.index)
  }

  /** Ends the present connection for a reason that the client has found. */
  fail (end: End): void {
    if (this.#current !== undefined) this.#end(this.#current, end)
  }

  /** Drops the connection until somebody wakes the connector. */
  pause (reason: string): void {
    if (this.#current === undefined && this.#attempt === undefined) return
    this.#drop()
    this.#move({ name: 'offline', reason })
  }

  /** Tries at once, if it waits; asks the peer for a sign of life, if it is connected. */
  wake (reason: string): void {
    if (this.state.name === 'offline') this.#connect(this.#remembered(), reason)
    else if (this.#current !== undefined) this.#suspect(this.#current)
  }

  /** The connection is caught up, or is no longer. */
  catchUp (isLive: boolean): void {
    const { since, transport } = this.#current ?? {}
    if (since !== undefined) this.#move({ name: isLive ? 'live' : 'catching_up', transport: transport?.name })
  }

  /** A cursor came: what this connection was asked for, it does. */
  settle (): void {
    const current = this.#current
    if (current === undefined || current.settled) return
    current.settled = true
    this.#refusedToken = false
    try {
      this.#environment.storage?.setItem(REMEMBERED + this.#base, current.transport.name)
    } catch {}
  }

  #remembered (): number {
    let name: string | null | undefined
    try {
      name = this.#environment.storage?.getItem(REMEMBERED + this.#base)
    } catch {}
    return Math.max(0, this.#transports.findIndex(transport => transport.name === name))
  }

  #connect (index: number, reason: string): void {
    this.#drop()
    this.#move({ name: 'connecting', reason, transport: this.#transports[index]!.name })
    void this.#try(index)
  }

  /** Opens an attempt; the present connection goes on until the attempt is welcomed. */
  async #try (index: number): Promise<void> {
    const turn = ++this.#turn
    this.#attempt?.link?.close()
    let token: string | undefined
    try {
      token = await this.#host.token()
    } catch (error) {
      this.#host.note(`there is no token: ${errorText(error)}`)
      const isBetter = this.#current !== undefined && index < this.#current.index
      if (turn === this.#turn && !isBetter) this.#wait({ reason: `there is no token: ${errorText(error)}` })
      return
    }
    if (turn !== this.#turn) return
    const transport = this.#transports[index]!
    const attempt: Attempt = {
      transport,
      request: this.#host.request(token),
      index,
      link: undefined,
      timer: undefined,
      since: undefined,
      settled: false,
      over: false
    }
    this.#attempt = attempt
    const slow: Ended = { reason: `there was no welcome over ${transport.name} in time`, isSlow: true }
    attempt.timer = setTimeout(() => {
      this.#endUnless(() => attempt.since !== undefined, attempt, slow)
    }, WELCOME_MS * this.#patience)
    this.#host.note(`opening ${transport.name}`)
    // Of two polls beside one another only the newer one is of use.
    if (this.#current?.index === index && !transport.isStream) this.#current.link?.close()
    attempt.link = transport.open(attempt.request, {
      onLife: bytes => { if (!attempt.over) this.#life(attempt, bytes) },
      onMessage: message => {
        if (attempt.over) return
        if (message.type === 'welcome' && attempt.since === undefined) this.#welcome(attempt)
        if (attempt.since !== undefined) this.#host.message(message)
      },
      onEnd: end => { this.#end(attempt, end) },
      onBreak: end => { this.#break(attempt, end) },
      onState: (name, reason) => { if (attempt === this.#current) this.#share(attempt, name, reason) }
    }, this.#environment)
  }

  #welcome (attempt: Attempt): void {
    // A link that comes back by itself has a newer cursor than its request.
    if (attempt.settled || this.#host.resumes(attempt.request, attempt.transport)) return this.#adopt(attempt)
    this.#close(attempt)
    void this.#try(attempt.index)
  }

  #adopt (attempt: Attempt): void {
    clearTimeout(attempt.timer)
    const former = this.#current
    if (former !== undefined) this.#close(former)
    this.#attempt = undefined
    this.#current = attempt
    attempt.since = this.#lastLook = this.#heard = this.#environment.now()
    clearInterval(this.#looks)
    this.#looks = setInterval(() => { this.#look(attempt) }, LOOK_MS)
    this.#move({ name: 'catching_up', reason: 'welcomed', transport: attempt.transport.name })
    this.#host.adopted(attempt.request, attempt.transport)
  }

  #close (attempt: Attempt): void {
    attempt.over = true
    clearTimeout(attempt.timer)
    attempt.link?.close()
  }

  /** Drops the connection, the attempt, and what waits. */
  #drop (): void {
    this.#turn++
    clearTimeout(this.#timer)
    clearInterval(this.#looks)
    for (const attempt of [this.#current, this.#attempt]) if (attempt !== undefined) this.#close(attempt)
    this.#current = this.#attempt = undefined
    this.#probed = false
  }

  /** A connection ended whose link opens the next one itself; its `welcome` is awaited again. */
  #break (attempt: Attempt, end: End): void {
    const { over, settled, transport: { name } } = attempt
    // A link that has not worked yet, or that another one replaces, need not come back.
    if (over || !settled || (this.#attempt ?? attempt) !== attempt) return this.#end(attempt, end)
    clearTimeout(attempt.timer)
    clearInterval(this.#looks)
    this.#current = attempt.since = undefined
    this.#attempt = attempt
    const slow: Ended = { reason: `${name} did not come back in time`, isSlow: true }
    attempt.timer = setTimeout(() => { this.#end(attempt, slow) }, BREAK_MS)
    this.#move({ name: 'connecting', reason: end.reason, code: end.code, transport: name })
  }

  /** A connection or an attempt ended by itself. */
  #end (attempt: Attempt, end: Ended): void {
    if (attempt.over) return
    this.#close(attempt)
    const { transport, settled, index } = attempt
    this.#host.note(`${transport.name} ended: ${end.reason}`)
    this.#turn++
    const current = this.#current
    if (attempt !== current) {
      this.#attempt = undefined
      // A better transport does not work yet; the present one goes on.
      if (current !== undefined && index < current.index) return
    }
    if (end.isHandedOver === true) return this.#connect(index, end.reason)
    switch (policyOf(end)) {
      case 'stop':
        // A connection that was welcomed is not refused for one of its subscriptions.
        if (attempt.since !== undefined) return this.stop('closed', end)
        void this.#refused(attempt, end)
        return
      case 'renew':
        if (this.#refusedToken || !this.#host.canRenew) return this.stop('closed', end)
        this.#refusedToken = true
        this.#connect(index, end.reason)
        return
      default:
    }
    // A change of subscriptions took a connection of its own, which failed: so the present one is of no use.
    if (attempt !== current && current !== undefined) return this.#connect(index, end.reason)
    if (!settled && end.isSlow === true) this.#patience = Math.min(MAX_PATIENCE, this.#patience * SLOWER)
    const next = index + 1
    const isBarred = !settled && end.code === undefined
    if (isBarred && next < this.#transports.length) this.#connect(next, end.reason)
    else this.#wait(end, settled ? index : 0, settled ? BREAKS : 0)
  }

  async #refused (attempt: Attempt, end: End): Promise<void> {
    const turn = this.#turn
    const { request, transport, index } = attempt
    const isNarrower = await this.#host.narrowed(end, request, transport).catch(() => undefined)
    if (turn !== this.#turn) return
    if (isNarrower === true) this.#connect(index, end.reason)
    else if (isNarrower === undefined) this.#wait(end)
    else this.stop('closed', end)
  }

  #wait (end: End, index = 0, forgiven = 0): void {
    const { random } = this.#environment
    this.#drop()
    const retryInMs = Math.round(waitAfter(end, Math.max(0, this.#failures++ - forgiven), random))
    this.#move({ name: 'offline', reason: end.reason, code: end.code, retryInMs })
    this.#timer = setTimeout(() => { this.#connect(index, 'trying again') }, retryInMs)
  }

  /** What a shared connection is, the client is; it is live with its own cursor, not with the others'. */
  #share ({ settled, transport }: Attempt, name: SharedState, reason: string | undefined): void {
    if (name !== 'live') this.#move({ name, reason, transport: transport.name })
    else if (this.state.name === 'stale') this.catchUp(settled)
  }

  #life (attempt: Attempt, bytes: number): void {
    this.#host.heard(bytes)
    if (attempt !== this.#current) return
    this.#heard = this.#environment.now()
    if (!this.#probed) return
    this.#probed = false
    if (this.state.name === 'stale') this.catchUp(attempt.settled)
  }

  /** Looks whether the peer is still there. */
  #look (current: Attempt): void {
    const now = this.#environment.now()
    const late = now - this.#lastLook
    this.#lastLook = now
    if (now - current.since! >= STABLE_MS) {
      this.#failures = 0
      this.#patience = 1
    }
    const { probeAfterMs, deadAfterMs } = current.transport
    // What came while the machine slept may still wait to be read, and counts as life.
    if (late > ASLEEP_MS || late < -LOOK_MS) return this.#suspect(current)
    const silent = now - this.#heard
    if (silent > deadAfterMs * this.#patience) {
      const reason = `nothing came over ${current.transport.name} for ${silent} ms`
      const heard = this.#heard
      this.#endUnless(() => this.#heard > heard, current, { reason, isSlow: true })
    } else if (silent > probeAfterMs) {
      if (!this.#probed) this.#probe(current)
      else if (silent > probeAfterMs + LOOK_MS) {
        const { name } = current.transport
        this.#move({ name: 'stale', reason: `nothing came for ${silent} ms`, transport: name })
      }
    }
    if (current.index > 0 && now >= this.#nextUpward && this.#attempt === undefined) {
      this.#nextUpward = now + UPWARD_MS
      void this.#try(this.#upward++ % current.index)
    }
  }

  /** Ends an attempt, unless what a blocked page then reads shows that the peer lives. */
  #endUnless (lives: () => boolean, attempt: Attempt, end: Ended): void {
    setTimeout(() => { if (!lives()) this.#end(attempt, end) }, BREATH_MS)
  }

  /** Counts the peer's silence from now on as if it had lasted up to the probe. */
  #suspect (current: Attempt): void {
    const { probeAfterMs, deadAfterMs } = current.transport
    this.#heard = this.#environment.now() - Math.min(probeAfterMs, deadAfterMs / 2)
    this.#probe(current)
  }

  #probe ({ link }: Attempt): void {
    this.#probed = true
    link?.probe?.(this.#host.probe())
  }

  #move (state: State): void {
    const { name, transport } = this.state
    if (name === state.name && transport === state.transport) return
    if (name !== state.name && !transitions[name].includes(state.name)) return
    this.state = state
    this.#host.changed(state)
  }
}

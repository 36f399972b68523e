import { isIP } from 'node:net'
import type { ErrorCode } from '@tickwire/protocol'
import type { PublishCounts } from '../publisher/publish-requests.js'

/** Where the lines go: what a logger has of it. */
export interface Lines {
  info (fields: object, message: string): void
  debug (fields: object, message: string): void
}

/** Whom a line is about. */
export interface Party {
  /** How it came: a transport of the stream, or `http`. */
  readonly transport: string
  readonly address: string
  readonly user?: string | undefined
  readonly connection?: string
}

/** At `info` no more lines of refusals and of closes for cause than these are written in a second. */
const MAX_NOTABLE = 10
const WINDOW_MS = 1000

/** Closes that say nothing about the client: all have them at once when a server goes away. */
const ORDINARY: ReadonlySet<ErrorCode | undefined> = new Set([undefined, 'going_away'])

/**
 * What clients did, a line for each: who, over what, with which outcome, and how much; never what they sent (ADR 23). What every
 * client does is at `debug`, what somebody should see at `info`, as long as it is not so much that nobody could.
 */
export class Events {
  private windowBeganAt = -Infinity
  private written = 0
  private omitted = 0

  constructor (private readonly lines: Lines, private readonly now: () => number = Date.now) {}

  connected (party: Party): void {
    this.lines.debug({ event: 'connect', ...of(party) }, 'a client connected')
  }

  authenticated (party: Party): void {
    this.lines.debug({ event: 'authenticate', ...of(party) }, 'a client said who it is')
  }

  subscribed (party: Party, selectors: number, rejected: number): void {
    this.lines.debug({ event: 'subscribe', ...of(party), selectors, rejected }, 'a client subscribed')
  }

  unsubscribed (party: Party, selectors: number): void {
    this.lines.debug({ event: 'unsubscribe', ...of(party), selectors }, 'a client unsubscribed')
  }

  polled (party: Party, selectors: number, messages: number): void {
    this.lines.debug({ event: 'poll', ...of(party), selectors, messages }, 'a poll was answered')
  }

  refused (party: Party, code: ErrorCode): void {
    this.notable({ event: 'refuse', ...of(party), code }, 'a request was refused')
  }

  /** @param code why the server closed it; absent where the client went */
  closed (party: Party, code: ErrorCode | undefined, selectors: number, openMs: number): void {
    const fields = { event: 'close', ...of(party), ...(code === undefined ? {} : { code }), selectors, open_ms: openMs }
    if (ORDINARY.has(code)) this.lines.debug(fields, 'a connection ended')
    else this.notable(fields, 'a connection was closed')
  }

  /** The audit of publishing: every batch has its line. @param channels only channels that exist, so that there are few */
  published (party: Party, channels: ReadonlyMap<string, PublishCounts>): void {
    const tallies = [...channels.values()]
    const sum = (count: (tally: PublishCounts) => number): number => tallies.reduce((total, tally) => total + count(tally), 0)
    this.lines.info({
      event: 'publish', ...of(party), accepted: sum(({ accepted }) => accepted), rejected: sum(({ rejected }) => rejected), channels: Object.fromEntries(channels)
    }, 'a batch was published')
  }

  /** The audit of what operators do. @param route as it was registered, without what the request put in its places */
  administered (party: Party, method: string, route: string, status: number): void {
    this.lines.info({ event: 'admin', ...of(party), method, route, status }, 'an operator was here')
  }

  private notable (fields: object, message: string): void {
    const now = this.now()
    if (now - this.windowBeganAt >= WINDOW_MS) {
      this.windowBeganAt = now
      this.written = 0
    }
    if (this.written === MAX_NOTABLE) {
      this.omitted++
      this.lines.debug(fields, message)
      return
    }
    this.written++
    const { omitted } = this
    this.omitted = 0
    this.lines.info(omitted === 0 ? fields : { ...fields, omitted }, message)
  }
}

/** Behind a proxy the address is a header's text: what is none is not repeated. */
function of ({ transport, address, user, connection }: Party): object {
  return {
    ...(connection === undefined ? {} : { connection }), ...(user === undefined ? {} : { user }), address: isIP(address) === 0 ? 'unreadable' : address, transport
  }
}

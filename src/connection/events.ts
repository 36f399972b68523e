import { isIP } from 'node:net'
import type { ErrorCode } from '@tickwire/protocol'
import type { PublishCounts } from '../publisher/publish-requests.js'

/** Where the lines go: the part of a logger that they need. */
export interface Lines {
  info (fields: object, message: string): void
  debug (fields: object, message: string): void
}

/** The client that a line is about. */
export interface Party {
  /** How the client came: a transport of the stream, or `http`. */
  readonly transport: string
  readonly address: string
  readonly user?: string | undefined
  readonly connection?: string
}

/** How many refusals and closes for cause are logged at `info` in one second. */
const MAX_NOTABLE = 10
const WINDOW_MS = 1000

/**
 * Closes that say nothing about the client: the client left, or the server goes away and closes all at once.
 */
const ORDINARY: ReadonlySet<ErrorCode | undefined> = new Set([undefined, 'going_away'])

/**
 * Logs what clients did, one line for each: who, over which transport, with which outcome, and how much.
 * Never logs what they sent (ADR 23). What every client does is logged at `debug`, and the audit at `info`.
 * Refusals and closes for cause are logged at `info` too, but only {@link MAX_NOTABLE} of them a second: a
 * person could not read more.
 */
export class Events {
  private windowBeganAt = -Infinity
  private written = 0
  private omitted = 0

  constructor (private readonly lines: Lines, private readonly now: () => number = Date.now) {}

  connected (party: Party): void {
    this.lines.debug({ event: 'connect', ...fieldsOf(party) }, 'a client connected')
  }

  authenticated (party: Party): void {
    this.lines.debug({ event: 'authenticate', ...fieldsOf(party) }, 'a client authenticated')
  }

  subscribed (party: Party, selectors: number, rejected: number): void {
    this.lines.debug({ event: 'subscribe', ...fieldsOf(party), selectors, rejected }, 'a client subscribed')
  }

  unsubscribed (party: Party, selectors: number): void {
    this.lines.debug({ event: 'unsubscribe', ...fieldsOf(party), selectors }, 'a client unsubscribed')
  }

  polled (party: Party, selectors: number, messages: number): void {
    this.lines.debug({ event: 'poll', ...fieldsOf(party), selectors, messages }, 'a poll was answered')
  }

  refused (party: Party, code: ErrorCode): void {
    this.notable({ event: 'refuse', ...fieldsOf(party), code }, 'a request was refused')
  }

  /** @param code why the server closed the connection; undefined if the client left */
  closed (party: Party, code: ErrorCode | undefined, selectors: number, openMs: number): void {
    const cause = code === undefined ? {} : { code }
    const fields = { event: 'close', ...fieldsOf(party), ...cause, selectors, open_ms: openMs }
    if (ORDINARY.has(code)) this.lines.debug(fields, 'a connection ended')
    else this.notable(fields, 'a connection was closed')
  }

  /**
   * Logs a batch for the audit of publishing; every batch has its line.
   * @param channels only channels that exist, so there are few
   */
  published (party: Party, channels: ReadonlyMap<string, PublishCounts>): void {
    let accepted = 0
    let rejected = 0
    for (const ofChannel of channels.values()) {
      accepted += ofChannel.accepted
      rejected += ofChannel.rejected
    }
    const counts = { accepted, rejected, channels: Object.fromEntries(channels) }
    this.lines.info({ event: 'publish', ...fieldsOf(party), ...counts }, 'a batch was published')
  }

  /**
   * Logs a request of an operator for the audit.
   * @param route the route as it was registered, without the values that the request gave its parameters
   */
  administered (party: Party, method: string, route: string, status: number): void {
    const fields = { event: 'admin', ...fieldsOf(party), method, route, status }
    this.lines.info(fields, 'an operator made a request')
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

/**
 * Returns the fields that name a client. Behind a proxy its address comes from a header: a text that is no
 * address is not repeated.
 */
function fieldsOf ({ transport, address, user, connection }: Party): object {
  return {
    ...(connection === undefined ? {} : { connection }),
    ...(user === undefined ? {} : { user }),
    address: isIP(address) === 0 ? 'unreadable' : address,
    transport
  }
}

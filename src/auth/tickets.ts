import { createHash, randomBytes } from 'node:crypto'
import { ProtocolError } from '@tickwire/protocol'
import type { Coordination } from '../coordination/coordination.js'
import { claimsOf, identityOf } from './claims.js'
import { endOf, type Identity } from './identity.js'

/** How long a ticket waits for the connection that it is for. */
export const TICKET_SECONDS = 30

const TICKET_BYTES = 32
const TICKET = /^[A-Za-z0-9_-]{43}$/

/** Stands for somebody's token once, where a token would be seen: in a URL. Any node takes what another one gave. */
export class Tickets {
  constructor (private readonly coordination: Pick<Coordination, 'put' | 'look' | 'take'>, private readonly now: () => number = () => Date.now()) {}

  /** @throws ProtocolError `overloaded`, `log_unavailable` */
  async issue (identity: Identity): Promise<string> {
    const ticket = randomBytes(TICKET_BYTES).toString('base64url')
    await this.coordination.put(keyOf(ticket), JSON.stringify(claimsOf(identity)), TICKET_SECONDS)
    return ticket
  }

  /** Who it was given to, with all that the token said; it stays good. @throws ProtocolError `unauthorized`, `log_unavailable` */
  async look (ticket: string): Promise<Identity> {
    return this.read(TICKET.test(ticket) ? await this.coordination.look(keyOf(ticket)) : undefined)
  }

  /** The same, and spends it: of several who come with it, one is told. @throws ProtocolError `unauthorized`, `log_unavailable` */
  async redeem (ticket: string): Promise<Identity> {
    return this.read(TICKET.test(ticket) ? await this.coordination.take(keyOf(ticket)) : undefined)
  }

  private read (claims: string | undefined): Identity {
    if (claims === undefined) throw new ProtocolError('unauthorized', 'the ticket is not valid: it was used, or is more than 30 s old')
    const identity = identityOf(JSON.parse(claims))
    const now = this.now()
    if (now >= endOf(identity, now)) throw new ProtocolError('unauthorized', 'the token of the ticket has expired')
    return identity
  }
}

/** A ticket is kept under its hash, so that nobody who can read the kept texts can use one. */
const keyOf = (ticket: string): string => `ticket:${createHash('sha256').update(ticket).digest('base64url')}`

import { createHash, randomBytes } from 'node:crypto'
import { ProtocolError } from '@tickwire/protocol'
import type { Coordination } from '../coordination/coordination.js'
import { claimsOf, identityOf } from './claims.js'
import { endOf, type Identity } from './identity.js'

/** How long a ticket is valid. */
export const TICKET_SECONDS = 30

const TICKET_BYTES = 32
const TICKET = /^[A-Za-z0-9_-]{43}$/

/**
 * Tickets, each of which stands for a token once, where others could see the token: in a URL. Any node
 * accepts the ticket of any other.
 */
export class Tickets {
  constructor (
    private readonly coordination: Pick<Coordination, 'put' | 'look' | 'take'>,
    private readonly now: () => number = () => Date.now()
  ) {}

  /** @throws ProtocolError `overloaded`, `log_unavailable` */
  async issue (identity: Identity): Promise<string> {
    const ticket = randomBytes(TICKET_BYTES).toString('base64url')
    await this.coordination.put(keyOf(ticket), JSON.stringify(claimsOf(identity)), TICKET_SECONDS)
    return ticket
  }

  /**
   * Returns the identity behind a ticket, with all claims of its token, without spending the ticket.
   * @throws ProtocolError `unauthorized`, `log_unavailable`
   */
  async look (ticket: string): Promise<Identity> {
    return this.read(TICKET.test(ticket) ? await this.coordination.look(keyOf(ticket)) : undefined)
  }

  /**
   * Returns the identity behind a ticket and spends it: if several clients bring the same ticket, one
   * succeeds.
   * @throws ProtocolError `unauthorized`, `log_unavailable`
   */
  async redeem (ticket: string): Promise<Identity> {
    return this.read(TICKET.test(ticket) ? await this.coordination.take(keyOf(ticket)) : undefined)
  }

  private read (claims: string | undefined): Identity {
    if (claims === undefined) {
      const message = `the ticket is not valid: it was used, or is more than ${TICKET_SECONDS} s old`
      throw new ProtocolError('unauthorized', message)
    }
    const identity = identityOf(JSON.parse(claims))
    const now = this.now()
    if (now >= endOf(identity, now)) {
      throw new ProtocolError('unauthorized', 'the token of the ticket has expired')
    }
    return identity
  }
}

/**
 * Makes the name under which a ticket is kept. It is a hash, so that nobody who can read the kept names can
 * use a ticket.
 */
const keyOf = (ticket: string): string => `ticket:${createHash('sha256').update(ticket).digest('base64url')}`

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { ProtocolError } from '@tickwire/protocol'

/** How long a link is valid. */
export const LINK_SECONDS = 900
/** How long the token is valid that a browser gets for a link. The page renews it. */
export const ADMIN_SECONDS = 600

const CODE_BYTES = 32
const USER_BYTES = 8
/** The server withdraws a code after this many wrong ones. */
const MAX_WRONG = 10
/** The terminal shows at most one link in this time, whoever asks. */
const SHOW_EVERY_MS = 10_000

/** What gives browsers the rights of an operator, in this process or in the one that holds it for several. */
export interface AdminLinkDesk {
  /** See {@link AdminLinks.offer}. */
  offer (): void | Promise<void>
  /** See {@link AdminLinks.exchange}. */
  exchange (text: string): string | Promise<string>
  /** See {@link AdminLinks.knows}. */
  knows (user: string): boolean | Promise<boolean>
  /** See {@link AdminLinks.renew}. */
  renew (user: string): void | Promise<void>
}

interface Code {
  readonly text: string
  readonly endsAt: number
  wrong: number
}

/**
 * Links with a code that gives one browser the rights of an operator. The server shows them in its terminal
 * and nowhere else, so whoever has one can read that terminal (docs/adr/0035). Each server knows only its own
 * links.
 */
export class AdminLinks implements AdminLinkDesk {
  private code: Code | undefined
  private shownAt = -Infinity
  /** The users that browsers got for codes, with the end of their newest token. */
  private readonly users = new Map<string, number>()

  /**
   * @param show writes a link with this code where the operator reads it
   * @param now milliseconds of a clock that nobody sets
   */
  constructor (
    private readonly show: (code: string) => void,
    private readonly now: () => number = () => performance.now()
  ) {}

  /** Shows the unused link again, or a new one. @throws ProtocolError `rate_limited` */
  offer (): void {
    const now = this.now()
    const wait = this.shownAt + SHOW_EVERY_MS - now
    if (wait > 0) {
      const message = `the terminal shows a link at most every ${SHOW_EVERY_MS / 1000} s`
      throw new ProtocolError('rate_limited', message, Math.ceil(wait))
    }
    this.shownAt = now
    // A link that ends soon is of little use to somebody who has yet to find it.
    if (this.code === undefined || this.code.endsAt < now + LINK_SECONDS * 1000 / 2) {
      const text = randomBytes(CODE_BYTES).toString('base64url')
      this.code = { text, endsAt: now + LINK_SECONDS * 1000, wrong: 0 }
    }
    this.show(this.code.text)
  }

  /**
   * Spends a code.
   * @returns the user that its browser is from then on
   * @throws ProtocolError `unauthorized`
   */
  exchange (text: string): string {
    const { code } = this
    const now = this.now()
    if (code === undefined || now >= code.endsAt || !equal(text, code.text)) {
      if (code !== undefined && ++code.wrong >= MAX_WRONG) this.code = undefined
      throw new ProtocolError('unauthorized', 'the link is not valid: ' +
        `each works in one browser, within ${LINK_SECONDS / 60} minutes`)
    }
    this.code = undefined
    for (const [user, endsAt] of this.users) if (now >= endsAt) this.users.delete(user)
    const user = `page-${randomBytes(USER_BYTES).toString('hex')}`
    this.renew(user)
    return user
  }

  /** Tells whether a user was given for a code, and its last token has not expired. */
  knows (user: string | undefined): user is string {
    return user !== undefined && this.now() < (this.users.get(user) ?? -Infinity)
  }

  /** Notes that the user gets another token. */
  renew (user: string): void {
    this.users.set(user, this.now() + ADMIN_SECONDS * 1000)
  }
}

/**
 * Compares hashes: all have one length, and comparing them takes equally long however much of them is equal.
 */
const equal = (given: string, wanted: string): boolean => timingSafeEqual(hash(given), hash(wanted))
const hash = (text: string): Buffer => createHash('sha256').update(text).digest()

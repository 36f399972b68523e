import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { ProtocolError } from '@tickwire/protocol'

/** How long a link waits for the browser that it is for. */
export const LINK_SECONDS = 900
/** How long the token is good that a link is exchanged for. The page renews it. */
export const ADMIN_SECONDS = 600

const CODE_BYTES = 32
const USER_BYTES = 8
/** A code that so many wrong ones were tried against is withdrawn. */
const MAX_WRONG = 10
/** The terminal shows no more than one link in this time, whoever asks. */
const SHOW_EVERY_MS = 10_000

interface Code {
  readonly text: string
  readonly endsAt: number
  wrong: number
}

/**
 * Links with a code that gives one browser the rights of an operator. The terminal shows them and nothing else does, so whoever has one can
 * read that terminal (docs/adr/0035). They are this process's own: no other one knows them.
 */
export class AdminLinks {
  private code: Code | undefined
  private shownAt = -Infinity
  /** The users that codes were exchanged for, with when their newest token ends. */
  private readonly users = new Map<string, number>()

  /**
   * @param show writes a link with this code where the operator reads it
   * @param now milliseconds of a clock that nobody sets
   */
  constructor (private readonly show: (code: string) => void, private readonly now: () => number = () => performance.now()) {}

  /** Shows the link that nobody has used, or a new one. @throws ProtocolError `rate_limited` */
  offer (): void {
    const now = this.now()
    const wait = this.shownAt + SHOW_EVERY_MS - now
    if (wait > 0) throw new ProtocolError('rate_limited', `the terminal shows a link at most every ${SHOW_EVERY_MS / 1000} s`, Math.ceil(wait))
    this.shownAt = now
    // One that is about to end is of no use to somebody who has yet to find it.
    if (this.code === undefined || this.code.endsAt < now + LINK_SECONDS * 1000 / 2) {
      this.code = { text: randomBytes(CODE_BYTES).toString('base64url'), endsAt: now + LINK_SECONDS * 1000, wrong: 0 }
    }
    this.show(this.code.text)
  }

  /** Spends a code. @returns the user that its browser is from now on @throws ProtocolError `unauthorized` */
  exchange (text: string): string {
    const { code } = this
    const now = this.now()
    if (code === undefined || now >= code.endsAt || !equal(text, code.text)) {
      if (code !== undefined && ++code.wrong >= MAX_WRONG) this.code = undefined
      throw new ProtocolError('unauthorized', `the link is not good: each is for one browser, within ${LINK_SECONDS / 60} minutes`)
    }
    this.code = undefined
    for (const [user, endsAt] of this.users) if (now >= endsAt) this.users.delete(user)
    const user = `page-${randomBytes(USER_BYTES).toString('hex')}`
    this.renew(user)
    return user
  }

  /** Whether a user is one that a code was exchanged for, and whose last token is not over. */
  knows (user: string | undefined): user is string {
    return user !== undefined && this.now() < (this.users.get(user) ?? -Infinity)
  }

  /** The user is given another token. */
  renew (user: string): void {
    this.users.set(user, this.now() + ADMIN_SECONDS * 1000)
  }
}

/** Hashes are of one length, and take as long to compare however much of them is equal. */
const equal = (given: string, wanted: string): boolean => timingSafeEqual(hash(given), hash(wanted))
const hash = (text: string): Buffer => createHash('sha256').update(text).digest()

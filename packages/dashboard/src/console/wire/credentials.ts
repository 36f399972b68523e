import { freshToken } from '../../app/session.js'
import { problemOfAnswer, type Problem } from './problem.js'
import { type Address, ask } from './wire.js'

/** Whom the console speaks for. A ticket is got for the token of the login, or else for a pasted one. */
export const CREDENTIALS = ['anonymous', 'login', 'pasted', 'ticket'] as const
export type CredentialKind = typeof CREDENTIALS[number]

/** What stands in place of a credential, wherever the console shows, copies or saves something. */
export const TOKEN_PLACE = '$TICKWIRE_TOKEN'
const TICKET_PLACE = '$TICKET'

/** Why there is no ticket. */
export class NoTicket extends Error {
  constructor (readonly problem: Problem) {
    super(problem.words)
  }
}

/** The credentials of one console. A pasted token stays in memory, and is gone with the page. */
export class Credentials {
  kind: CredentialKind = 'anonymous'
  pasted = ''
  /** Everything secret that this console has used. */
  readonly #secrets = new Map<string, string>()

  /** Returns the token, for the header and for `auth`. */
  async token (): Promise<string | undefined> {
    const pasted = this.pasted.trim() === '' ? undefined : this.pasted.trim()
    const token = {
      anonymous: async () => undefined,
      login: freshToken,
      pasted: async () => pasted,
      ticket: async () => await freshToken() ?? pasted
    }[this.kind]
    const found = await token()
    if (found !== undefined) this.#secrets.set(found, TOKEN_PLACE)
    return found
  }

  async headers (): Promise<Record<string, string>> {
    const token = await this.token()
    return token === undefined ? {} : { Authorization: `Bearer ${token}` }
  }

  /**
   * Returns the address of a request for the stream. A ticket is good for one request, so it may stand in the
   * URL; a token never does.
   * @throws NoTicket
   */
  async addressOf (url: URL): Promise<Address> {
    const headers = await this.headers()
    if (this.kind !== 'ticket') return { url, headers }
    const answer = await ask({ url: new URL('api/ws/token', document.baseURI), headers })
    const body = await answer.text()
    if (!answer.ok) throw new NoTicket(problemOfAnswer(answer.status, body))
    const { ticket } = JSON.parse(body) as { readonly ticket: string }
    this.#secrets.set(ticket, TICKET_PLACE)
    const withTicket = new URL(url)
    withTicket.searchParams.set('ticket', ticket)
    return { url: withTicket, headers: {} }
  }

  /** Returns a text without any credential: those that this console used, and what looks like one. */
  hide (text: string): string {
    let hidden = text
    for (const [secret, place] of this.#secrets) hidden = hidden.replaceAll(secret, place)
    return hideUnknown(hidden)
  }
}

const JWT = /eyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*/g
const NAMED = /("(?:token|ticket)"\s*:\s*")(?:[^"\\]|\\.)*"/g

/** Hides tokens that a person has typed into a message. */
const hideUnknown = (text: string): string =>
  text.replace(JWT, TOKEN_PLACE).replace(NAMED, `$1${TOKEN_PLACE.replace('$', '$$$$')}"`)

import { answerOf, Refused } from './answer.js'
import { createStore } from './store.js'

/** What the server says of itself to its own pages. */
export interface Settings {
  readonly authentication_required: boolean
  /** Whether its terminal shows links that log a browser in. */
  readonly admin_links: boolean
  readonly reference: boolean
}

/** Who uses the page. */
export interface Login {
  readonly token: string
  readonly user: string
  readonly isAdmin: boolean
  readonly mayTrade: boolean
  /** From when on to renew the token, in milliseconds since 1970; undefined: the page cannot. */
  readonly renewAt?: number
  /** Undefined: it does not end. */
  readonly endsAt?: number
}

/** How often to check whether the token must be renewed. */
const LOOK_MS = 30_000
/**
 * A tab keeps its token until it is closed, even when it reloads. The key has the path, because it tells
 * apart servers of one origin; the page of three columns reads it, too.
 */
const KEY = `tickwire admin ${new URL('.', document.baseURI).pathname}`

export const login = createStore<Login | undefined>(undefined)

interface Claims {
  readonly sub?: unknown
  readonly admin?: unknown
  readonly trade?: unknown
  readonly exp?: unknown
}

function claimsOf (token: string): Claims {
  try {
    const text = atob((token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/'))
    const claims: unknown = JSON.parse(new TextDecoder().decode(Uint8Array.from(text, c => c.charCodeAt(0))))
    return typeof claims === 'object' && claims !== null ? claims : {}
  } catch {
    return {}
  }
}

/** Only the server can judge a token. This is for what the page offers. */
function loginOf (token: string, renewAt?: number): Login {
  const { sub, admin, trade, exp } = claimsOf(token)
  return {
    token,
    user: typeof sub === 'string' ? sub : '',
    isAdmin: admin === true,
    mayTrade: trade === true || (Array.isArray(trade) && trade.length > 0),
    ...(renewAt === undefined ? {} : { renewAt }),
    ...(typeof exp === 'number' ? { endsAt: exp * 1000 } : {})
  }
}

function keep (held: Login | undefined): void {
  try {
    if (held === undefined) sessionStorage.removeItem(KEY)
    else sessionStorage.setItem(KEY, JSON.stringify({ ...held, renewAt: held.renewAt ?? Number.MAX_VALUE }))
  } catch {
    // A page may be denied its storage: then the login lasts as long as the page.
  }
  login.set(held)
}

function kept (): Login | undefined {
  try {
    const held = JSON.parse(sessionStorage.getItem(KEY) ?? 'null') as Partial<Login> | null
    if (typeof held?.token !== 'string') return undefined
    const found = loginOf(held.token, held.renewAt === Number.MAX_VALUE ? undefined : held.renewAt)
    return found.endsAt !== undefined && found.endsAt <= Date.now() ? undefined : found
  } catch {
    return undefined
  }
}

const at = (path: string): URL => new URL(path, document.baseURI)

/** Asks the server, with the token of the login. @throws Refused, TypeError of the network */
async function post (path: string, body?: object): Promise<unknown> {
  const token = login.get()?.token
  const response = await fetch(at(path), {
    method: 'POST',
    headers: {
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' })
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })
  return await answerOf(response)
}

interface Given {
  readonly admin_token: string
  readonly expires_in: number
}

const hold = ({ admin_token: token, expires_in: seconds }: Given): void => {
  keep(loginOf(token, Date.now() + seconds * 1000 / 2))
}

let renewing: Promise<void> | undefined

async function renew (): Promise<void> {
  const held = login.get()
  if (held?.renewAt === undefined || Date.now() < held.renewAt) return
  try {
    const given = await post('page/admin-token/renew') as Given
    // Meanwhile the person may have logged out, or in as somebody else.
    if (login.get() === held) hold(given)
  } catch (error) {
    // 401 and 403: the token has expired, or its server has restarted. Any other request may succeed the
    // next time.
    const isOver = error instanceof Refused && [401, 403, 404].includes(error.status)
    if (isOver && login.get() === held) keep(undefined)
  }
}

/** Returns a token that has not expired, for the client; undefined: nobody is logged in. */
export async function freshToken (): Promise<string | undefined> {
  renewing ??= renew().finally(() => { renewing = undefined })
  await renewing
  return login.get()?.token
}

/** Why the link that was opened is not valid, in the server's words. */
export const linkProblem = createStore<string | undefined>(undefined)

/** Exchanges the code in the page's address, which the server's terminal showed, if there is one. */
async function takeLink (): Promise<void> {
  const code = new URLSearchParams(location.hash.slice(1)).get('code')
  if (code === null) return
  // Before the exchange, so that the code leaves the address bar even if that fails, and cannot become a
  // bookmark.
  history.replaceState(null, '', location.pathname + location.search)
  try {
    hold(await post('page/admin-token', { code }) as Given)
    linkProblem.set(undefined)
  } catch (error) {
    linkProblem.set(error instanceof Error ? error.message : String(error))
  }
}

/** Goes on with the login of this tab, or logs in by a link of the terminal, also one that comes later. */
export async function beginSession (): Promise<void> {
  login.set(kept())
  setInterval(() => { void freshToken() }, LOOK_MS)
  window.addEventListener('hashchange', () => { void takeLink() })
  await takeLink()
}

export async function readSettings (): Promise<Settings> {
  const response = await fetch(at('page/settings.json'))
  if (!response.ok) throw new Error(`the server answered ${response.status}`)
  return await response.json() as Settings
}

/** Logs in with a token that a person entered. */
export const logInWith = (token: string): void => { keep(loginOf(token)) }

export const logOut = (): void => { keep(undefined) }

/** Makes the server's terminal show a link. @throws Refused */
export async function askForLink (): Promise<void> {
  await post('page/admin-link')
}

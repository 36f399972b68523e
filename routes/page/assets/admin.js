/* global history, location, sessionStorage */

/** Reads the settings that the server has for its own page. */
export async function readSettings () {
  const response = await fetch(at('page/settings.json'))
  if (!response.ok) throw new Error(`the server answered ${response.status}`)
  const { authentication_required: tokenRequired, admin_links: adminLinks, reference } = await response.json()
  return { tokenRequired, adminLinks, reference }
}

/**
 * A tab keeps its token until it is closed, even when it reloads. The key has the path, because it tells
 * apart servers of one origin.
 */
const KEY = `tickwire admin ${new URL('.', document.baseURI).pathname}`
/** How often to check whether the token must be renewed. */
const LOOK_MS = 60_000

const at = path => new URL(path, document.baseURI)
const now = () => Date.now()

async function post (path, { token, body } = {}) {
  const response = await fetch(at(path), {
    method: 'POST',
    headers: {
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  })
  const answer = response.status === 204 ? undefined : await response.json()
  if (!response.ok) throw Object.assign(new Error(answer.message), { status: response.status })
  return answer
}

/**
 * The page's right to cut connections. It exchanges the code of a link, which the server's terminal shows,
 * for a token.
 */
export class Admin {
  /** @type {{ token: string, renewAt: number, endsAt: number } | undefined} */
  #held
  #onChange

  /** @param {() => void} onChange called when the page may cut connections from now on, or no longer may */
  constructor (onChange) {
    this.#onChange = onChange
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? 'null')
    if (kept !== null && now() < kept.endsAt) this.#held = kept
    setInterval(() => { this.#renew().catch(() => {}) }, LOOK_MS)
  }

  get isAdmin () {
    return this.#held !== undefined
  }

  /** Exchanges the code in the page's address, if there is one. @throws Error in the server's words */
  async takeLink () {
    const code = new URLSearchParams(location.hash.slice(1)).get('code')
    if (code === null) return
    // Before the exchange, so that the code leaves the address bar even if that fails, and cannot become a
    // bookmark.
    history.replaceState(null, '', location.pathname + location.search)
    this.#hold(await post('page/admin-token', { body: { code } }))
  }

  /** Makes the server's terminal show a link. @throws Error in the server's words */
  async askForLink () {
    await post('page/admin-link')
  }

  /**
   * Makes the server cut a connection.
   * @param {() => string | undefined} connectionId returns the current id of the connection
   * @param {string | undefined} ownToken a token that a person has entered
   * @throws Error in words for the person at the page
   */
  async disconnect (connectionId, ownToken) {
    await this.#renew()
    const body = { connection_id: connectionId() }
    await post('v1/admin/disconnect', { token: this.#held?.token ?? ownToken, body })
  }

  async #renew () {
    if (this.#held === undefined || now() < this.#held.renewAt) return
    try {
      this.#hold(await post('page/admin-token/renew', { token: this.#held.token }))
    } catch (error) {
      // 401 and 403: the token has expired, or its server has restarted. Any other request may succeed the
      // next time.
      if (![401, 403, 404].includes(error.status)) return
      this.#held = undefined
      sessionStorage.removeItem(KEY)
      this.#onChange()
    }
  }

  #hold ({ admin_token: token, expires_in: seconds }) {
    this.#held = { token, renewAt: now() + seconds * 1000 / 2, endsAt: now() + seconds * 1000 }
    sessionStorage.setItem(KEY, JSON.stringify(this.#held))
    this.#onChange()
  }
}

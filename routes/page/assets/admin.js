/* global history, location, sessionStorage */

/** What the server tells its own page. */
export async function readSettings () {
  const response = await fetch(at('page/settings.json'))
  if (!response.ok) throw new Error(`the server answered ${response.status}`)
  const { authentication_required: tokenRequired, admin_links: adminLinks, reference } = await response.json()
  return { tokenRequired, adminLinks, reference }
}

/** A tab keeps its token until it is closed, also when it is loaded anew. Another server under this origin has another path. */
const KEY = `tickwire admin ${new URL('.', document.baseURI).pathname}`
/** How often it is looked whether the token is to be renewed. */
const LOOK_MS = 60_000

const at = path => new URL(path, document.baseURI)
const now = () => Date.now()

async function post (path, { token, body } = {}) {
  const response = await fetch(at(path), {
    method: 'POST',
    headers: { ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }), ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
    body: body === undefined ? undefined : JSON.stringify(body),
  })
  const answer = response.status === 204 ? undefined : await response.json()
  if (!response.ok) throw Object.assign(new Error(answer.message), { status: response.status })
  return answer
}

/** What this page may do to connections: by a link that the server's terminal shows, whose code it exchanges for a token. */
export class Admin {
  /** @type {{ token: string, renewAt: number, endsAt: number } | undefined} */
  #held
  #onChange

  /** @param {() => void} onChange the page may cut connections now, or may no more */
  constructor (onChange) {
    this.#onChange = onChange
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? 'null')
    if (kept !== null && now() < kept.endsAt) this.#held = kept
    setInterval(() => { this.#renew().catch(() => {}) }, LOOK_MS)
  }

  get isAdmin () {
    return this.#held !== undefined
  }

  /** Exchanges the code in the page's address, where there is one. @throws Error in the server's words */
  async takeLink () {
    const code = new URLSearchParams(location.hash.slice(1)).get('code')
    if (code === null) return
    // Before the exchange, and even if that fails: the code must not stay in the address bar, or become a bookmark.
    history.replaceState(null, '', location.pathname + location.search)
    this.#hold(await post('page/admin-token', { body: { code } }))
  }

  /** Has the server's terminal show a link. @throws Error in the server's words */
  async askForLink () {
    await post('page/admin-link')
  }

  /**
   * Has the server cut a connection.
   * @param {() => string | undefined} connectionId the connection of the moment
   * @param {string | undefined} ownToken a token that a person has entered
   * @throws Error in words for the person at the page
   */
  async disconnect (connectionId, ownToken) {
    await this.#renew()
    await post('v1/admin/disconnect', { token: this.#held?.token ?? ownToken, body: { connection_id: connectionId() } })
  }

  async #renew () {
    if (this.#held === undefined || now() < this.#held.renewAt) return
    try {
      this.#hold(await post('page/admin-token/renew', { token: this.#held.token }))
    } catch (error) {
      // 401 and 403: the token is over, or of a server that has been restarted. What else fails may go well next time.
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

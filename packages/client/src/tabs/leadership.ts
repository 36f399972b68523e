/** How long a tab that has closed its connection stays in line: a client often opens the next one at once. */
const LINGER_MS = 1000

/**
 * The lead of all tabs of a name: the tab that holds the lock has it, and the others wait in line. A tab that
 * the browser freezes or puts away gives it up, because a frozen page keeps its locks.
 */
export class Leadership {
  readonly #locks: LockManager
  readonly #name: string
  readonly #tab: string
  readonly #lead: () => () => void
  #waiting: AbortController | undefined
  #release: (() => void) | undefined
  #releaseTab: (() => void) | undefined
  #lives: Promise<void> | undefined
  #lingering: ReturnType<typeof setTimeout> | undefined

  /** @param lead begins to lead, and returns what ends it */
  constructor (locks: LockManager, name: string, tab: string, lead: () => () => void) {
    this.#locks = locks
    this.#name = name
    this.#tab = tab
    this.#lead = lead
  }

  /**
   * Waits in line for the lead, and shows by a lock of its own that this tab lives.
   * @returns when others can see that it lives; rejected if the browser gives this page no locks
   */
  async enter (): Promise<void> {
    clearTimeout(this.#lingering)
    if (this.#waiting === undefined && this.#release === undefined) {
      const { signal } = this.#waiting = new AbortController()
      this.#request({ signal })
    }
    this.#lives ??= new Promise((resolve, reject) => {
      const held = new Promise<void>(resolve => { this.#releaseTab = resolve })
      this.#locks.request(tabLock(this.#name, this.#tab), async () => {
        resolve()
        await held
      }).catch(reject)
    })
    await this.#lives
  }

  /** Takes the lead from a tab that does not answer. */
  seize (): void {
    if (this.#release !== undefined) return
    this.#waiting?.abort()
    this.#waiting = new AbortController()
    this.#request({ steal: true })
  }

  /** Leaves the line, unless the tab enters it again soon. */
  leave (): void {
    clearTimeout(this.#lingering)
    this.#lingering = setTimeout(() => { this.resign() }, LINGER_MS)
  }

  /** Leaves the line, or gives up the lead, at once. */
  resign (): void {
    clearTimeout(this.#lingering)
    this.#waiting?.abort()
    this.#waiting = undefined
    this.#release?.()
    this.#releaseTab?.()
    this.#releaseTab = this.#lives = undefined
  }

  #request (options: LockOptions): void {
    let stop: (() => void) | undefined
    const end = (): void => {
      if (stop === undefined) return
      stop()
      stop = undefined
      this.#release = undefined
    }
    const lead = async (): Promise<void> => {
      this.#waiting = undefined
      await new Promise<void>(resolve => {
        this.#release = () => {
          end()
          resolve()
        }
        stop = this.#lead()
      })
    }
    this.#locks.request(this.#name, options, lead).catch(() => {
      // Another tab has taken the lead from this one, which did not answer for a while.
      if (stop === undefined) return
      end()
      if (this.#lives !== undefined) void this.enter()
    })
  }
}

const tabLock = (name: string, tab: string): string => `${name} ${tab}`

/** Returns the tabs that live. */
export async function livingTabs (locks: LockManager, name: string): Promise<string[]> {
  const { held = [] } = await locks.query()
  const prefix = tabLock(name, '')
  return held.map(lock => String(lock.name))
    .filter(lock => lock.startsWith(prefix)).map(lock => lock.slice(prefix.length))
}

/** Calls a function when a tab is gone, however it went. */
export function whenGone (
  locks: LockManager, name: string, tab: string, signal: AbortSignal, onGone: () => void
): void {
  locks.request(tabLock(name, tab), { signal }, onGone).catch(() => {})
}

import type { Kysely } from 'kysely'
import type { Store } from './store.js'
import type { Row, Tables } from './tables.js'

/** How many rows one query brings. */
const PAGE_ROWS = 1000

/** The newest message of a topic of a compacted channel. */
export type State = Row<'states'> & { readonly data: string }

/**
 * All states that were not removed, topic after topic, in pages. What is written meanwhile may be among them.
 */
export async function * readStates (
  store: Pick<Store, 'query'>, pageRows = PAGE_ROWS
): AsyncGenerator<readonly State[]> {
  let last: string | undefined
  for (;;) {
    let page = store.query.selectFrom('states').selectAll().orderBy('topic').limit(pageRows)
    if (last !== undefined) page = page.where('topic', '>', last)
    const rows = await page.execute()
    if (rows.length === 0) return
    last = rows.at(-1)!.topic
    const states = rows.filter((row): row is State => row.data !== null)
    if (states.length > 0) yield states
    if (rows.length < pageRows) return
  }
}

/** Returns the newest timestamp of all states, of removed topics too; undefined if there is none. */
export async function newestTimestamp ({ query }: Pick<Store, 'query'>): Promise<number | undefined> {
  const newest = query.selectFrom('states').select('timestamp').orderBy('timestamp', 'desc').limit(1)
  return (await newest.executeTakeFirst())?.timestamp
}

/**
 * How long the row of a removed topic stays. It keeps an older message from bringing the topic back: a server
 * that could not reach the store, or that lost its lease, may write one late, but not by hours.
 */
const REMOVED_KEPT_MS = 24 * 3_600_000

/** Deletes the rows of topics that were removed long ago. */
export async function forgetRemoved (writer: Kysely<Tables>, now: number): Promise<void> {
  const removed = writer.deleteFrom('states').where('data', 'is', null)
  await removed.where('timestamp', '<', now - REMOVED_KEPT_MS).execute()
}

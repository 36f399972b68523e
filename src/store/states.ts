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

/**
 * How long a removed topic keeps its row, by which older messages of it are known. A server that the store
 * was away for, or that lost its lease, may bring them late, though not by hours.
 */
const REMOVED_KEPT_MS = 24 * 3_600_000

/** Deletes the rows of topics that were removed long ago. */
export async function forgetRemoved (writer: Kysely<Tables>, now: number): Promise<void> {
  const removed = writer.deleteFrom('states').where('data', 'is', null)
  await removed.where('timestamp', '<', now - REMOVED_KEPT_MS).execute()
}

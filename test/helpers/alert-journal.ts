import type { Log } from '../../src/log/log.js'
import { alertJournal } from '../../src/processors/alerts/alert-processor.js'
import type { Kept } from '../../src/processors/alerts/watch.js'

/** Returns what the journal keeps of each rule that the processor has begun with, by the rule's id. */
export async function keptRules (log: Pick<Log, 'snapshot'>): Promise<Readonly<Record<string, Kept>>> {
  const snapshot = await log.snapshot(alertJournal.name)
  const { state } = JSON.parse(snapshot?.payload ?? '{}') as { state?: { rules: Record<string, Kept> } }
  return state?.rules ?? {}
}

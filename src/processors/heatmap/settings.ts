import type { HeatmapKind } from '@tickwire/protocol'
import type { StreamingSettings } from '../../config.js'
import type { Flow } from '../demand.js'
import { inputOfKind } from './heat-inputs.js'
import { kindOfChannel } from './heatmap-run.js'

const DEFAULT_INTERVAL_MS = 5000

type Settings = Pick<
  StreamingSettings, 'HEATMAP_INTERVAL_MS' | 'WS_UPDATE_INTERVAL' | 'HEATMAP_QUERY' | 'DUCKDB_PATH'
>

/** Where heatmaps of a kind are queried: by default, the table `heatmap` of our own in memory. */
interface DatabaseSettings {
  readonly query?: string | undefined
  readonly path?: string | undefined
}

export interface HeatmapSettings {
  readonly intervalMs: number
  databaseOf (kind: HeatmapKind): DatabaseSettings
}

/** A user's query that does not ask for the kind makes liquidation heatmaps only. */
const servesKind = ({ HEATMAP_QUERY: query }: Settings, kind: HeatmapKind): boolean =>
  kind === 'liquidation' || query === undefined || /\$kind\b/.test(query)

export function heatmapOptions (settings: Settings): HeatmapSettings {
  const { HEATMAP_INTERVAL_MS, WS_UPDATE_INTERVAL, HEATMAP_QUERY: query, DUCKDB_PATH: path } = settings
  const olderMs = WS_UPDATE_INTERVAL === undefined ? undefined : WS_UPDATE_INTERVAL * 1000
  return {
    intervalMs: HEATMAP_INTERVAL_MS ?? olderMs ?? DEFAULT_INTERVAL_MS,
    databaseOf: kind => servesKind(settings, kind) ? { query, path } : {}
  }
}

/** Returns which channels our own models need, so that a subscriber of a heatmap creates demand for them. */
export function heatmapFlows (settings: Settings): Flow[] {
  return Object.entries(kindOfChannel)
    .filter(([, kind]) => settings.DUCKDB_PATH === undefined || !servesKind(settings, kind))
    .map(([output, kind]) => ({ inputs: [inputOfKind[kind]], outputs: [output] }))
}

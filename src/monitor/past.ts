import { ProtocolError } from '@tickwire/protocol'
import { isoTime } from '../hub/iso-time.js'
import {
  type MinuteFilter, type MinuteMark, type MinuteRow, readMarks, readMinutes
} from '../store/monitor-rows.js'
import type { MonitorStore } from './monitor-store.js'
import { MINUTE_MS, minuteOf } from './recorder.js'
import type { MetricsAnswer } from './schema.js'
import type { NodeName } from './views.js'

/** Figures of a minute that has ended are written by then. */
const WRITTEN_AFTER_MS = 10_000

/** A node that is there. */
export interface PresentNode extends NodeName {
  /** ISO 8601. */
  readonly started: string
}

export interface PastRequest extends MinuteFilter {
  /** Rows of the answer, the newest. */
  readonly limit: number
}

/** Minutes of a node of which the store has nothing. */
interface Gap {
  readonly node: string
  readonly name: string
  readonly from: number
  /** Behind the last. */
  readonly to: number
}

/** Reads the figures of past minutes from the store. */
export class Past {
  /** @param nodes returns the nodes that are there. @throws ProtocolError `log_unavailable` */
  constructor (
    private readonly store: MonitorStore | undefined,
    private readonly nodes: () => Promise<readonly PresentNode[]>,
    private readonly now: () => number = Date.now
  ) {}

  /** @throws ProtocolError `not_found`: there is no store; `log_unavailable`: it does not answer */
  async metrics (request: PastRequest): Promise<MetricsAnswer> {
    const { store } = this
    if (store === undefined || (store.current === undefined && !store.isExpected)) {
      throw new ProtocolError('not_found', 'this server keeps no figures: set MONITOR_DAYS or DATABASE_URL')
    }
    const { current } = store
    const { from, to, limit } = request
    try {
      if (current === undefined) throw new Error('it is not open')
      const newest = await readMinutes(current, request, limit + 1)
      const rows = cut(newest, limit)
      const reached = rows.length < newest.length ? rows.at(-1)?.minute ?? to : from
      // Only of what the answer has: there may be years of them.
      const marks = await readMarks(current, { ...request, from: reached })
      const known = await this.nodes().catch(() => undefined)
      const present = (known ?? []).filter(({ id, name }) => (
        request.node === undefined || id === request.node || name === request.node))
      const written = Math.min(to, minuteOf(this.now() - WRITTEN_AFTER_MS))
      const gaps = gapsOf(marks, present, reached, to, written)
      const losses = marks.filter(({ lost, minute }) => lost > 0 && minute >= reached)
      const faulty = new Set(losses.map(({ node, minute }) => `${node} ${minute}`))
      const incomplete = [...gaps, ...losses.map(({ node, node_name: name, minute }): Gap => (
        { node, name, from: minute, to: minute + MINUTE_MS }))]
      return {
        from: isoTime(from),
        to: isoTime(to),
        complete: incomplete.length === 0 && known !== undefined,
        minutes: rows.reverse().map(row => viewOf(row, !faulty.has(`${row.node} ${row.minute}`))),
        incomplete: incomplete.sort((a, b) => a.from - b.from).map(gap => (
          { ...gap, from: isoTime(gap.from), to: isoTime(gap.to) })),
        more: rows.length < newest.length
      }
    } catch {
      throw new ProtocolError('log_unavailable', 'what the store has cannot be reached now')
    }
  }
}

/** Cuts rows, newest first, to a number; a minute is there with all its rows, or not at all. */
function cut (newest: readonly MinuteRow[], limit: number): MinuteRow[] {
  if (newest.length <= limit) return [...newest]
  const rows = newest.slice(0, limit)
  const whole = rows.filter(({ minute }) => minute !== newest[limit]!.minute)
  return whole.length === 0 ? rows : whole
}

/**
 * Finds the minutes of which the store should have figures, and has none: a node writes some for each minute
 * from its start to its end.
 * @param written up to where nodes that are there have written
 */
function gapsOf (
  marks: readonly MinuteMark[], present: readonly PresentNode[], from: number, to: number, written: number
): Gap[] {
  const gaps: Gap[] = []
  const byNode = new Map<string, MinuteMark[]>()
  for (const mark of marks) {
    const ofNode = byNode.get(mark.node)
    if (ofNode === undefined) byNode.set(mark.node, [mark])
    else ofNode.push(mark)
  }
  for (const { id, name, started } of present) {
    if (!byNode.has(id)) addGap(gaps, id, name, Math.max(from, minuteOf(Date.parse(started))), written)
  }
  const alive = new Set(present.map(({ id }) => id))
  for (const [node, ofNode] of byNode) {
    const { node_name: name, started } = ofNode[0]!
    let next = Math.max(from, minuteOf(started))
    for (const { minute } of ofNode) {
      addGap(gaps, node, name, next, minute)
      next = Math.max(next, minute + MINUTE_MS)
    }
    if (alive.has(node)) addGap(gaps, node, name, next, Math.min(to, written))
  }
  return gaps
}

function addGap (gaps: Gap[], node: string, name: string, from: number, to: number): void {
  if (minuteOf(to - 1) >= from) gaps.push({ node, name, from, to })
}

const milliseconds = (us: number | null): number | null => us === null ? null : us / 1000

function viewOf (row: MinuteRow, complete: boolean): MetricsAnswer['minutes'][number] {
  const { minute, node, node_name: name, channel, messages, bytes, p50, p95, p99 } = row
  return {
    minute: isoTime(minute),
    node,
    name,
    channel,
    messages,
    bytes,
    p50_ms: milliseconds(p50),
    p95_ms: milliseconds(p95),
    p99_ms: milliseconds(p99),
    complete
  }
}

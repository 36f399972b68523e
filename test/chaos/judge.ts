import { type DriverEvent, type Told, topicOf, type Transport } from './events.js'
import { TopicJudge } from './topic-judge.js'
import { channelOf, topics } from './topics.js'
import type { Truth } from './truth.js'

/** Something that went wrong on purpose; times in milliseconds. */
export interface Disturbance {
  readonly name: string
  readonly from: number
  readonly to: number
}

/** How a client came back after a disturbance, in milliseconds from its end. */
export interface Return {
  readonly name: string
  /** Until it said that it is live. Undefined: it never said otherwise, or the next fault came first. */
  readonly backMs: number | undefined
  /** Until the application was given a message that is newer than the disturbance's end. */
  readonly freshMs: number | undefined
}

export interface Verdict {
  readonly failures: readonly string[]
  readonly messages: number
  readonly snapshots: number
  readonly duplicates: number
  readonly resets: number
  readonly gaps: number
  /** How often the client said that it is live, by transport. */
  readonly live: ReadonlyMap<Transport | 'unknown', number>
  readonly returns: readonly Return[]
}

/** Judges all that a client told its application, by what the server had. */
export function judge (told: readonly Told[], truth: Truth, disturbances: readonly Disturbance[]): Verdict {
  const failures: string[] = []
  const fail = (failure: string): void => { failures.push(failure) }
  const judges = new Map(topics.map(topic => [topic, new TopicJudge(topic, truth, fail)]))
  const counts = { messages: 0, snapshots: 0, gaps: 0 }
  const live = new Map<Transport | 'unknown', number>()
  const subscribed = new Set<string>()
  const of = (event: Extract<DriverEvent, { event: 'message' | 'reset' }>): TopicJudge | undefined => {
    const judge = judges.get(topicOf(event))
    if (judge === undefined) fail(`a ${event.event} of ${topicOf(event)}, which nobody asked for`)
    return judge
  }
  for (const { at, event } of told) {
    switch (event.event) {
      case 'message':
        counts.messages++
        if (event.snapshot) counts.snapshots++
        of(event)?.take(event)
        break
      case 'reset': of(event)?.reset(event, at); break
      case 'gap':
        counts.gaps++
        fail(`${topicOf(event)}: a gap before ${event.sequence}, which the server never leaves`)
        break
      case 'rejected': fail(`${topicOf(event)} is said to be rejected: ${event.code} ${event.message}`); break
      case 'subscribed': subscribed.add(event.channel); break
      case 'state':
        if (event.state === 'live') live.set(event.transport ?? 'unknown', (live.get(event.transport ?? 'unknown') ?? 0) + 1)
        if (event.state === 'closed' && event.code !== undefined) fail(`the client stopped for good: ${event.code} ${event.reason ?? ''}`)
        break
      case 'ready':
      case 'closed': break
      default: fail(`an event that there is not: ${JSON.stringify(event satisfies never)}`)
    }
  }
  for (const channel of new Set(topics.map(channelOf))) {
    if (!subscribed.has(channel)) fail(`nothing was said to be subscribed of ${channel}`)
  }
  const sum = (count: (judge: TopicJudge) => number): number =>
    [...judges.values()].reduce((total, judge) => total + count(judge), 0)
  for (const judge of judges.values()) judge.end()
  return {
    failures,
    ...counts,
    duplicates: sum(({ duplicates }) => duplicates),
    resets: sum(({ resets }) => resets),
    live,
    returns: disturbances.map((disturbance, index) =>
      returnFrom(disturbance, disturbances[index + 1]?.from ?? Infinity, told, truth))
  }
}

/** @param before when the next disturbance began */
function returnFrom ({ name, to }: Disturbance, before: number, told: readonly Told[], truth: Truth): Return {
  let isLive = true
  let backMs: number | undefined
  let freshMs: number | undefined
  for (const { at, event } of told) {
    if (at >= before) break
    if (event.event === 'state') {
      if (event.state === 'live' && !isLive && at >= to) backMs ??= at - to
      isLive = event.state === 'live'
    } else if (event.event === 'message' && at >= to) {
      const published = truth.find(topicOf(event), event.data)
      if (published !== undefined && published.at >= to) freshMs ??= at - to
    }
  }
  return { name, backMs, freshMs }
}

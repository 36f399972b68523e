import { isDeepStrictEqual } from 'node:util'
import { hasState, topics } from './topics.js'
import type { Truth } from './truth.js'

interface History {
  readonly last_sequence: number
  readonly messages: ReadonlyArray<{ readonly sequence: number, readonly data: unknown }>
}

/** More than a run publishes to a topic; an answer ends at about 1 MiB in any case. */
const LIMIT = 10_000

/** What the server says of its log, where it is not what it said to the publisher. */
export async function differences (origin: string, truth: Truth): Promise<string[]> {
  const found = await Promise.all(topics.map(async topic =>
    hasState(topic) ? await ofState(origin, topic, truth) : await ofHistory(origin, topic, truth)))
  return found.flat().map(difference => `the server: ${difference}`)
}

async function ask (origin: string, path: string, topic: string): Promise<unknown> {
  const response = await fetch(`${origin}/v1/${path}topic=${encodeURIComponent(topic)}`)
  return await response.json()
}

async function ofState (origin: string, topic: string, truth: Truth): Promise<string[]> {
  const { data } = await ask(origin, 'snapshot?', topic) as { readonly data?: unknown }
  const state = truth.last(topic)?.state
  if (isDeepStrictEqual(data, state)) return []
  return [`${topic} is ${JSON.stringify(data)}, and should be ${JSON.stringify(state)}`]
}

async function ofHistory (origin: string, topic: string, truth: Truth): Promise<string[]> {
  const { last_sequence: end, messages } = await ask(origin, `history?limit=${LIMIT}&`, topic) as History
  const last = truth.last(topic)?.sequence
  const isWrong = ({ sequence, data }: History['messages'][number]): boolean =>
    !isDeepStrictEqual(truth.at(topic, sequence)?.data, data)
  const wrong = messages.find(isWrong)
  return [
    ...end === last ? [] : [`${topic} ends with ${end}, and should with ${last}`],
    ...wrong === undefined ? [] : [`${topic} has ${JSON.stringify(wrong)}`]
  ]
}

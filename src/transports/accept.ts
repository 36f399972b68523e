import { type Preference, preferencesOf } from './preferences.js'

const EVENT_STREAM = ['text/event-stream', 'text/*', '*/*']
const JSON_ANSWER = ['application/json', 'application/*', '*/*']

/** How much a type is wanted: the most exact range that it is in says so (RFC 9110, 12.5.1), and which one that is. */
function wanted (preferences: readonly Preference[], ranges: readonly string[]): Preference {
  for (const range of ranges) {
    const named = preferences.filter(({ name }) => name === range)
    if (named.length > 0) return named.reduce((most, one) => one.weight > most.weight ? one : most)
  }
  return { name: '', weight: 0 }
}

/**
 * Whether a request's `Accept` asks for an event stream rather than for JSON (PROTOCOL.md, One URL): it must name one, as clients that
 * take anything cannot be meant to wait for the end of a stream; at equal weights it is preferred.
 */
export function asksForEventStream (accept: string | undefined): boolean {
  const preferences = preferencesOf(accept)
  const stream = wanted(preferences, EVENT_STREAM)
  return stream.name !== '*/*' && stream.weight > 0 && stream.weight >= wanted(preferences, JSON_ANSWER).weight
}
